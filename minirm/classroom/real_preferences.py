"""Checks of the chapter "Real preferences"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from minirm.classroom.checking import Draw, expect_right, expect_tensor, normal, passed


def check_length_slope(slope: Callable[[Tensor, Tensor], Any]) -> None:
    """Whether the learner fits how a reward goes with length, within pairs and without labels.

    Args:
        slope: of rewards [B, 2] and lengths [B, 2], chosen first; returns one number.

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(*inputs: Tensor) -> Tensor:
        return expect_tensor(slope(*inputs), (), "your slope", meaning="reward per token")

    expect_right(
        ask, _length_slope, otherwise="Rewards that are 3 times the length must give exactly 3."
    )
    passed("Exchange the two answers of a pair, and the slope is what it was.")


def _length_slope(by: torch.Generator) -> Draw:
    # Prompts differ in both, and against the trend within them: pooling finds another slope.
    size = 2.0 * normal(12, 1, by=by)
    lengths = 30 + 4 * size + 6 * torch.rand(12, 2, generator=by, dtype=torch.float64)
    lengths[:, 0] += 2
    rewards = 0.2 * lengths - 3 * size + normal(12, 2, by=by)
    rewards[:, 0] += 0.8
    margin, longer = rewards[:, 0] - rewards[:, 1], lengths[:, 0] - lengths[:, 1]

    def with_intercept(x: Tensor, y: Tensor) -> Tensor:
        """The slope of y on x."""
        x, y = x - x.mean(), y - y.mean()
        return (x * y).sum() / (x * x).sum()

    both = (margin * longer).sum()
    mistakes = {
        "Your regression has an intercept. It is the mean margin at equal length, and a look at "
        "which answer was chosen: exchange the two sides of some pairs, and your slope "
        "changes.": with_intercept(longer, margin),
        "You fitted one line through all answers. Prompts differ, too: fit what happens within "
        "them.": with_intercept(lengths.flatten(), rewards.flatten()),
        "You averaged a slope for every pair. Pairs of nearly one length then count most, although "
        "they say least.": (margin / longer).mean(),
        "That is tokens per reward.": (longer * longer).sum() / both,
        "You regressed the length on the reward.": both / (margin * margin).sum(),
        "That is a correlation: it has no unit.": both
        / ((margin * margin).sum() * (longer * longer).sum()).sqrt(),
    }
    return Draw((rewards, lengths), both / (longer * longer).sum(), mistakes)


def check_prompt_share(share: Callable[[Tensor], Any]) -> None:
    """Whether the learner finds the part of a reward that needs both instruction and answer.

    Args:
        share: of rewards [B, 2, 2], of B pairs of answers the instruction and the answer; returns
            one number.

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(rewards: Tensor) -> Tensor:
        return expect_tensor(share(rewards), (), "your share", meaning="over all pairs")

    expect_right(
        ask, _prompt_share, otherwise="A reward that reads only the answer must have a share of 0."
    )
    passed("What is left is not always right: it may turn the wrong way.")


def _prompt_share(by: torch.Generator) -> Draw:
    answer, instruction, both = (normal(9, by=by, scale=s) for s in (1.0, 0.7, 0.8))
    sign = torch.tensor([1.0, -1.0], dtype=torch.float64)
    rewards = (
        normal(9, 1, 1, by=by, scale=2.0)
        + answer[:, None, None] * sign
        + instruction[:, None, None] * sign[:, None]
        + both[:, None, None] * sign[:, None] * sign
    )
    squares = torch.stack([part**2 for part in (answer, instruction, both)])
    total = squares.sum()
    mean = rewards.mean()
    mistakes = {
        "That is the answer's own share.": squares[0].sum() / total,
        "That is the share of the instruction: it is the same for both answers, and ranks "
        "nothing.": squares[1].sum() / total,
        "That is what the instruction does in all, on either answer alike or not.": squares[
            1:
        ].sum()
        / total,
        "You averaged a share for every pair. A pair about which the reward hardly says anything "
        "then counts as much as any: add up squares first, and divide once.": (
            squares[2] / squares.sum(0)
        ).mean(),
        "Pairs differ in their mean reward, which is no part of any ranking. Take it out first.": 4
        * squares[2].sum()
        / ((rewards - mean) ** 2).sum(),
    }
    return Draw((rewards,), squares[2].sum() / total, mistakes)
