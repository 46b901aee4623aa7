"""How much of a reward survives rewording: real answers, each in several wordings.

To one prompt there are two answers, and each was said in P wordings (as it was, paraphrased,
translated). Within a prompt the variance of the reward falls into four parts that add up:

    length     what goes linearly with an answer's length, with one slope for all prompts
    content    which of the two answers it is, in whatever wording
    wording    in which wording, whichever answer
    rest       what only the combination explains

The share of content says how steady a reward is under rewording. It says nothing of sign, and
length alone has a large one: the accuracies stand beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minirm.metrics.intervals import drawn_interval
from minirm.metrics.lengths import within
from minirm.metrics.ranking import to_array

RESAMPLES = 2000
PARTS = ("length", "content", "wording", "rest")


@dataclass(frozen=True)
class WordingShare:
    """Shares of a reward's variance within prompts; the four add up to 1.

    Args:
        length: share of the answer's length; 0 where no lengths were given.
        content: share of which answer it is, beyond its length.
        wording: share of the wording, beyond its length.
        rest: what is left.
        intervals: 95 % of each part by its name, prompts drawn again with replacement and the
            slope fitted anew (``intervals.drawn_interval``).
        prompts: how many were used.
    """

    length: float
    content: float
    wording: float
    rest: float
    intervals: dict[str, tuple[float, float]]
    prompts: int


def wording_share(rewards: Any, lengths: Any = None, *, seed: int = 0) -> WordingShare:
    """Split the variance of rewards on a grid of wording and answer.

    Without lengths the parts are those of ``meaning_share`` with one right and one wrong phrase
    (meaning is content, opening is wording, interaction is rest). With lengths, one slope is
    fitted within prompts, as in ``length_free``; what it explains is one part, and what it leaves
    is split. The fit and what it leaves are orthogonal, so the parts still add up.

    Args:
        rewards: [N, P, 2], of N prompts, P >= 2 wordings and two answers; a prompt with a NaN is
            left out.
        lengths: the same shape, or None.
        seed: of the intervals' draws.

    Raises:
        ValueError: the shapes are others, no prompt is whole, or there is no variance to split.

    >>> share = wording_share([[[3.0, -1.0], [1.0, -3.0]]])  # the answer 4, the wording 2
    >>> print(f"content {share.content:.2f}, wording {share.wording:.2f}")
    content 0.80, wording 0.20
    """
    grid = to_array(rewards)
    size = np.zeros_like(grid) if lengths is None else to_array(lengths)
    if grid.ndim != 3 or grid.shape[1] < 2 or grid.shape[2] != 2 or size.shape != grid.shape:
        raise ValueError(
            "need rewards of [prompts, two or more wordings, two answers] and as many lengths, "
            f"got {grid.shape} and {size.shape}"
        )
    whole = ~(np.isnan(grid) | np.isnan(size)).any(axis=(1, 2))
    if not whole.any():
        raise ValueError("no prompt has a reward for both answers in every wording")
    r, x = _parts(grid[whole]), _parts(size[whole])
    # The parts of r - b x follow from three sums of products a prompt, whatever b is.
    sums = np.stack([(a * b).sum((2, 3)) for a, b in ((r, r), (r, x), (x, x))])  # [3, 3, N]
    if not sums[0].sum() > 0:
        raise ValueError("all rewards of a prompt are equal: there is no variance to split")
    draws = np.random.default_rng(seed).integers(0, sums.shape[2], (RESAMPLES, sums.shape[2]))
    drawn = _shares(sums[:, :, draws].sum(-1))
    found = dict(zip(PARTS, _shares(sums.sum(-1)[:, :, None])[:, 0].tolist(), strict=True))
    prompts = int(whole.sum())
    intervals = {
        name: drawn_interval(found[name], drawn[i], prompts) for i, name in enumerate(PARTS)
    }
    if lengths is None:
        intervals["length"] = (0.0, 0.0)  # not found to be, but by definition
    return WordingShare(**found, intervals=intervals, prompts=prompts)


def _parts(grid: np.ndarray) -> np.ndarray:
    """Content, wording and rest of [N, P, 2], less each prompt's mean: [3, N, P, 2]."""
    centred = within(grid)
    content, wording = centred.mean(1, keepdims=True), centred.mean(2, keepdims=True)
    rest = centred - content - wording
    return np.stack([np.broadcast_to(part, grid.shape) for part in (content, wording, rest)])


def _shares(sums: np.ndarray) -> np.ndarray:
    """Sums of products [rr, rx, xx] of the three parts, [3, 3, R], as four shares: [4, R]."""
    rr, rx, xx = sums
    of_length = xx.sum(0)
    slope = np.divide(rx.sum(0), of_length, out=np.zeros_like(of_length), where=of_length > 0)
    total = rr.sum(0)
    left = rr - 2 * slope * rx + slope**2 * xx
    with np.errstate(invalid="ignore", divide="ignore"):  # draws without variance: NaN
        return np.concatenate([[slope**2 * of_length], left]) / total
