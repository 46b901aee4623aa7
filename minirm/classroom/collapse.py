"""Checks of the chapter "The paraphrase collapse"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from minirm.classroom.checking import (
    Draw,
    WrongAnswer,
    expect_right,
    expect_tensor,
    normal,
    passed,
)


def check_grid_accuracy(accuracy: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Whether the learner's accuracy goes over all pairings within a prompt.

    Args:
        accuracy: of chosen [Y, P] and rejected [N, P]; returns [].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(chosen: Tensor, rejected: Tensor) -> Tensor:
        answer = accuracy(chosen, rejected)
        return expect_tensor(answer, (), "your accuracy", meaning="over everything")

    expect_right(
        ask, _grid, otherwise="Broadcasting [Y, 1, P] against [1, N, P] makes every pairing."
    )
    passed("Every wording of yes against every wording of no, prompt by prompt.")


def _grid(by: torch.Generator) -> Draw:
    # Few levels, so that there are ties; prompts that differ, so that mixing prompts shows.
    shift = torch.randint(-3, 4, (100,), generator=by).double()
    chosen = torch.randint(-2, 3, (4, 100), generator=by).double() + shift
    rejected = torch.randint(-3, 2, (2, 100), generator=by).double() + shift
    a, b = chosen[:, None], rejected[None]  # [Y, 1, P], [1, N, P]
    right = ((a > b).double() + 0.5 * (a == b)).mean()
    mistakes = {
        "A tie counts nothing in yours; here it counts one half, or a model that gives every "
        "answer the same reward would score 0.": (a > b).double().mean(),
        "A tie counts as right in yours; here it counts one half.": (a >= b).double().mean(),
        "That is the share of wrong pairs.": 1 - right,
        "You compare answers to different prompts. Rewards are only comparable within one "
        "prompt.": _half(chosen.flatten()[:, None], rejected.flatten()[None]),
        "You compare the mean reward of the two sides, one comparison a prompt. Every wording of "
        "yes must beat every wording of no.": _half(chosen.mean(0), rejected.mean(0)),
        "You ask that the best yes beats the best no. Every pairing counts.": _half(
            chosen.max(0).values, rejected.max(0).values
        ),
        "You ask that the worst yes beats the best no: all pairings at once. Each pairing counts "
        "by itself.": _half(chosen.min(0).values, rejected.max(0).values),
    }
    return Draw((chosen, rejected), right, mistakes)


def _half(a: Tensor, b: Tensor) -> Tensor:
    return ((a > b).double() + 0.5 * (a == b)).mean()


def check_share_by_part(share: Callable[[Tensor, int], Any]) -> None:
    """Whether the learner splits a reward into its three parts.

    Args:
        share: of token_rewards [T] and n_prefix; returns three numbers: prefix, phrase, EOS.

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(rewards: Tensor, n_prefix: int) -> Tensor:
        answer = share(rewards, n_prefix)
        if not isinstance(answer, tuple | list) or len(answer) != 3:
            raise WrongAnswer(
                "your function returned something else than three numbers: prefix, phrase, EOS"
            )
        parts = [expect_tensor(p, (), "each part", meaning="one sum each") for p in answer]
        return torch.stack(parts)

    expect_right(ask, _parts, otherwise="The three parts must add up to the whole reward.")
    passed("Prefix, phrase and EOS add up to the reward.")


def _parts(by: torch.Generator) -> Draw:
    rewards, n = normal(9, by=by), 5
    right = torch.stack([rewards[:n].sum(), rewards[n:-1].sum(), rewards[-1]])
    mistakes = {
        "The phrase swallows the EOS: the last token is a part of its own.": torch.stack(
            [rewards[:n].sum(), rewards[n:].sum(), rewards[-1]]
        ),
        "Means instead of sums: then the parts do not add up to the reward.": torch.stack(
            [rewards[:n].mean(), rewards[n:-1].mean(), rewards[-1]]
        ),
        "The prefix is one token too long.": torch.stack(
            [rewards[: n + 1].sum(), rewards[n + 1 : -1].sum(), rewards[-1]]
        ),
        "The order is prefix, phrase, EOS.": right[[1, 0, 2]],
    }
    return Draw((rewards, n), right, mistakes)


def check_meaning_share(shares: Callable[[Tensor, Tensor], Any]) -> None:
    """Whether the learner splits the variance of one grid of rewards into its four parts.

    Args:
        shares: of rewards [P, W] and right [W]; returns meaning, words, opening, interaction.

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(rewards: Tensor, right: Tensor) -> Tensor:
        answer = shares(rewards, right)
        if not isinstance(answer, tuple | list) or len(answer) != 4:
            raise WrongAnswer(
                "your function returned something else than four numbers: meaning, words, "
                "opening, interaction"
            )
        return torch.stack([expect_tensor(s, (), "each share", meaning="one") for s in answer])

    expect_right(ask, _shared, otherwise="The four shares must add up to one.")
    passed("Meaning, words, opening and interaction add up to the whole.")


def _shared(by: torch.Generator) -> Draw:
    openings, right = 5, torch.tensor([True, True, True, False, False])
    rewards = 2 * normal(openings, 5, by=by) + 3 * normal(openings, 1, by=by) + 4
    rewards = rewards + 3 * normal(1, 5, by=by) + 4 * right

    def shares(grid: Tensor, centre: Tensor) -> Tensor:
        c = grid - centre
        row, column = c.mean(1, keepdim=True), c.mean(0, keepdim=True)
        side = torch.where(right, column[:, right].mean(), column[:, ~right].mean())[None]
        parts = [side, column - side, row, c - row - column + c.mean()]
        return torch.stack([(part.expand_as(c) ** 2).mean() for part in parts])

    squares = shares(rewards, rewards.mean())
    whole = squares / squares.sum()
    raw = shares(rewards, torch.tensor(0.0, dtype=rewards.dtype))
    mistakes = {
        "Centre the grid by its own mean first: the level of a prompt is no part of any share.": raw
        / raw.sum(),
        "Squares, not roots: variances add up, standard deviations do not.": squares.sqrt()
        / squares.sqrt().sum(),
        "These are sizes, not shares yet: divide by the mean square of the centred grid.": squares,
        "Your words still hold the meaning: take the mean of the side away from each column.": (
            torch.stack([squares[0], squares[0] + squares[1], *squares[2:]]) / squares.sum()
        ),
        "The order is meaning, words, opening, interaction.": whole[[0, 2, 1, 3]],
    }
    return Draw((rewards, right), whole, mistakes)
