"""An interval for whatever can be computed from sums over units: ratios, shares, correlations."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from scipy.special import stdtrit

from minirm.metrics.intervals import FEW


def summed(values: np.ndarray, units: Sequence[Hashable]) -> np.ndarray:
    """The sums of cases by unit: [G, K] from [B, K].

    >>> summed(np.array([[1.0], [2.0], [4.0]]), ["a", "b", "a"]).tolist()
    [[5.0], [2.0]]
    """
    place = {unit: i for i, unit in enumerate(dict.fromkeys(units))}
    sums = np.zeros((len(place), values.shape[1]))
    np.add.at(sums, [place[unit] for unit in units], values)
    return sums


def jackknife_interval(
    sums: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    confidence: float = 0.95,
    *,
    within: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[float, float] | None:
    """Student's t interval of a statistic of sums, each unit left out once (the jackknife).

    Args:
        sums: [G, K], K sums of each of G independent units.
        statistic: from the sums of all units together, [R, K], to [R] numbers.
        confidence: in (0, 1).
        within: the least and the greatest value that the statistic can have.

    Returns:
        the lower and the upper end; None of fewer than three units, where the statistic is
        undefined without one of them, or of fewer than ``intervals.FEW`` that all agree, which
        say nothing of how far others may lie.

    >>> mean = lambda sums: sums[:, 0] / sums[:, 1]
    >>> ends = jackknife_interval(np.array([[1.0, 1], [2, 1], [3, 1], [4, 1]]), mean)
    >>> "{:.2f} to {:.2f}".format(*ends)  # of a mean it is Student's t interval
    '0.45 to 4.55'
    """
    n = len(sums)
    if n < 3:
        return None
    total = sums.sum(0, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        value, without = statistic(total)[0], statistic(total - sums)
    if not (np.isfinite(value) and np.isfinite(without).all()):
        return None
    if n < FEW and np.allclose(without, value, rtol=1e-12, atol=1e-12):
        return None
    error = math.sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))
    half = float(stdtrit(n - 1, 0.5 + confidence / 2)) * error
    return max(within[0], float(value - half)), min(within[1], float(value + half))
