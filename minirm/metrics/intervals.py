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


def cluster_interval(
    values: Sequence[float], units: Sequence[Hashable], confidence: float = 0.95
) -> tuple[float, float]:
    """The interval of a share in which cases with one unit (a prompt) count as one.

    Where every case has a unit of its own, Wilson's. Else Student's t with G - 1 degrees of freedom
    over the G units, for the ratio of their sums; where all units agree, and t has no spread to go
    by, Wilson's as if each unit were one case.

    Args:
        values: [B], 1 for what is right, 0 for what is wrong, 0.5 for a tie.
        units: [B], what tells the units apart.
        confidence: in (0, 1).

    Returns:
        the lower and the upper end, both in [0, 1].

    Raises:
        ValueError: no values, a NaN among them, or not one unit a value.

    >>> right = [1, 1, 1, 0, 1, 1, 0, 0, 1, 1]
    >>> "{:.2f} to {:.2f}".format(*cluster_interval(right, "abcdefghij"))
    '0.40 to 0.89'
    >>> "{:.2f} to {:.2f}".format(*cluster_interval(right, "aabbccddee"))
    '0.14 to 1.00'
    """
    data = _units(values)
    mean, moves = float(data.mean()), unit_moves(data, units)
    if len(moves) == len(data):
        return wilson_interval(mean * len(data), len(data), confidence)
    return moves_interval(mean, moves, confidence)


def difference_interval(
    differences: Sequence[float], units: Sequence[Hashable], confidence: float = 0.95
) -> tuple[float, float]:
    """The interval of the mean difference of two models' right answers to the same cases.

    Student's t over units, as by ``cluster_interval``. Where no unit differs from another, as when
    two models agree everywhere, it is as wide as the share of cases that they could differ in.

    Args:
        differences: [B], of one model's 1, 0.5 or 0 and the other's.
        units: [B], what tells the units apart.
        confidence: in (0, 1).

    Returns:
        the lower and the upper end, both in [-1, 1].

    Raises:
        ValueError: no values, a NaN among them, or not one unit a value.

    >>> print("{:.2f} to {:.2f}".format(*difference_interval([0.0] * 20, range(20))))
    -0.16 to 0.16
    """
    data = _units(differences)
    return moves_interval(float(data.mean()), unit_moves(data, units), confidence, difference=True)


def moves_interval(
    value: float, moves: np.ndarray, confidence: float = 0.95, *, difference: bool = False
) -> tuple[float, float]:
    """Student's t interval of a mean from how far each independent unit moves it.

    Args:
        value: the mean, or a weighted sum of means.
        moves: [G] by how much each unit moves it from what it would be if the unit were average;
            they add up to 0.
        confidence: in (0, 1).
        difference: the value is a difference of two shares, in [-1, 1]; else a share, in [0, 1].
    """
    n = len(moves)
    if n < 2 or np.allclose(moves, 0):
        ends = wilson_interval(min(1.0, abs(value)) * n, n, confidence)
        if not difference or value > 0:
            return ends
        return -ends[1], -ends[0] if value < 0 else ends[1]
    error = math.sqrt(n / (n - 1) * float(moves @ moves))
    half = float(stdtrit(n - 1, 0.5 + confidence / 2)) * error
    return max(-1.0 if difference else 0.0, value - half), min(1.0, value + half)


FEW = 10
"""Of fewer units drawing them again shows too little of what others are like."""
SAME = 1e-13
"""Rounding alone makes shares differ by so much."""


def drawn_interval(
    value: float, drawn: np.ndarray, n: int, confidence: float = 0.95
) -> tuple[float, float]:
    """The interval of a share from what it is when its units are drawn again, with replacement.

    The percentiles of the draws. Of few units these lie too close together (Hesterberg 2015, The
    American Statistician 69), and where all units agree, they are one point, which is no certainty:
    three items that agree say little of a fourth. Of fewer than ``FEW`` units, or where no draw
    differs, it is Wilson's, as if each unit were one case, all right or all wrong. Numbers in
    [0, 1] with the mean p vary by p (1 - p) at most (Bhatia and Davis 2000, American Mathematical
    Monthly 107), and such cases do; so it is rather too wide.

    Args:
        value: the share of all units together, in [0, 1].
        drawn: [R], the share in each draw; a draw in which it is undefined has a NaN.
        n: of how many independent units.
        confidence: in (0, 1).

    Returns:
        the lower and the upper end, both in [0, 1].

    >>> "{:.2f} to {:.2f}".format(*drawn_interval(1.0, np.ones(2000), n=3))
    '0.44 to 1.00'
    """
    low, high = np.nanquantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    if n < FEW or np.nanmax(drawn) - np.nanmin(drawn) < SAME:
        return wilson_interval(min(1.0, max(0.0, value)) * n, n, confidence)
    return float(low), float(high)


def unit_moves(values: np.ndarray, units: Sequence[Hashable]) -> np.ndarray:
    """By how much each unit moves the mean of the values: [G], for ``moves_interval``.

    Args:
        values: [B].
        units: [B], what tells the units apart.

    Raises:
        ValueError: there is not one unit a value.
    """
    if len(units) != len(values):
        raise ValueError(f"got {len(values)} values and {len(units)} units: expected one a value")
    place = {unit: i for i, unit in enumerate(dict.fromkeys(units))}
    member = [place[unit] for unit in units]
    sums, sizes = np.bincount(member, values), np.bincount(member)
    return (sums - values.mean() * sizes) / len(values)


def linked(*keys: Sequence[Hashable | None]) -> list[int]:
    """Numbers that are the same for cases that share a key, directly or by way of others.

    Args:
        keys: each [B]; None shares nothing.

    >>> linked(["p", "p", "q", "r"], [None, "x", "x", None])
    [0, 0, 0, 3]
    """
    parent = list(range(len(keys[0])))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for column in keys:
        first: dict[Hashable, int] = {}
        for i, key in enumerate(column):
            if key is not None:
                a, b = sorted((root(first.setdefault(key, i)), root(i)))
                parent[b] = a
    return [root(i) for i in range(len(parent))]


def _units(values: Sequence[float]) -> np.ndarray:
    data = np.asarray(values, dtype=float)
    if data.ndim != 1 or not len(data) or np.isnan(data).any():
        raise ValueError(f"need a non-empty list of numbers, got {values!r}")
    return data
