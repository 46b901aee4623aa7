"""Rewards at equal length: what is left of a ranking when longer or shorter answers gain nothing.

Two ways, neither of which looks at which answer was chosen. The one keeps the pairs whose answers
are about as long as each other, and changes no reward; few pairs are left. The other keeps every
pair and takes out of the reward what goes linearly with length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minirm.metrics.ranking import to_array

TOLERANCE = 0.1


@dataclass(frozen=True)
class LengthFree:
    """Rewards with their length taken out, and how much that was.

    Args:
        rewards: as they were given, minus ``slope`` times the length.
        slope: reward per unit of length, one for all prompts.
        correlation: of reward and length within prompts, in [-1, 1]; 0 where either is constant.
    """

    rewards: np.ndarray
    slope: float
    correlation: float


def length_free(rewards: Any, lengths: Any) -> LengthFree:
    """Take out of rewards what goes with length within prompts.

    With r and l the reward and the length of an answer less the means of its prompt, the slope is
    sum(r l) / sum(l l) over all answers of all prompts: the within estimator of a slope that all
    prompts share while each has an intercept of its own. For two answers a prompt it is the
    regression of the difference of the rewards on that of the lengths, through the origin.
    Exchanging the two answers of a pair changes nothing, so no label enters.

    Regressing length out of a preference is the idea of length-controlled AlpacaEval (Dubois et
    al., arXiv 2404.04475), which fits it to a judge's verdicts; here no verdict is needed.

    Args:
        rewards: [N, ...], of N prompts with the same number of answers each.
        lengths: the same shape, say in tokens.

    Raises:
        ValueError: the shapes differ, a prompt has fewer than two answers, or a number is not
            finite.

    >>> found = length_free([[3.0, 1.0], [2.0, 5.0]], [[30, 10], [10, 30]])
    >>> print(f"{found.slope:.3f}", found.rewards.tolist())
    0.125 [[-0.75, -0.25], [0.75, 1.25]]
    """
    reward, length = to_array(rewards), to_array(lengths)
    if reward.shape != length.shape or reward.ndim < 2 or reward[0].size < 2:
        raise ValueError(
            "need rewards and lengths of [prompts, two or more answers], got "
            f"{reward.shape} and {length.shape}"
        )
    if not (np.isfinite(reward).all() and np.isfinite(length).all()):
        raise ValueError("a reward or a length is not a finite number")
    r, x = within(reward), within(length)
    rx, xx, rr = float((r * x).sum()), float((x * x).sum()), float((r * r).sum())
    slope = rx / xx if xx else 0.0
    correlation = rx / np.sqrt(xx * rr) if xx and rr else 0.0
    return LengthFree(reward - slope * length, slope, float(correlation))


def equally_long(first: Any, second: Any, *, tolerance: float = TOLERANCE) -> np.ndarray:
    """Which pairs have answers of about one length: [B], True or False.

    Args:
        first: [B], lengths of the one answer.
        second: [B], of the other.
        tolerance: the largest difference, as a share of the longer answer.

    >>> equally_long([100, 100], [90, 89]).tolist()
    [True, False]
    """
    a, b = to_array(first), to_array(second)
    return np.abs(a - b) <= tolerance * np.maximum(a, b)


def within(values: np.ndarray) -> np.ndarray:
    """Each prompt's numbers less their mean: [N, ...]."""
    return values - values.mean(axis=tuple(range(1, values.ndim)), keepdims=True)
