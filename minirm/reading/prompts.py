"""Does a ranking need its prompt? Another item's prompt, and an instruction's opposite."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minirm import metrics
from minirm.baselines import plain
from minirm.data.inspection import same_prompt
from minirm.data.near import normalised
from minirm.metrics.intervals import difference_interval
from minirm.pairs import PreferencePair

Ends = tuple[float, float]


@dataclass(frozen=True)
class Exchanged:
    """The same answers after another item's prompt.

    Attributes:
        pairs: how many could be read after either prompt.
        own: accuracy after their own prompt, and its interval.
        other: after another item's.
        fall: the first minus the second.
        kept: share of rankings that stay as they are, a tie counting one half.
        correlation: of the margins after the one and after the other prompt.
    """

    pairs: int
    own: tuple[float, Ends]
    other: tuple[float, Ends]
    fall: tuple[float, Ends]
    kept: tuple[float, Ends]
    correlation: float


def exchanged(
    pairs: Sequence[PreferencePair], units: Sequence[Hashable], *, seed: int = 0
) -> list[PreferencePair] | None:
    """Each pair with a prompt (and tools) of another item, the next in an order drawn at random.

    Pairs of one prompt get one other prompt. Where an item has several, its first gets the first
    of the other item, its second the second, and so on, beginning again where that has fewer.

    Args:
        pairs: [B].
        units: [B], numbers or names that are the same within an item.
        seed: of the order.

    Returns:
        [B] pairs; None where all are one item.
    """
    first: dict[Hashable, dict[str, PreferencePair]] = {}
    for pair, unit in zip(pairs, units, strict=True):
        first.setdefault(unit, {}).setdefault(same_prompt(pair), pair)
    if len(first) < 2:
        return None
    order = list(first)
    random.Random(seed).shuffle(order)
    other = {unit: list(first[order[i - 1]].values()) for i, unit in enumerate(order)}
    found = []
    for pair, unit in zip(pairs, units, strict=True):
        place = list(first[unit]).index(same_prompt(pair))
        new = other[unit][place % len(other[unit])]
        found.append(PreferencePair(new.prompt, pair.chosen, pair.rejected, new.tools))
    return found


def prompt_control(
    own: np.ndarray, other: np.ndarray, units: Sequence[Hashable]
) -> Exchanged | None:
    """Rankings after their own prompts and after others': rewards [B, 2] of each; or None.

    >>> own, other = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[1.0, 0.0], [0.0, 2.0]])
    >>> found = prompt_control(own, other, ["a", "b"])
    >>> found.own[0], found.other[0], found.kept[0]  # the prompt changes nothing
    (0.5, 0.5, 1.0)
    """
    keep = ~np.isnan(np.concatenate([own, other], 1)).any(1)
    if not keep.any():
        return None
    kept = [unit for unit, good in zip(units, keep, strict=True) if good]
    margins = [(values[:, 0] - values[:, 1])[keep] for values in (own, other)]
    right = [(np.sign(margin) + 1) / 2 for margin in margins]
    stays = 1 - np.abs(np.sign(margins[0]) - np.sign(margins[1])) / 2
    return Exchanged(
        pairs=int(keep.sum()),
        own=_share(right[0], kept),
        other=_share(right[1], kept),
        fall=(
            float((right[0] - right[1]).mean()),
            difference_interval((right[0] - right[1]).tolist(), kept),
        ),
        kept=_share(stays, kept),
        correlation=_correlation(*margins),
    )


def _share(values: np.ndarray, units: Sequence[Hashable]) -> tuple[float, Ends]:
    return float(values.mean()), metrics.cluster_interval(values.tolist(), units)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else 0.0


@dataclass(frozen=True)
class Negated:
    """Couples of pairs with the same two answers, of which each is preferred once.

    A reward that does not read the prompt gets one of each couple right, and never both.

    Attributes:
        couples: how many.
        first: accuracy on whichever of a couple comes first in the data, and its interval.
        second: on the other.
        both: share of couples that are right both times; a coin reaches a quarter.
    """

    couples: int
    first: tuple[float, Ends]
    second: tuple[float, Ends]
    both: tuple[float, Ends]


def negated(
    pairs: Sequence[PreferencePair], among: Sequence[PreferencePair] | None = None
) -> list[tuple[int, int]]:
    """Places of couples: the same two answers, the labels opposed, one prompt within the other.

    Answers that more than two pairs have, such as yes and no, couple nothing; nor do two prompts of
    which neither holds the other's words in a row, since two questions may well have opposed
    answers and nothing to do with each other.

    Args:
        pairs: of which couples are sought.
        among: the whole set, in which two answers must be a couple's own; None: ``pairs``.

    >>> one = PreferencePair("Help. ", "I do.", "I don't.")
    >>> negated([one, PreferencePair("Do not help. ", "I don't.", "I do.")])
    [(0, 1)]
    """
    counts = Counter(_answers(pair) for pair in among or pairs)
    waiting: dict[frozenset[str], int] = {}
    found = []
    for place, pair in enumerate(pairs):
        both = _answers(pair)
        first = waiting.setdefault(both, place)
        if first < place and counts[both] == 2 and _opposed(pairs[first], pair):
            found.append((first, place))
    return sorted(found)


def _answers(pair: PreferencePair) -> frozenset[str]:
    return frozenset([_key(pair.chosen), _key(pair.rejected)])


def _opposed(one: PreferencePair, other: PreferencePair) -> bool:
    short, long = sorted((normalised(plain(pair.prompt)) for pair in (one, other)), key=len)
    within = bool(short) and short != long and f" {short} " in f" {long} "
    return within and _key(one.chosen) == _key(other.rejected)


def negation(rewards: np.ndarray, couples: Sequence[tuple[int, int]]) -> Negated | None:
    """Accuracy on both of each couple, from the rewards [B, 2] of all pairs; None without any."""
    right = (np.sign(rewards[:, 0] - rewards[:, 1]) + 1) / 2
    both = np.array([[right[a], right[b]] for a, b in couples]).reshape(-1, 2)
    both = both[~np.isnan(both).any(1)]
    if not len(both):
        return None
    units = range(len(both))
    return Negated(
        couples=len(both),
        first=_share(both[:, 0], units),
        second=_share(both[:, 1], units),
        both=_share(both[:, 0] * both[:, 1], units),
    )


def _key(value: Any) -> str:
    return json.dumps(value, default=str, sort_keys=True)
