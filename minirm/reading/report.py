"""What ``minirm inspect MODEL`` measures, put together: one pass over all distinct answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from minirm import metrics
from minirm.baselines import plain
from minirm.metrics.moves import moved
from minirm.metrics.slopes import follows
from minirm.pairs import PreferencePair
from minirm.reading import attribution, growth, prompts, wordings
from minirm.reading.asking import NOWHERE, Asked
from minirm.reading.rewrites import Rewrite, rewrites
from minirm.reading.surface import shared_words, word_counts
from minirm.reward_model import RewardModel
from minirm.rewards import ImplicitRM

AS_IT_WAS = "as it was"
SHOWN = ("the widest right", "a middling", "the widest wrong")
"""Which pairs are taken apart, by their margins."""


def read_model(
    model: RewardModel,
    pairs: Sequence[PreferencePair],
    units: Sequence[int],
    *,
    given: tuple[wordings.Grid, Sequence[PreferencePair]] | None = None,
    among: Sequence[PreferencePair] | None = None,
    batch_size: int = 64,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure what a reward reads, on pairs that it can read.

    Args:
        model: any of the three rewards.
        pairs: B comparisons.
        units: [B], what tells independent ones apart.
        given: a grid of wordings that the data has, and the pairs that its places are of.
        among: more pairs of the same kind, from which cue words are learnt; None: only these.
        batch_size: answers at once.
        seed: of orders and exchanges.

    Returns:
        what JSON can hold: "reward" (its kind), "accuracy", "spread" (the standard deviation of
        all rewards, the unit of changes), "given" and "made" (``wordings.shares``), "rewrites"
        (``Moved`` by name), "length" and "shared" (``Follows``), "exchanged", "negated", "grown"
        and "drift" (each None where there is nothing to measure), "apart" (three pairs,
        ``attribution.taken_apart``), "scored" (distinct answers) and "unreadable" (rewritten ones
        that do not fit the context).

    Raises:
        ValueError: a reward is not finite.
    """
    asked = Asked(model)
    base = [asked.put_pair(pair) for pair in pairs]
    ways = rewrites(among or pairs, seed=seed)
    made = {way: _ask_rewritten(asked, pairs, way) for way in ways}
    others = prompts.exchanged(pairs, units, seed=seed)
    exchanged = None if others is None else [asked.put_pair(pair) for pair in others]
    cells = None if given is None else _ask_grid(asked, *given)
    asked.score(batch_size=batch_size)
    before = asked.rewards(base)
    spread = float(before.std())
    found: dict[str, Any] = {
        "reward": model.kind,
        "accuracy": _accuracy(before, units),
        "spread": spread,
        "given": None if given is None or cells is None else _given(asked, *given, cells),
        "made": _made(asked, pairs, before, made, units),
        "rewrites": {
            rewrite.name: _moved(before, asked.rewards(places), units, rewrite, spread)
            for rewrite, places in made.items()
        },
        **_surface(before, pairs, units),
        "exchanged": None
        if exchanged is None
        else _plain(prompts.prompt_control(before, asked.rewards(exchanged), units)),
        "negated": _plain(prompts.negation(before, prompts.negated(pairs, among))),
        **_grown(model, pairs, units, spread, batch_size),
        "apart": _apart(asked, pairs, before, batch_size),
    }
    return found | {"scored": len(asked), "unreadable": asked.unreadable}


def _accuracy(rewards: np.ndarray, units: Sequence[int]) -> dict[str, Any]:
    right = (np.sign(rewards[:, 0] - rewards[:, 1]) + 1) / 2
    ends = metrics.cluster_interval(right.tolist(), units)
    return {"value": float(right.mean()), "interval": ends}


def _plain(found: Any) -> dict[str, Any] | None:
    return None if found is None else asdict(found)


def _ask_rewritten(
    asked: Asked, pairs: Sequence[PreferencePair], rewrite: Rewrite
) -> list[list[int]]:
    places = []
    for pair in pairs:
        both = [asked.put(pair.prompt, side, pair.tools) for side in rewrite.sides(pair)]
        places.append([NOWHERE] * 2 if NOWHERE in both else both)
    return places


def _moved(
    before: np.ndarray, after: np.ndarray, units: Sequence[int], rewrite: Rewrite, spread: float
) -> dict[str, Any]:
    about = {"says": rewrite.says, "keeps": rewrite.keeps, "together": rewrite.together}
    if np.isnan(after).all():
        return about | {"pairs": 0}
    return about | asdict(moved(before, after, units, spread=spread, together=rewrite.together))


def _ask_grid(
    asked: Asked, grid: wordings.Grid, pairs: Sequence[PreferencePair]
) -> list[list[list[int]]]:
    return [[asked.put_pair(pairs[place]) for place in row] for row in grid.places]


