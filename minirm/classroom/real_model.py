"""Checks of the chapter "A real language model"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from minirm.classroom.checking import Draw, expect_right, expect_tensor, normal, passed


def check_additive_accuracy(accuracy: Callable[[Tensor, Tensor, Tensor], Any]) -> None:
    """Whether the learner has the accuracy of a reward that adds up opening and phrase.

    Args:
        accuracy: of what each opening adds [P], what each phrase adds [W], and whether the phrase
            is right [W]; returns one number.

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(*inputs: Tensor) -> Tensor:
        answer = accuracy(*inputs)
        return expect_tensor(answer, (), "your accuracy", meaning="over everything")

    expect_right(
        ask, _additive, otherwise="Two openings and a right answer of each against a wrong one."
    )
    passed("Phrases with the right sign are no help where openings differ by more than they do.")


def _additive(by: torch.Generator) -> Draw:
    openings, phrases = normal(5, by=by), normal(4, by=by, scale=0.7)
    right = torch.tensor([True, True, False, False])[torch.randperm(4, generator=by)]
    phrases[right] += 0.5
    gap = phrases[right][:, None] - phrases[~right]  # [Y, M]
    wins = (openings[:, None, None, None] - openings[:, None, None] + gap > 0).double()
    table = wins.mean((2, 3))  # [P, P]
    apart = ~torch.eye(5, dtype=torch.bool)
    mistakes = {
        "An opening against itself is no pair of two openings.": table.mean(),
        "That is the accuracy with the same opening on both sides.": (gap > 0).double().mean(),
        "That is how often the wrong answer wins.": 1 - table[apart].mean(),
        "Each pair of openings has two orders, and you asked in one.": table[apart.triu()].mean(),
        "You averaged the phrases before you compared. A comparison has one phrase a side.": (
            openings[:, None] - openings + gap.mean() > 0
        )[apart]
        .double()
        .mean(),
    }
    return Draw((openings, phrases, right), table[apart].mean(), mistakes)


def check_rounding_ties(share: Callable[[Tensor], Any]) -> None:
    """Whether the learner finds the weights that lie half way between two bfloat16 numbers.

    Args:
        share: of weights [N] in float32; returns one number.

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(weights: Tensor) -> Tensor:
        return expect_tensor(share(weights), (), "your share", meaning="of all weights")

    expect_right(
        ask, _ties, otherwise="Try 1 + 2**-8, which is a tie, and 1 + 2**-7, which is not."
    )
    passed("The smallest step of training decides which way such a weight is rounded.")


def _ties(by: torch.Generator) -> Draw:
    kinds = torch.tensor([0x8000, 0x0000, 0x8001, 0x1000, 0x9000, 0x4321])  # lower halves
    counts = torch.randint(2, 30, (len(kinds),), generator=by)
    lower = kinds.repeat_interleave(counts)
    upper = torch.randint(0x3E00, 0x4000, (len(lower),), generator=by)
    weights = (upper * 0x10000 + lower).to(torch.int32)[torch.randperm(len(lower), generator=by)]
    low, values = weights & 0xFFFF, weights.view(torch.float32)
    mistakes = {
        "Those are all weights that rounding changes, by however little.": low != 0,
        "Those are the weights that bfloat16 holds exactly.": low == 0,
        "Those lie half way or beyond it.": low >= 0x8000,
        "Those are ties of float16, which cuts off 13 bits.": (low & 0x1FFF) == 0x1000,
    }
    found = {hint: where.double().mean() for hint, where in mistakes.items()}
    right = (low == 0x8000).double()
    found["That is how many there are, not which share."] = right.sum()
    return Draw((values,), right.mean(), found)
