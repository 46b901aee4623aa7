"""How well rewards rank pairs, and how they say so. Arrays in, floats out."""

from __future__ import annotations

from typing import Any

import numpy as np


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
    """Mean of (1 - p)^2, p = sigmoid(r+ - r-): how far the probability is from 1.

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


def _two(first: Any, second: Any) -> tuple[np.ndarray, np.ndarray]:
    a, b = (to_array(v) for v in (first, second))
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise ValueError(f"need two non-empty vectors of one length, got {a.shape} and {b.shape}")
    if np.isnan(a).any() or np.isnan(b).any():
        raise ValueError("a reward is NaN, so no ranking can be read from it")
    return a, b


def _probability(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, b - a))


def to_array(values: Any) -> np.ndarray:
    """A tensor (wherever it is, whatever its type), an array or a list as an array of float64."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().double().numpy()
    return np.asarray(values, dtype=np.float64)
