"""How closely rewards follow something that can be counted, within pairs and with intervals."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minirm.metrics.intervals import cluster_interval
from minirm.metrics.jackknife import jackknife_interval, summed
from minirm.metrics.ranking import to_array

Ends = tuple[float, float]


@dataclass(frozen=True)
class Follows:
    """How a reward goes with a count, such as the length of an answer.

    Attributes:
        correlation: of the two answers' difference in reward with their difference in the count,
            in [-1, 1]; 0 where one of them never differs.
        interval: 95 % of it; None of fewer than three units, or few that all agree.
        beyond: the same once what goes with ``other`` (length, say) is taken out of both; None
            where nothing was.
        beyond_interval: 95 % of it.
        prefers: how often the reward prefers the answer that has more of it.
        prefers_interval: 95 % of it.
        labels: how often the data does.
        more_chosen: accuracy where the chosen answer has more of it, and its interval; or None.
        more_rejected: the same where the rejected one has more.
        pairs: how many pairs differ in the count.
    """

    correlation: float
    interval: Ends | None
    beyond: float | None
    beyond_interval: Ends | None
    prefers: float
    prefers_interval: Ends
    labels: float
    more_chosen: tuple[float, Ends] | None
    more_rejected: tuple[float, Ends] | None
    pairs: int


def follows(
    rewards: Any, counts: Any, units: Sequence[Hashable], *, other: Any = None
) -> Follows | None:
    """Correlate differences of rewards with differences of a count.

    Exchanging the two answers of a pair changes no correlation, so no label enters it; of two
    answers to one prompt it is the correlation within prompts (``minirm.metrics.lengths``).

    Args:
        rewards: [B, 2], of the chosen and the rejected answers.
        counts: [B, 2], of the same answers.
        units: [B], what tells independent cases apart.
        other: [B, 2], another count, which is held fixed in ``beyond``.

    Returns:
        None where no two answers of a pair differ in the count.

    >>> found = follows([[3.0, 1.0], [2.0, 5.0]], [[30, 10], [10, 30]], ["a", "b"])
    >>> round(found.correlation, 3), found.prefers, found.labels
    (0.981, 1.0, 0.5)
    """
    r, x = (_difference(values) for values in (rewards, counts))
    z = np.zeros_like(x) if other is None else _difference(other)
    differ = x != 0
    if not differ.any():
        return None
    sums = summed(np.stack([r * x, r * r, x * x, r * z, x * z, z * z], 1), units)
    total = sums.sum(0, keepdims=True)
    prefers = (np.sign(r[differ]) * np.sign(x[differ]) + 1) / 2
    kept = [unit for unit, d in zip(units, differ, strict=True) if d]
    bounds = (-1.0, 1.0)
    return Follows(
        correlation=float(_correlation(total)[0]),
        interval=jackknife_interval(sums, _correlation, within=bounds),
        beyond=None if other is None else float(_beyond(total)[0]),
        beyond_interval=None if other is None else jackknife_interval(sums, _beyond, within=bounds),
        prefers=float(prefers.mean()),
        prefers_interval=cluster_interval(prefers.tolist(), kept),
        labels=float((x[differ] > 0).mean()),
        more_chosen=_accuracy(r, x > 0, units),
        more_rejected=_accuracy(r, x < 0, units),
        pairs=int(differ.sum()),
    )


def _difference(values: Any) -> np.ndarray:
    both = to_array(values)
    if both.ndim != 2 or both.shape[1] != 2:
        raise ValueError(f"need [pairs, 2] numbers, got {both.shape}")
    return both[:, 0] - both[:, 1]


def _correlation(sums: np.ndarray) -> np.ndarray:
    rx, rr, xx = sums[:, 0], sums[:, 1], sums[:, 2]
    size = np.sqrt(rr * xx)
    return np.divide(rx, size, out=np.zeros_like(rx), where=size > 0)


def _beyond(sums: np.ndarray) -> np.ndarray:
    """The correlation of what is left of r and x when each is regressed on z."""
    rx, rr, xx, rz, xz, zz = sums.T
    safe = np.where(zz > 0, zz, 1.0)
    left, size = rx - rz * xz / safe, (rr - rz**2 / safe) * (xx - xz**2 / safe)
    whole = size > 1e-12 * rr * xx  # all of one of them goes with z
    return np.divide(left, np.sqrt(np.abs(size)), out=np.zeros_like(left), where=whole)


def _accuracy(
    r: np.ndarray, where: np.ndarray, units: Sequence[Hashable]
) -> tuple[float, Ends] | None:
    if not where.any():
        return None
    right = (np.sign(r[where]) + 1) / 2
    kept = [unit for unit, good in zip(units, where, strict=True) if good]
    return float(right.mean()), cluster_interval(right.tolist(), kept)
