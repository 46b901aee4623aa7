"""Which comparisons are looked at: items drawn at random, those that belong together together."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minirm.data.inspection import same_prompt
from minirm.metrics.intervals import linked
from minirm.pairs import PreferencePair, encode_pairs
from minirm.plurals import counted
from minirm.reading.prompts import negated
from minirm.reward_model import RewardModel


@dataclass(frozen=True)
class Sample:
    """What was taken.

    Attributes:
        places: of the pairs, in the data's order.
        units: [places], numbers that are the same within an item.
        items: how many items there are in all.
        overlong: pairs that were left out as too long for the model.
        bad: why others were left out.
    """

    places: list[int]
    units: list[int]
    items: int
    overlong: int
    bad: tuple[str, ...]


def item_units(pairs: Sequence[PreferencePair], items: Sequence[Any] | None = None) -> list[int]:
    """Numbers that are the same for pairs of one item: [B].

    One item are pairs that share their prompt, their value in ``items``, or (``negated``,
    where one prompt holds the other) their two answers with opposed labels.
    """
    couple: list[int | None] = [None] * len(pairs)
    for number, both in enumerate(negated(pairs)):
        for place in both:
            couple[place] = number
    keys: list[Sequence[Any]] = [[same_prompt(pair) for pair in pairs], couple]
    if items is not None:
        keys.append([str(item) for item in items])
    return linked(*keys)


def draw(
    model: RewardModel,
    pairs: Sequence[PreferencePair],
    units: Sequence[int],
    *,
    most: int,
    seed: int = 0,
) -> Sample:
    """Items at random until there are ``most`` with a pair that the model can read.

    Raises:
        ValueError: the model can read none of the pairs.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for place, unit in enumerate(units):
        members[unit].append(place)
    order = list(members)
    random.Random(seed).shuffle(order)
    taken: list[int] = []
    overlong, bad, kept = 0, [], 0
    for unit in order:
        if kept == most:
            break
        fit = []
        for place in members[unit]:
            try:
                encode_pairs([pairs[place]], model.encode, max_length=model.max_length)
            except (TypeError, ValueError) as error:
                too_long = "max_length=" in str(error)
                overlong += too_long
                bad += [] if too_long else [str(error)]
            else:
                fit.append(place)
        taken += fit
        kept += bool(fit)
    if not taken:
        why = f"; the first: {bad[0]}" if bad else ""
        raise ValueError(
            f"none of {counted(len(pairs), 'pair')} can be read: longer than the model's context "
            f"of {model.max_length} tokens {overlong}, bad {len(bad)}{why}"
        )
    places = sorted(taken)
    return Sample(places, [units[i] for i in places], len(members), overlong, tuple(bad))
