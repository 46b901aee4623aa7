"""What all exercise checks share. Compare an answer with the right one and with wrong ones.

A check never shows the right value: a hint names the mistake, not its repair. The same mistake gets
the same hint whatever was drawn, for only decisive draws are put to the learner.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

DRAWS = 3  # of inputs in one check: one number alone may be right by accident
TRIES = 100


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
    """Normal numbers in float64.

    Args:
        shape: of the tensor.
        by: where the randomness comes from.
        scale: their standard deviation.
    """
    return scale * torch.randn(shape, generator=by, dtype=torch.float64)


@dataclass(frozen=True)
class Draw:
    """What a learner's function is asked, and what it may answer."""

    inputs: tuple[Any, ...]
    right: Tensor
    mistakes: Mapping[str, Tensor]  # hint -> what somebody who makes this mistake would return


def decisive(draw: Callable[[torch.Generator], Draw]) -> list[Draw]:
    """Fresh draws on which the right answer and all mistakes can be told apart.

    Args:
        draw: makes one; the shapes and the hints are the same each time.

    Returns:
        DRAWS of them, of whose answers no two are near each other everywhere.

    Raises:
        RuntimeError: two hints stand for the same mistake, so that no draw tells them apart.
    """
    by = generator()
    for _ in range(TRIES):
        draws = [draw(by) for _ in range(DRAWS)]
        right, mistakes = _together(draws)
        values = torch.stack([right, *mistakes.values()]).flatten(1)
        gaps = (values[:, None] - values).abs()
        alike = (gaps <= 1e-3 * (1 + values.abs())).all(-1)
        if alike.sum() == len(values):  # each with itself
            return draws
    a, b = ((alike | alike.T).triu(1)).nonzero()[0].tolist()
    names = ["the right answer", *map(repr, mistakes)]
    raise RuntimeError(f"no draw tells {names[a]} from {names[b]}")


def _together(draws: list[Draw]) -> tuple[Tensor, dict[str, Tensor]]:
    right = torch.stack([d.right.double() for d in draws])
    hints = draws[0].mistakes
    return right, {h: torch.stack([d.mistakes[h].double() for d in draws]) for h in hints}


def expect_right(
    ask: Callable[..., Tensor], draw: Callable[[torch.Generator], Draw], *, otherwise: str
) -> list[Draw]:
    """Put decisive draws to the learner's function.

    Args:
        ask: passes the inputs on to it, and gives its answer as a tensor.
        draw: makes a draw.
        otherwise: the hint where the answers match no known mistake.

    Returns:
        The draws.

    Raises:
        WrongAnswer: the answers are not right; with the hint of the mistake.
    """
    draws = decisive(draw)
    # Copies, so that a function that changes what it is given harms nobody.
    answers = [ask(*copy.deepcopy(d.inputs)) for d in draws]
    expect_value(torch.stack(answers), *_together(draws), otherwise=otherwise)
    return draws


def expect_tensor(answer: Any, shape: tuple[int, ...], name: str, *, meaning: str) -> Tensor:
    """``answer`` as a tensor of that shape; a plain number will do where one is asked for.

    Args:
        answer: what the learner's function returned.
        shape: what it should have.
        name: of the function or of this part of its answer, for the hint.
        meaning: what the numbers are, for the hint.

    Returns:
        The answer in float64 on the CPU.

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
        answer: of the learner.
        right: of the same shape.
        mistakes: hint -> what somebody who makes this mistake would have returned.
        otherwise: the hint where the answer matches none of them.

    Raises:
        WrongAnswer: the answer is not right.
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
    """Equal but for rounding, that of float32 too."""
    return a.shape == b.shape and torch.allclose(a, b.double(), rtol=1e-5, atol=1e-7)


def passed(message: str) -> None:
    """Say that the exercise is solved, and what that shows."""
    print(f"Right. {message}")


def _shape(shape: tuple[int, ...]) -> str:
    if not shape:
        return "[] (one number)"
    return str(list(shape)) + (f" ({math.prod(shape)} numbers)" if len(shape) == 1 else "")
