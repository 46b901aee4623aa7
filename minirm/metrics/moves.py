"""How far rewards move, and how many rankings turn round, when answers are rewritten."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minirm.metrics.intervals import cluster_interval, difference_interval
from minirm.metrics.jackknife import jackknife_interval, summed
from minirm.metrics.ranking import to_array

Ends = tuple[float, float]


@dataclass(frozen=True)
class Moved:
    """What a rewrite does to the rewards of pairs.

    Attributes:
        pairs: how many could be rewritten.
        flips: share of comparisons that are ranked the other way round afterwards; one that
            becomes a tie, or was one, counts one half.
        flips_interval: 95 % of it.
        change: mean size of an answer's change of reward, over the spread of the rewards.
        change_interval: 95 % of it; None of fewer than three units, or few that all agree.
        shift: the same with its sign: above 0 where the rewrite raises rewards.
        shift_interval: 95 % of it.
        before: accuracy on the same pairs as they were.
        after: accuracy once both sides are rewritten.
        difference_interval: 95 % of ``after`` minus ``before``.
    """

    pairs: int
    flips: float
    flips_interval: Ends
    change: float
    change_interval: Ends | None
    shift: float
    shift_interval: Ends | None
    before: float
    after: float
    difference_interval: Ends


def moved(
    before: Any,
    after: Any,
    units: Sequence[Hashable],
    *,
    spread: float | None = None,
    together: bool = False,
) -> Moved:
    """Compare rewards before and after a rewrite.

    One side at a time (the default), each pair gives two comparisons: its chosen answer rewritten
    against the rejected one as it was, and the other way round. ``together``, it gives one.

    Args:
        before: [B, 2], rewards of the chosen and the rejected answer as they were.
        after: [B, 2], the same rewritten; pairs with a NaN are left out.
        units: [B], what tells independent cases apart (prompts).
        spread: what counts as one unit of change; None: the standard deviation of all ``before``.
        together: both sides are rewritten at once, as where they swap something.

    Raises:
        ValueError: the shapes differ, or no pair could be rewritten.

    >>> found = moved([[1.0, 0.0], [3.0, 1.0]], [[1.0, 2.0], [3.0, 3.0]], ["a", "b"], spread=2.0)
    >>> found.flips, found.change, found.after  # 1 against 2 turns round, 3 against 3 is a tie
    (0.375, 0.5, 0.25)
    """
    old, new = to_array(before), to_array(after)
    if old.shape != new.shape or old.ndim != 2 or old.shape[1] != 2 or len(units) != len(old):
        raise ValueError(
            f"need rewards of [pairs, 2] before and after and a unit a pair, got {old.shape}, "
            f"{new.shape} and {len(units)}"
        )
    spread = float(old.std()) if spread is None else spread
    keep = ~(np.isnan(old) | np.isnan(new)).any(1)
    if not keep.any():
        raise ValueError("no pair could be rewritten")
    old, new = old[keep], new[keep]
    kept = [unit for unit, good in zip(units, keep, strict=True) if good]
    margin = old[:, 0] - old[:, 1]
    one_side = [new[:, 0] - old[:, 1], old[:, 0] - new[:, 1]]
    margins = np.stack([new[:, 0] - new[:, 1]] if together else one_side)
    flips = (np.abs(np.sign(margins) - np.sign(margin)) / 2).mean(0)
    change = (new - old).mean(1) / spread if spread > 0 else np.zeros(len(old))
    size = np.abs(new - old).mean(1) / spread if spread > 0 else np.zeros(len(old))
    right, still = ((np.sign(both[:, 0] - both[:, 1]) + 1) / 2 for both in (old, new))
    return Moved(
        pairs=len(old),
        flips=float(flips.mean()),
        flips_interval=cluster_interval(flips.tolist(), kept),
        change=float(size.mean()),
        change_interval=mean_interval(size, kept),
        shift=float(change.mean()),
        shift_interval=mean_interval(change, kept),
        before=float(right.mean()),
        after=float(still.mean()),
        difference_interval=difference_interval((still - right).tolist(), kept),
    )


def mean_interval(values: np.ndarray, units: Sequence[Hashable]) -> Ends | None:
    """95 % interval of a mean of any size, cases with one unit counting as one: or None.

    >>> mean_interval(np.array([1.0, 2.0]), ["a", "b"])  # two units say too little
    """
    sums = summed(np.stack([values, np.ones(len(values))], 1), units)
    return jackknife_interval(sums, lambda total: total[:, 0] / total[:, 1])
