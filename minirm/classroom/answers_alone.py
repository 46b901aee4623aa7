"""Checks of the chapter "Read the benchmark before the model"."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minirm.classroom.checking import (
    Draw,
    WrongAnswer,
    expect_right,
    expect_tensor,
    generator,
    normal,
    passed,
)
from minirm.metrics import accuracy
from minirm.pairs import PreferencePair

ENOUGH = 0.9


def puzzle(n: int, seed: int) -> list[PreferencePair]:
    """Sums with a right and a wrong answer, of the same words and the same length.

    Nobody can tell the two apart by a word or by counting words; but there is something.

    Args:
        n: how many pairs.
        seed: of the draw.
    """
    draw = random.Random(seed)
    pairs = []
    for _ in range(n):
        a, b = draw.randint(11, 49), draw.randint(11, 49)
        wrong = a + b + draw.choice([-10, -2, -1, 1, 2, 10])
        answers = []
        for total, usual in ((a + b, True), (wrong, False)):
            steps, result = "the two numbers are added", f"the sum is {total}"
            steps_first = usual if draw.random() < 0.97 else not usual
            parts = (steps, result) if steps_first else (result, steps)
            answers.append("; ".join(parts))
        pairs.append(PreferencePair(f"What is {a} + {b}? ", answers[0], answers[1]))
    return pairs


def check_shortcut(judge: Callable[[str], Any]) -> None:
    """Whether the learner's judge ranks new pairs of ``puzzle`` without their questions.

    Args:
        judge: of an answer; returns a number, higher for what was chosen.

    Raises:
        WrongAnswer: with a hint.
    """
    seed = int(torch.randint(2**31, (), generator=generator()))
    pairs = puzzle(200, seed)
    chosen, rejected = ([_number(judge(str(getattr(p, side)))) for p in pairs] for side in _SIDES)
    found = accuracy(chosen, rejected)
    if found >= ENOUGH:
        passed(f"{found:.0%} of {len(pairs)} new pairs, and not one sum was done.")
        return
    if found <= 1 - ENOUGH:
        raise WrongAnswer("You have found it, and prefer the side that was rejected.")
    ties = sum(a == b for a, b in zip(chosen, rejected, strict=True)) / len(pairs)
    if ties == 1:
        raise WrongAnswer("It gives both answers of every pair the same reward.")
    if ties > 0.5:
        raise WrongAnswer("It gives both answers the same reward in more than half of the pairs.")
    raise WrongAnswer(
        f"Fewer than {ENOUGH:.0%} of {len(pairs)} new pairs come out right: what it goes by does "
        "not tell the two sides apart. Print ten chosen answers below one another, and then ten "
        "rejected ones."
    )


_SIDES = ("chosen", "rejected")


def _number(value: Any) -> float:
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float):
        return float(value)
    raise WrongAnswer(f"my_judge returned {type(value).__name__}, expected one number an answer.")


def check_shared_prompts(share: Callable[[Tensor, Tensor], Any]) -> None:
    """Whether the learner finds which share of a test's pairs has its prompt in training.

    Args:
        share: of the numbers of the training pairs' prompts [N] and of the test pairs' [B];
            returns one number.

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(training: Tensor, test: Tensor) -> Tensor:
        return expect_tensor(share(training, test), (), "your share", meaning="of the test's pairs")

    expect_right(ask, _leak, otherwise="Go through the pairs of the test, one by one.")
    passed("Count it for any test before you believe a number on it.")


def _leak(by: torch.Generator) -> Draw:
    training = torch.randint(0, 30, (60,), generator=by)
    test = torch.randint(15, 45, (40,), generator=by)
    known, used = torch.isin(test, training), torch.isin(training, test)
    apart = torch.unique(test)
    mistakes = {
        "That is which share of the training pairs the test asks about.": used.double().mean(),
        "That is the share of the test's distinct prompts. Figures are over pairs, so count those.":
            torch.isin(apart, training).double().mean(),
        "That is the share of pairs that do not leak.": 1 - known.double().mean(),
        "That is how many pairs there are, not which share.": known.double().sum(),
        "You count pairs of the test and divide by how many training pairs there are.":
            known.double().sum() / len(training),
        "You compare the pairs in order, each with the one at its own place.":
            (training[: len(test)] == test).double().mean(),
    }  # fmt: skip
    return Draw((training, test), known.double().mean(), mistakes)


def check_cluster_error(error: Callable[[Tensor, Tensor], Any]) -> None:
    """Whether the learner has the standard error of a share whose cases come in groups.

    Args:
        error: of what each pair counts [B] and of the number of its item [B]; returns one number.

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(right: Tensor, item: Tensor) -> Tensor:
        return expect_tensor(error(right, item), (), "your error", meaning="of the mean")

    expect_right(
        ask, _clustered, otherwise="Add up right minus mean within each item, and look at the sums."
    )
    passed("Four versions of one item are worth as much as they differ, and no more.")


def _clustered(by: torch.Generator) -> Draw:
    sizes = torch.randint(1, 5, (12,), generator=by)
    item = torch.repeat_interleave(torch.arange(12), sizes)
    lean = normal(12, by=by)[item]
    right = (lean + 0.5 * normal(len(item), by=by) > -0.3).double()
    order = torch.randperm(len(item), generator=by)
    right, item = right[order], item[order]
    n, groups = len(right), 12
    off = right - right.mean()
    sums = torch.zeros(groups, dtype=torch.float64).index_add_(0, item, off)
    means = torch.zeros(groups, dtype=torch.float64).index_add_(0, item, right) / sizes
    squares = (sums**2).sum().sqrt() / n
    mistakes = {
        "That counts every pair as independent.": right.std() / n**0.5,
        "That is the error of a share of independent pairs, and these come in items.": (
            right.mean() * (1 - right.mean()) / n
        ).sqrt(),
        "You take the items' means as if each had as many pairs as any other.": means.std()
        / groups**0.5,
        "Nearly: the mean was estimated from the same items, which makes their sums a little too "
        "small.": squares,
        "That is the spread of the sums. The error is that of a mean over all pairs.": squares * n,
        "You have squared deviations where the error needs their root.": squares**2
        * groups
        / (groups - 1),
    }
    return Draw((right, item), squares * (groups / (groups - 1)) ** 0.5, mistakes)
