"""Checks of the chapter "Inside the trainer"."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from minirm.classroom.checking import expect_tensor, expect_value, generator, passed


def check_block_mask(mask: Callable[[int, Sequence[int]], Tensor]) -> None:
    """``mask(n_prompt, n_answers)``: whether row may look at column, [T, T] bool."""
    n_prompt, n_answers = _lengths()
    segment = _segments(n_prompt, n_answers)
    size, looks, seen = len(segment), segment[:, None], segment[None]
    answer = expect_tensor(
        mask(n_prompt, list(n_answers)), (size, size), "your mask", meaning="tokens by tokens"
    )
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
    expect_value(
        answer, allowed * causal, mistakes, otherwise="Go through it token by token: who is before?"
    )
    passed("Every answer sees the prompt and itself, up to here.")


def check_restarted_positions(positions: Callable[[int, Sequence[int]], Tensor]) -> None:
    """``positions(n_prompt, n_answers)``: the positions of a shared row, [T]."""
    n_prompt, n_answers = _lengths()
    segment = _segments(n_prompt, n_answers)
    inside = torch.cat([torch.arange(n) for n in (n_prompt, *n_answers)])
    in_answer, shape = (segment > 0).long(), (len(segment),)
    right = inside + n_prompt * in_answer
    answer = expect_tensor(
        positions(n_prompt, list(n_answers)), shape, "your positions", meaning="one a token"
    )
    mistakes = {
        "They count on through the row: to the model the second answer is far from the prompt.": (
            torch.arange(len(segment))
        ),
        "Your answers start at 0, where the prompt starts; they follow it.": inside,
        "One too far: the prompt ends at n_prompt - 1.": right + in_answer,
        "One too early: that place is the prompt's last token's.": right - in_answer,
        "Counting starts at 0.": right + 1,
    }
    expect_value(answer, right, mistakes, otherwise="Where would each stand in a row of its own?")
    passed("Each answer believes that it follows the prompt.")


def _lengths() -> tuple[int, list[int]]:
    """Of a prompt and of three answers."""
    order = torch.randperm(3, generator=generator())
    return 4, torch.tensor([2, 3, 5])[order].tolist()


def _segments(n_prompt: int, n_answers: Sequence[int]) -> Tensor:
    sizes = torch.tensor([n_prompt, *n_answers])
    return torch.repeat_interleave(torch.arange(len(sizes)), sizes)
