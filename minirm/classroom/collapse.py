"""Checks of the chapter "The paraphrase collapse"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from minirm.classroom.checking import (
    WrongAnswer,
    expect_tensor,
    expect_value,
    generator,
    passed,
)


def check_grid_accuracy(accuracy: Callable[[Tensor, Tensor], Tensor]) -> None:
    """``accuracy(chosen [Y, P], rejected [N, P])``: over all Y * N pairings within a prompt, []."""
    by = generator()
    # Few levels, so that there are ties; prompts that differ, so that mixing prompts shows.
    shift = torch.randint(-3, 4, (400,), generator=by).double()
    chosen = torch.randint(-2, 3, (4, 400), generator=by).double() + shift
    rejected = torch.randint(-3, 2, (2, 400), generator=by).double() + shift
    answer = expect_tensor(
        accuracy(chosen.clone(), rejected.clone()), (), "your accuracy", meaning="over everything"
    )
    a, b = chosen[:, None], rejected[None]  # [Y, 1, P], [1, N, P]
    right = ((a > b).double() + 0.5 * (a == b)).mean()
    mixed_a, mixed_b = chosen.flatten()[:, None], rejected.flatten()[None]
    mistakes = {
        "A tie counts nothing in yours; here it counts one half, or a model that gives every "
        "answer the same reward would score 0.": (a > b).double().mean(),
        "A tie counts as right in yours; here it counts one half.": (a >= b).double().mean(),
        "That is the share of wrong pairs.": 1 - right,
        "You compare answers to different prompts. Rewards are only comparable within one "
        "prompt.": ((mixed_a > mixed_b).double() + 0.5 * (mixed_a == mixed_b)).mean(),
        "You compare the mean reward of the two sides, one comparison a prompt. Every wording of "
        "yes must beat every wording of no.": _half(chosen.mean(0), rejected.mean(0)),
        "You ask that the best yes beats the best no. Every pairing counts.": _half(
            chosen.max(0).values, rejected.max(0).values
        ),
        "You ask that the worst yes beats the best no: all pairings at once. Each pairing counts "
        "by itself.": _half(chosen.min(0).values, rejected.max(0).values),
    }
    expect_value(
        answer,
        right,
        mistakes,
        otherwise="Broadcasting [Y, 1, P] against [1, N, P] makes every pairing.",
    )
    passed("Every wording of yes against every wording of no, prompt by prompt.")


def check_share_by_part(share: Callable[[Tensor, int], Any]) -> None:
    """``share(token_rewards [T], n_prefix)`` -> (prefix, phrase, eos): the reward's three parts."""
    by = generator()
    rewards = torch.randn(9, generator=by, dtype=torch.float64)
    n_prefix = 5
    answer = share(rewards.clone(), n_prefix)
    if not isinstance(answer, tuple | list) or len(answer) != 3:
        raise WrongAnswer(
            "your function returned something else than three numbers: prefix, phrase, EOS"
        )
    parts = torch.stack([expect_tensor(p, (), "each part", meaning="one sum each") for p in answer])
    right = torch.stack([rewards[:n_prefix].sum(), rewards[n_prefix:-1].sum(), rewards[-1]])
    mistakes = {
        "The phrase swallows the EOS: the last token is a part of its own.": torch.stack(
            [rewards[:n_prefix].sum(), rewards[n_prefix:].sum(), rewards[-1]]
        ),
        "Means instead of sums: then the parts do not add up to the reward.": torch.stack(
            [rewards[:n_prefix].mean(), rewards[n_prefix:-1].mean(), rewards[-1]]
        ),
        "The prefix is one token too long.": torch.stack(
            [rewards[: n_prefix + 1].sum(), rewards[n_prefix + 1 : -1].sum(), rewards[-1]]
        ),
        "The order is prefix, phrase, EOS.": right[[1, 0, 2]],
    }
    expect_value(
        parts, right, mistakes, otherwise="The three parts must add up to the whole reward."
    )
    passed("Prefix, phrase and EOS add up to the reward.")


def _half(a: Tensor, b: Tensor) -> Tensor:
    return ((a > b).double() + 0.5 * (a == b)).mean()
