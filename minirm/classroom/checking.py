"""What all exercise checks share. Compare an answer with the right one and with wrong ones.

A check never shows the right value: a hint names the mistake, not its repair.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


class WrongAnswer(AssertionError):
    """An exercise is not solved yet; the message is a hint.

    IPython prints the hint alone: the frames of the check would only be in the way.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"Not yet. {self}"]


@contextmanager
def attempt() -> Iterator[None]:
    """Let a notebook run on past an exercise that nobody has written yet.

    Only ``NotImplementedError`` is caught, and said in one line.
    """
    try:
        yield
    except NotImplementedError:
        print("Not written yet: fill in the function and run this cell again.")


def generator() -> torch.Generator:
    """Fresh randomness that leaves the reader's own seeds alone."""
    fresh = torch.Generator()
    fresh.seed()
    return fresh


def normal(*shape: int, by: torch.Generator, scale: float = 1.0) -> Tensor:
    """Normal numbers of that shape in float64: mean 0, standard deviation ``scale``."""
    return scale * torch.randn(*shape, generator=by, dtype=torch.float64)


def expect_tensor(answer: Any, shape: tuple[int, ...], name: str, *, meaning: str) -> Tensor:
    """``answer`` as a tensor of that shape; a plain number will do where one is asked for.

    Raises:
        WrongAnswer: it is of another type or shape; says what was given and what was expected.
    """
    wanted = f"{meaning}, shape {_shape(shape)}"
    if answer is None:
        raise WrongAnswer(f"{name} returned None: does it end in a return?")
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        answer = torch.tensor(float(answer), dtype=torch.float64)
    if not isinstance(answer, Tensor):
        raise WrongAnswer(f"{name} returned {type(answer).__name__}, expected a tensor: {wanted}.")
    if answer.shape != shape:
        raise WrongAnswer(f"{name} has shape {_shape(tuple(answer.shape))}, expected {wanted}.")
    return answer.detach().double().cpu()


def expect_value(
    answer: Tensor, right: Tensor, mistakes: Mapping[str, Tensor], *, otherwise: str
) -> None:
    """Pass where ``answer`` is right; else raise the hint of the mistake whose value it has.

    Args:
        mistakes: hint -> what somebody who makes this mistake would have returned.
        otherwise: the hint where the answer matches none of them.
    """
    if is_close(answer, right):
        return
    if not torch.isfinite(answer).all():
        raise WrongAnswer(f"Not every value is finite. {otherwise}")
    for hint, value in mistakes.items():
        if is_close(answer, value):
            raise WrongAnswer(hint)
    raise WrongAnswer(f"The shape is right, the values are not. {otherwise}")


def is_close(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors have one shape and, up to rounding, the same values."""
    return a.shape == b.shape and torch.allclose(a, b.double(), rtol=1e-5, atol=1e-7)


def passed(message: str) -> None:
    """Say that an answer is right."""
    print(f"Right. {message}")


def _shape(shape: tuple[int, ...]) -> str:
    if not shape:
        return "[] (one number)"
    return str(list(shape)) + (f" ({math.prod(shape)} numbers)" if len(shape) == 1 else "")
