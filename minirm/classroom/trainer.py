"""Checks of the chapter "Inside the trainer"."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from minirm.classroom.checking import Draw, expect_right, expect_tensor, passed

SIZE = 14  # tokens in a row: a prompt and three answers


def check_block_mask(mask: Callable[[int, Sequence[int]], Tensor]) -> None:
    """Whether each token of a shared row sees the prompt and its own answer, up to itself.

    Args:
        mask: of n_prompt and n_answers; returns whether row may look at column, bool [T, T].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(n_prompt: int, n_answers: list[int]) -> Tensor:
        answer = mask(n_prompt, n_answers)
        return expect_tensor(answer, (SIZE, SIZE), "your mask", meaning="tokens by tokens")

    expect_right(ask, _mask, otherwise="Go through it token by token: who is before?")
    passed("Every answer sees the prompt and itself, up to here.")


def _mask(by: torch.Generator) -> Draw:
    n_prompt, n_answers = _lengths(by)
    segment = _segments(n_prompt, n_answers)
    size, looks, seen = len(segment), segment[:, None], segment[None]
    causal = torch.ones(size, size).tril()
    allowed = ((looks == seen) | (seen == 0)).double()
    mistakes = {
        "Plain causal: in yours each answer looks at the answers before it too.": causal,
        "Nobody may look at what comes later, not in its own segment either.": allowed,
        "Rows and columns are exchanged: a row is the token that looks.": (allowed * causal).T,
        "The answers do not see the prompt in yours.": (looks == seen) * causal,
        "A token sees itself too: the diagonal is missing.": allowed * causal.tril(-1),
        "Turned round: yours is True where a token may not look.": 1 - allowed * causal,
    }
    return Draw((n_prompt, n_answers), allowed * causal, mistakes)


def check_restarted_positions(positions: Callable[[int, Sequence[int]], Tensor]) -> None:
    """Whether each answer of a shared row is counted on from the prompt.

    Args:
        positions: of n_prompt and n_answers; returns the positions, int [T].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(n_prompt: int, n_answers: list[int]) -> Tensor:
        answer = positions(n_prompt, n_answers)
        return expect_tensor(answer, (SIZE,), "your positions", meaning="one a token")

    expect_right(ask, _positions, otherwise="Where would each stand in a row of its own?")
    passed("Each answer believes that it follows the prompt.")


def _positions(by: torch.Generator) -> Draw:
    n_prompt, n_answers = _lengths(by)
    segment = _segments(n_prompt, n_answers)
    inside = torch.cat([torch.arange(n) for n in (n_prompt, *n_answers)])
    in_answer = (segment > 0).long()
    right = inside + n_prompt * in_answer
    mistakes = {
        "They count on through the row: to the model the second answer is far from the prompt.": (
            torch.arange(len(segment))
        ),
        "Your answers start at 0, where the prompt starts; they follow it.": inside,
        "One too far: the prompt ends at n_prompt - 1.": right + in_answer,
        "One too early: that place is the prompt's last token's.": right - in_answer,
        "Counting starts at 0.": right + 1,
    }
    return Draw((n_prompt, n_answers), right, mistakes)


def _lengths(by: torch.Generator) -> tuple[int, list[int]]:
    """Of a prompt and of three answers, SIZE together."""
    order = torch.randperm(3, generator=by)
    return 4, torch.tensor([2, 3, 5])[order].tolist()


def _segments(n_prompt: int, n_answers: Sequence[int]) -> Tensor:
    sizes = torch.tensor([n_prompt, *n_answers])
    return torch.repeat_interleave(torch.arange(len(sizes)), sizes)
