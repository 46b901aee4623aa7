"""How much of a reward is meaning: an analysis of variance over openings and phrases.

One prompt is answered in every combination of an opening ("My response would be") and a phrase
("certainly", "nope"). Within a prompt the variance of the reward falls into four parts that add up:

    meaning      whether the phrase is right or wrong
    words        which phrase it is, beyond that
    opening      which opening stands before it
    interaction  what only the combination explains

The share of meaning says how steady a reward is under rewording. It says nothing of sign: a reward
that prefers every wrong phrase has a share of one. So the gap and the accuracies stand beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minirm.metrics.intervals import drawn_interval
from minirm.metrics.ranking import to_array

RESAMPLES = 2000


@dataclass(frozen=True)
class MeaningShare:
    """Shares of a reward's variance within prompts, and what has to stand beside them.

    Args:
        meaning: share of right against wrong; the four shares add up to 1.
        words: share of single phrases, beyond being right or wrong.
        opening: share of the openings.
        interaction: the rest.
        gap: mean reward of the right phrases minus that of the wrong ones, in units of reward.
        right: share of prompts whose own gap is positive, a tie counting one half.
        interval: 95 % of ``meaning``, prompts drawn again with replacement
            (``intervals.drawn_interval``).
        prompts: how many were used.
        missing: cells without a reward, and the rest of their rows, which were left out.
        noise: what independent noise, with no structure at all, gives ``meaning`` on average.
    """

    meaning: float
    words: float
    opening: float
    interaction: float
    gap: float
    right: float
    interval: tuple[float, float]
    prompts: int
    missing: int
    noise: float


def meaning_share(rewards: Any, right: Sequence[bool], *, seed: int = 0) -> MeaningShare:
    """Split the variance of rewards on a grid of opening and phrase.

    Each prompt's grid r [P, W] is centred by its own mean, and so are the means of its rows and
    columns (two-way analysis of variance; the columns' part is split once more, by ``right``). The
    sums of squares are added over prompts and then divided by their total. Of independent noise
    each part has the share of its degrees of freedom: ``meaning`` 1 / (P W - 1).

    An opening of which any phrase has no reward (NaN) is left out for that prompt, and a prompt
    with fewer than two whole openings is left out altogether; ``missing`` counts their cells.

    Args:
        rewards: [N, P, W], of N prompts, P >= 2 openings and W >= 2 phrases.
        right: [W], whether the phrase says the right thing; some do and some do not.
        seed: of the interval's draws.

    Raises:
        ValueError: the shapes do not go together, nothing whole is left, or every reward of a
            prompt is the same in all of them, so that there is no variance to split.

    >>> reward = [[[2.0, -2.0], [3.0, -1.0]]]  # the second opening adds 1, the right phrase 4
    >>> share = meaning_share(reward, [True, False])
    >>> print(f"{share.meaning:.2f} meaning, {share.opening:.2f} opening, gap {share.gap:.0f}")
    0.94 meaning, 0.06 opening, gap 4
    """
    grid, says = _grid(rewards, right)
    parts, gaps, sizes = [], [], []
    for cells in grid:
        whole = cells[~np.isnan(cells).any(axis=1)]
        if len(whole) >= 2:
            parts.append(_split(whole, says))
            gaps.append(whole[:, says].mean() - whole[:, ~says].mean())
            sizes.append(whole.size)
    if not parts:
        raise ValueError("no prompt has two openings in which every phrase has a reward")
    squares, gap = np.array(parts), np.array(gaps)
    if not squares.sum() > 0:
        raise ValueError("all rewards of a prompt are equal: there is no variance to split")
    meaning, words, opening, interaction = (squares.sum(0) / squares.sum()).tolist()
    return MeaningShare(
        meaning=meaning,
        words=words,
        opening=opening,
        interaction=interaction,
        gap=float(gap.mean()),
        right=float(np.mean((gap > 0) + 0.5 * (gap == 0))),
        interval=drawn_interval(meaning, _resampled(squares, seed), len(squares)),
        prompts=len(parts),
        missing=int(grid.size - sum(sizes)),
        noise=float(np.mean([1 / (size - 1) for size in sizes])),
    )


def opening_accuracies(rewards: Any, right: Sequence[bool]) -> np.ndarray:
    """Accuracy for every ordered pair of openings: a distribution in place of one comparison.

    Args:
        rewards: [N, P, W], as for ``meaning_share``, none missing.
        right: [W], whether the phrase says the right thing.

    Returns:
        [P, P]: in row a and column b the share of comparisons, over prompts, right phrases and
        wrong phrases, in which a right phrase after opening a beats a wrong one after b, a tie
        counting one half. On the diagonal both sides have the same opening; exchanging the two
        openings of a pair transposes it.

    Raises:
        ValueError: as ``meaning_share``, or a reward is missing.
    """
    grid, says = _grid(rewards, right)
    if np.isnan(grid).any():
        raise ValueError(f"{int(np.isnan(grid).sum())} of the {grid.size} rewards are missing")
    yes, no = grid[:, :, None, says, None], grid[:, None, :, None, ~says]
    return ((yes > no) + 0.5 * (yes == no)).mean(axis=(0, 3, 4))


def _grid(rewards: Any, right: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    grid, says = to_array(rewards), np.asarray(right)
    if grid.ndim != 3 or grid.shape[1] < 2 or says.shape != grid.shape[2:]:
        raise ValueError(
            "need rewards of [prompts, two or more openings, phrases] and one True or False a "
            f"phrase, got {grid.shape} and {says.shape}"
        )
    if says.dtype != bool or says.all() or not says.any():
        raise ValueError(f"some phrases must be right and some wrong, got {list(right)!r}")
    return grid, says


def _split(cells: np.ndarray, says: np.ndarray) -> np.ndarray:
    """Mean squares of meaning, words, opening and interaction in one prompt's [P, W]: [4]."""
    centred = cells - cells.mean()
    by_opening, by_phrase = centred.mean(1, keepdims=True), centred.mean(0, keepdims=True)
    meaning = np.where(says, by_phrase[:, says].mean(), by_phrase[:, ~says].mean())
    rest = centred - by_opening - by_phrase
    return np.array([(part**2).mean() for part in (meaning, by_phrase - meaning, by_opening, rest)])


def _resampled(squares: np.ndarray, seed: int) -> np.ndarray:
    """The share of meaning where prompts are drawn again: [R]."""
    draws = np.random.default_rng(seed).integers(0, len(squares), (RESAMPLES, len(squares)))
    sums = squares[draws].sum(1)  # [R, 4]
    totals = sums.sum(1)
    return sums[totals > 0, 0] / totals[totals > 0]
