"""Checks of the chapter "Real preferences"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from minirm.classroom.checking import Draw, expect_right, expect_tensor, normal, passed


def check_length_out(margins: Callable[[Tensor, Tensor], Any]) -> None:
    """Whether the learner takes out of margins what goes with length, and no more than that.

    Args:
        margins: of rewards [B, 2] and lengths [B, 2], chosen first; returns [B].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(rewards: Tensor, lengths: Tensor) -> Tensor:
        answer = margins(rewards, lengths)
        return expect_tensor(answer, (len(rewards),), "your margins", meaning="one a pair")

    expect_right(
        ask, _length_out, otherwise="Rewards that are 3 times the length must leave margins of 0."
    )
    passed("Exchange the two answers of a pair, and only that pair's sign changes.")


def _length_out(by: torch.Generator) -> Draw:
    # Prompts differ in both, and against the trend within them: pooling finds another slope.
    size = 2.0 * normal(12, 1, by=by)
    lengths = 30 + 4 * size + 6 * torch.rand(12, 2, generator=by, dtype=torch.float64)
    lengths[:, 0] += 2
    rewards = 0.2 * lengths - 3 * size + normal(12, 2, by=by) + torch.tensor([0.8, 0.0])
    margin, longer = rewards[:, 0] - rewards[:, 1], lengths[:, 0] - lengths[:, 1]
    slope = (margin * longer).sum() / (longer * longer).sum()

    def over(x: Tensor, y: Tensor) -> Tensor:
        """The slope of y on x, with an intercept."""
        x, y = x - x.mean(), y - y.mean()
        return (x * y).sum() / (x * x).sum()

    spread = over(longer, margin)
    mistakes = {
        "That is the margin with length still in it.": margin,
        "Your regression has an intercept. It is the mean margin at equal length, and a look at "
        "which answer was chosen.": margin - margin.mean() - spread * (longer - longer.mean()),
        "Your slope was fitted with an intercept, which looks at which answer was chosen: exchange "
        "the two sides of some pairs, and it changes.": margin - spread * longer,
        "You fitted one line through all answers. Prompts differ, too: fit what happens within "
        "them.": margin - over(lengths.flatten(), rewards.flatten()) * longer,
        "Per token is another reward: it divides by the length, whether the reward goes with it or "
        "not.": (rewards / lengths) @ torch.tensor([1.0, -1.0], dtype=torch.float64),
    }
    return Draw((rewards, lengths), margin - slope * longer, mistakes)


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
