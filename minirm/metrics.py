"""Numbers that judge rewards, and their intervals. Plain arrays in, plain floats out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from scipy.special import stdtrit


def accuracy(chosen: Any, rejected: Any) -> float:
    """Share of pairs with r+ > r-, a tie counting one half.

    So a model that gives every response the same reward scores exactly 0.5, as it should.

    Args:
        chosen: [B], r+ of each pair: a tensor, an array or a list.
        rejected: [B], r- of each pair.

    Raises:
        ValueError: the two differ in length, are empty or hold a NaN.

    >>> accuracy([2.0, 1.0, 0.0], [1.0, 1.0, 5.0])
    0.5
    """
    a, b = _two(chosen, rejected)
    return float(np.mean((a > b) + 0.5 * (a == b)))


def normalised_margin(chosen: Any, rejected: Any, *, signed: bool = False) -> float:
    """Mean of |r+ - r-| over the standard deviation of all 2B rewards pooled.

    It is blind to sign: a pair ranked the wrong way round with confidence counts as a large
    margin. For rewards drawn independently from one Gaussian it is 2 / sqrt(pi) = 1.13
    (signed: 0). Constant rewards give 0.

    Args:
        chosen: [B], r+ of each pair.
        rejected: [B], r- of each pair.
        signed: take the mean of r+ - r- instead of its size.

    Raises:
        ValueError: as by ``accuracy``.
    """
    a, b = _two(chosen, rejected)
    spread = np.concatenate([a, b]).std(ddof=1)
    difference = (a - b) if signed else np.abs(a - b)
    return float(difference.mean() / (spread + 1e-8))


def brier_score(chosen: Any, rejected: Any) -> float:
    """Mean of (1 - p)^2, p = sigmoid(r+ - r-): how far Bradley-Terry's probability of the
    preferred response is from 1.

    0 is perfect, 0.25 what constant rewards give. The probability is the one that the loss of
    explicit and implicit rewards fits; a generative reward was not trained to be read like this.

    Args:
        chosen: [B], r+ of each pair.
        rejected: [B], r- of each pair.

    Raises:
        ValueError: as by ``accuracy``.
    """
    return float(np.mean((1 - _probability(*_two(chosen, rejected))) ** 2))


def calibration_error(chosen: Any, rejected: Any, *, bins: int = 10) -> float:
    """Expected calibration error of p = sigmoid(r+ - r-), in [0, 1].

    The confidence max(p, 1 - p) in the response ranked first is cut into ``bins`` of equal width
    over [0.5, 1]; the error is the mean over pairs of |accuracy - mean confidence| of their bin.
    A tie is right by one half.

    Args:
        chosen: [B], r+ of each pair.
        rejected: [B], r- of each pair.
        bins: how many.

    Raises:
        ValueError: as by ``accuracy``.
    """
    a, b = _two(chosen, rejected)
    p = _probability(a, b)
    confidence = np.maximum(p, 1 - p)
    right = (a > b) + 0.5 * (a == b)
    place = np.minimum((2 * (confidence - 0.5) * bins).astype(int), bins - 1)
    gaps = np.bincount(place, right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(a))


def win_rate(first: Any, second: Any, *, tie: float = 0.0) -> float:
    """Share of evaluations that ``first`` wins over ``second``, a tie counting one half.

    Args:
        first: [E], one model's accuracies on E evaluations.
        second: [E], another's on the same ones.
        tie: accuracies at most this far apart count as a tie.

    Raises:
        ValueError: as by ``accuracy``.
    """
    a, b = _two(first, second)
    tied = np.abs(a - b) <= tie
    return float(np.mean(np.where(tied, 0.5, a > b)))


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


def _two(first: Any, second: Any) -> tuple[np.ndarray, np.ndarray]:
    a, b = (np.asarray(_to_cpu(v), dtype=np.float64) for v in (first, second))
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise ValueError(f"need two non-empty vectors of one length, got {a.shape} and {b.shape}")
    if np.isnan(a).any() or np.isnan(b).any():
        raise ValueError("a reward is NaN, so no ranking can be read from it")
    return a, b


def _probability(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, b - a))


def _to_cpu(values: Any) -> Any:
    return values.detach().cpu().double().numpy() if hasattr(values, "detach") else values