def _given(
    asked: Asked,
    grid: wordings.Grid,
    pairs: Sequence[PreferencePair],
    cells: list[list[list[int]]],
) -> dict[str, Any]:
    lengths = word_counts([pairs[i] for i in grid.places.ravel()]).reshape(*grid.places.shape, 2)
    found = wordings.shares(asked.rewards(cells), lengths, grid.wordings)
    return {**found, "incomplete": grid.incomplete}


def _made(
    asked: Asked,
    pairs: Sequence[PreferencePair],
    before: np.ndarray,
    made: Mapping[Rewrite, list[list[int]]],
    units: Sequence[int],
) -> dict[str, Any]:
    """The meaning share over the rewrites that keep the content, on one pair of each item.

    A rewrite that few pairs have room for (a single sentence has no order) is left out of the grid.
    """
    kept = {r: asked.rewards(p) for r, p in made.items() if r.keeps}
    wide = {
        r: values for r, values in kept.items() if 2 * np.isnan(values[:, 0]).sum() <= len(pairs)
    }
    whole = ~np.isnan(np.stack([before, *wide.values()], 1)).any((1, 2))
    first: dict[int, int] = {}
    for place, unit in enumerate(units):
        if whole[place]:
            first.setdefault(unit, place)
    rows = list(first.values())
    cells = np.stack([before, *wide.values()], 1)[rows]
    counts = word_counts([pairs[i] for i in rows])
    lengths = np.stack([counts] * (1 + len(wide)), 1)
    for column, rewrite in enumerate(wide, 1):
        sides = [rewrite.sides(pairs[i]) for i in rows]
        texts = [PreferencePair("", c, r) for c, r in sides if c is not None and r is not None]
        lengths[:, column] = word_counts(texts)
    return dict(wordings.shares(cells, lengths, [AS_IT_WAS, *(r.name for r in wide)]))


def _surface(
    before: np.ndarray, pairs: Sequence[PreferencePair], units: Sequence[int]
) -> dict[str, Any]:
    lengths = word_counts(pairs)
    return {
        "length": _plain(follows(before, lengths, units)),
        "shared": _plain(follows(before, shared_words(pairs), units, other=lengths)),
    }


def _grown(
    model: RewardModel,
    pairs: Sequence[PreferencePair],
    units: Sequence[int],
    spread: float,
    batch_size: int,
) -> dict[str, Any]:
    """How the reward of beginnings ranks, and how it drifts with the position."""
    if not growth.has_beginnings(model):
        return {"grown": None, "drift": None}
    chosen, rejected = (
        growth.prefix_rewards(
            model,
            [model.encode(pair.prompt, getattr(pair, side), pair.tools) for pair in pairs],
            batch_size=batch_size,
        )
        for side in ("chosen", "rejected")
    )
    sides = (chosen, rejected)
    if isinstance(model, ImplicitRM):
        unit = "log-ratio of a token, in nats"
        steps = [[np.diff(v, prepend=0.0) / model.beta for v in side] for side in sides]
    else:
        unit = "reward of the beginning minus that of the whole, in spreads"
        steps = [[(v - v[-1]) / (spread or 1.0) for v in side] for side in sides]
    return {
        "grown": [asdict(step) for step in growth.grown(chosen, rejected, units)],
        "drift": {"unit": unit}
        | {
            side: [asdict(part) for part in growth.drift(values, units)]
            for side, values in zip(("chosen", "rejected"), steps, strict=True)
        },
    }


def _apart(
    asked: Asked, pairs: Sequence[PreferencePair], before: np.ndarray, batch_size: int
) -> list[dict[str, Any]]:
    """Three pairs taken apart: the widest margins either way, and one in the middle."""
    margins = before[:, 0] - before[:, 1]
    order = np.argsort(-margins, kind="stable")
    places = dict.fromkeys([int(order[0]), int(order[len(order) // 2]), int(order[-1])])
    shown = dict.fromkeys(places, SHOWN[1])
    first, last = int(order[0]), int(order[-1])
    shown[first] = SHOWN[0] if margins[first] > 0 else _narrowest(margins[first])
    shown[last] = SHOWN[2] if margins[last] < 0 else _narrowest(margins[last])
    cuts = {
        (place, side): attribution.ask(asked, *_one(pairs[place], side))
        for place in shown
        for side in ("chosen", "rejected")
    }
    asked.score(batch_size=batch_size, desc="words left out")
    return [
        {
            "which": which,
            "origin": pairs[place].origin,
            "prompt": plain(pairs[place].prompt),
            "margin": float(margins[place]),
        }
        | {
            side: attribution.taken_apart(asked, cuts[place, side], *_one(pairs[place], side))
            for side in ("chosen", "rejected")
        }
        for place, which in shown.items()
    ]


def _narrowest(margin: float) -> str:
    """What the first pair is called where none is ranked right, and the last where none is not."""
    return "the narrowest" + (" right" if margin > 0 else " wrong" if margin < 0 else "")


def _one(pair: PreferencePair, side: str) -> tuple[Any, Any, Any]:
    return pair.prompt, getattr(pair, side), pair.tools
