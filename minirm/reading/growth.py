"""A reward while its answer grows: what is said of each beginning, token by token.

Of an explicit reward it is what the head says of each state; of an implicit one the sum of the
log-ratios so far. Both were trained to be read at the end: what stands before is not wrong there,
but tells where in an answer the reward comes from.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch

from minirm.batches import Rows, like_batches
from minirm.encoding import Encoded
from minirm.metrics.intervals import cluster_interval
from minirm.metrics.jackknife import jackknife_interval, summed
from minirm.progress import progress_bar
from minirm.reward_model import RewardModel
from minirm.rewards import ExplicitRM, ImplicitRM

Ends = tuple[float, float]
FRACTIONS = (0.1, 0.25, 0.5, 0.75, 1.0)
EDGES = (0, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
"""Positions are put together from one to the next."""
FEWEST = 5
"""Answers that a range of positions must have to be shown."""


def has_beginnings(model: RewardModel) -> bool:
    """Whether a reward can be read before an answer ends; a generative one is asked afterwards."""
    return isinstance(model, ExplicitRM | ImplicitRM)


@torch.no_grad()
def prefix_rewards(
    model: RewardModel, sequences: Sequence[Encoded], *, batch_size: int = 64
) -> list[np.ndarray]:
    """The reward of each answer's first token, first two tokens, ... and of all of them: [N] each.

    Args:
        model: an explicit or an implicit reward.
        sequences: as ``model.encode`` returns them.
        batch_size: how many run together.

    Raises:
        TypeError: a generative reward, which says nothing of beginnings.
    """
    if not has_beginnings(model):
        raise TypeError(f"{type(model).__name__} gives no reward to the beginning of an answer")
    batches = list(like_batches(list(map(len, sequences)), [1] * len(sequences), batch_size))
    found: dict[int, np.ndarray] = {}
    for batch in progress_bar(batches, desc="token by token"):
        rows = model.rows([sequences[i] for i in batch])
        found |= zip(batch, _split(model, rows), strict=True)
    return [found[i] for i in range(len(sequences))]


def _split(model: RewardModel, rows: Rows) -> Iterator[np.ndarray]:
    # Each response token as a sequence of its own: what the head says there, or its log-ratio.
    alone = torch.arange(len(rows.target), device=rows.target.device)
    steps = model.rewards(replace(rows, sequence=alone, last=rows.position)).double().cpu()
    for piece in steps.split(torch.bincount(rows.sequence).tolist()):
        if isinstance(model, ImplicitRM):
            piece = piece.cumsum(0)
        elif isinstance(model, ExplicitRM) and model.pooling == "mean":
            piece = piece.cumsum(0) / torch.arange(1, len(piece) + 1)
        yield piece.numpy()


@dataclass(frozen=True)
class Grown:
    """How well answers are ranked by a part of them.

    Attributes:
        fraction: of each answer's tokens that are read.
        accuracy: of the rewards of the beginnings.
        interval: 95 % of it.
    """

    fraction: float
    accuracy: float
    interval: Ends


def grown(
    chosen: Sequence[np.ndarray], rejected: Sequence[np.ndarray], units: Sequence[Hashable]
) -> list[Grown]:
    """Accuracy by beginnings, from what ``prefix_rewards`` gave of both sides of B pairs.

    >>> [step] = [
    ...     s
    ...     for s in grown([np.array([0.0, 3.0])], [np.array([1.0, 2.0])], "a")
    ...     if s.fraction == 0.5
    ... ]
    >>> step.accuracy
    0.0
    """
    found = []
    for fraction in FRACTIONS:
        margin = np.array([_at(c, fraction) - _at(r, fraction)
                           for c, r in zip(chosen, rejected, strict=True)])  # fmt: skip
        right = (np.sign(margin) + 1) / 2
        ends = cluster_interval(right.tolist(), units)
        found.append(Grown(fraction, float(right.mean()), ends))
    return found


def _at(values: np.ndarray, fraction: float) -> float:
    return float(values[max(0, int(np.ceil(fraction * len(values) - 1e-9)) - 1)])


@dataclass(frozen=True)
class Drift:
    """A number of the tokens in a range of positions.

    Attributes:
        first: position in the answer of the first token, counted from 1.
        last: of the last.
        answers: how many answers reach there.
        mean: over the tokens in the range.
        interval: 95 % of it; None of fewer than three units, or few that all agree.
    """

    first: int
    last: int
    answers: int
    mean: float
    interval: Ends | None


def drift(values: Sequence[np.ndarray], units: Sequence[Hashable]) -> list[Drift]:
    """Means by position, over the tokens of B answers; ranges that few answers reach are left out.

    Args:
        values: [B] arrays, one number a token.
        units: [B], what tells independent answers apart.

    >>> [(d.first, d.last, d.mean) for d in drift([np.array([1.0, 3.0])] * 5, range(5))]
    [(1, 4, 2.0)]
    """
    found = []
    for start, end in pairwise(EDGES):
        parts = [v[start:end] for v in values]
        reach = [i for i, part in enumerate(parts) if len(part)]
        if len(reach) < FEWEST:
            break
        data = np.array([[parts[i].sum(), len(parts[i])] for i in reach])
        sums = summed(data, [units[i] for i in reach])
        ends = jackknife_interval(sums, lambda total: total[:, 0] / total[:, 1])
        mean = float(data[:, 0].sum() / data[:, 1].sum())
        found.append(Drift(start + 1, end, len(reach), mean, ends))
    return found
