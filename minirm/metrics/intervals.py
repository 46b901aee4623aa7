"""Intervals over independent units: of a share, of a few means, of many heavy-tailed numbers."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from statistics import NormalDist

import numpy as np
from scipy.special import stdtrit


def wilson_interval(successes: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a proportion; sensible at 0 and at n, unlike p +- z s.e.

    Args:
        successes: how many, a tie counting one half.
        n: of how many independent cases.
        confidence: in (0, 1).

    Returns:
        the lower and the upper end, both in [0, 1].

    Raises:
        ValueError: there cannot be so many successes.
    """
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"need 0 <= successes <= n and n >= 1, got {successes} of {n}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def clustered_interval(
    right: Sequence[float], units: Sequence[Hashable], confidence: float = 0.95
) -> tuple[float, float]:
    """The interval of an accuracy in which the pairs of one unit, such as a prompt, count as one.

    Where every pair is a unit of its own, Wilson's. Else Student's t with G - 1 degrees of freedom
    over the G units, for the ratio of their sums; where all units agree, and t has no spread to go
    by, Wilson's as if each unit were one pair.

    Args:
        right: [B], 1 for a pair that is ranked right, 0.5 for a tie.
        units: [B], what each pair belongs to.
        confidence: in (0, 1).

    Returns:
        the lower and the upper end, both in [0, 1].

    Raises:
        ValueError: no pairs, a NaN among them, or not one unit a pair.

    >>> right = [1, 1, 1, 0, 1, 1, 0, 0, 1, 1]
    >>> "{:.2f} to {:.2f}".format(*clustered_interval(right, "abcdefghij"))
    '0.40 to 0.89'
    >>> "{:.2f} to {:.2f}".format(*clustered_interval(right, "aabbccddee"))
    '0.14 to 1.00'
    """
    data = _units(right)
    if len(units) != len(data):
        raise ValueError(f"got {len(data)} pairs and {len(units)} units: expected one a pair")
    place = {unit: i for i, unit in enumerate(dict.fromkeys(units))}
    member = np.array([place[unit] for unit in units])
    sizes, sums = np.bincount(member), np.bincount(member, data)
    mean, g = float(data.mean()), len(place)
    gaps = sums - mean * sizes
    if g == len(data) or np.allclose(gaps, 0):
        return wilson_interval(mean * g, g, confidence)
    error = math.sqrt(g / (g - 1) * float(gaps @ gaps)) / len(data)
    half = float(stdtrit(g - 1, 0.5 + confidence / 2)) * error
    return max(0.0, mean - half), min(1.0, mean + half)


def t_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Student's t interval of the mean of a handful of independent units: base models, or seeds.

    It asks that their mean be roughly normal. It knows of no bounds: of accuracies it may reach
    beyond 0 and 1, and equal values give a point, as one value does, which is no certainty.

    Args:
        values: [N], one number a unit (not one a prompt: prompts share a run).
        confidence: in (0, 1).

    Returns:
        the lower and the upper end.

    Raises:
        ValueError: no values, or a NaN among them.

    >>> low, high = t_interval([0.5, 0.6, 0.7, 0.8])
    >>> print(f"{low:.2f} to {high:.2f}")
    0.44 to 0.86
    """
    data = _units(values)
    if len(data) == 1:
        return float(data[0]), float(data[0])
    error = data.std(ddof=1) / math.sqrt(len(data))
    half = float(stdtrit(len(data) - 1, 0.5 + confidence / 2) * error)
    return float(data.mean()) - half, float(data.mean()) + half


def accuracy_interval(accuracies: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """``t_interval`` of a mean accuracy, cut at 0 and at 1, beyond which there is none.

    Args:
        accuracies: [N], one a base model or seed.
        confidence: in (0, 1).

    Returns:
        the lower and the upper end, both in [0, 1].

    Raises:
        ValueError: no values, or a NaN among them.
    """
    low, high = t_interval(accuracies, confidence)
    return max(0.0, low), min(1.0, high)


def bootstrap_interval(
    values: Sequence[float], confidence: float = 0.95, *, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of many independent units, such as test graphs.

    It assumes no shape, and so suits heavy tails. Of a handful of units it is too narrow: take
    ``t_interval`` there.

    Args:
        values: [N], one number a unit.
        confidence: in (0, 1).
        resamples: how often the units are drawn again, with replacement.
        seed: of the draws.

    Returns:
        the lower and the upper end.

    Raises:
        ValueError: no values, or a NaN among them.
    """
    data = _units(values)
    rng = np.random.default_rng(seed)
    means = data[rng.integers(0, len(data), (resamples, len(data)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _units(values: Sequence[float]) -> np.ndarray:
    data = np.asarray(values, dtype=float)
    if data.ndim != 1 or not len(data) or np.isnan(data).any():
        raise ValueError(f"need a non-empty list of numbers, got {values!r}")
    return data
