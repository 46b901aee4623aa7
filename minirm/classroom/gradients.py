"""Checks of the chapters on one step of gradient descent."""

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


def check_explicit_step(change: Callable[..., Any]) -> None:
    """Whether the learner knows how one step moves an explicit reward <u, h>.

    Args:
        change: of h, h_plus, h_minus and u, each [D], and the step size; returns [].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(*inputs: Any) -> Tensor:
        return expect_tensor(change(*inputs), (), "your change", meaning="of the one reward")

    expect_right(
        ask,
        _explicit_step,
        otherwise="Write u after the step, take its inner product with h, subtract <u, h>.",
    )
    passed("Two inner products and a pull: no word of any response.")


def _explicit_step(by: torch.Generator) -> Draw:
    h, up, down, u = normal(4, 6, by=by, scale=0.7)
    lr = 0.3
    margin = u @ (up - down)
    g, kernel = torch.sigmoid(-margin), h @ (up - down)
    mistakes = {
        "The rejected response is pulled up and the chosen one pushed down.": -lr * g * kernel,
        "The pull is the sigmoid of minus the margin: a pair that is learned pulls less.": (
            lr * torch.sigmoid(margin) * kernel
        ),
        "Where is the pull g? As it stands a learned pair pulls as much as a new one.": lr * kernel,
        "Where is the step size?": g * kernel,
        "This is the reward after the step; wanted is its change.": u @ h + lr * g * kernel,
        "The rejected response acts as well as the chosen one.": lr * g * (h @ up),
    }
    return Draw((h, up, down, u, lr), lr * g * kernel, mistakes)


def check_rho(rho: Callable[..., Any]) -> None:
    """Whether the learner has the coefficient of two positions.

    Args:
        rho: of p [V], token id y, q [V] and token id v; returns [].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(p: Tensor, q: Tensor, pairs: list[tuple[int, int]]) -> Tensor:
        answers = [rho(p.clone(), y, q.clone(), v) for y, v in pairs]
        return torch.stack(
            [expect_tensor(a, (), "your rho", meaning="for two positions") for a in answers]
        )

    expect_right(
        ask,
        _rho,
        otherwise="It is the inner product of two surprise vectors, one-hot minus prediction.",
    )
    passed("Four terms, and the two in the middle ask about the other's token.")


def _rho(by: torch.Generator) -> Draw:
    p, q = normal(2, 5, by=by).softmax(-1)
    a, b = torch.randperm(5, generator=by)[:2].tolist()
    cases = [(a, b), (a, a)]  # a mismatch and a match

    def sums(*signs: float, crossed: bool = False) -> Tensor:
        """Of the match, each context's view of the other's token (or its own), and <p, q>."""
        terms = [
            torch.stack([p.new_tensor(y == v), *((p[y], q[v]) if crossed else (q[y], p[v])), p @ q])
            for y, v in cases
        ]
        return torch.stack(terms) @ p.new_tensor(signs)

    mistakes = {
        "Each context is asked about its own token. The two cross terms ask each about the "
        "other's.": sums(1, -1, -1, 1, crossed=True),
        "Minus times minus: the product of the two predictions has the other sign.": (
            sums(1, -1, -1, -1)
        ),
        "Multiply out (e_y - p)(e_v - q): there are four products, and one is missing.": (
            sums(1, -1, -1, 0)
        ),
        "Where two tokens are the same, their one-hot vectors have an inner product too.": (
            sums(0, -1, -1, 1)
        ),
    }
    return Draw((p, q, cases), sums(1, -1, -1, 1), mistakes)


def check_mismatch_mean(mean: Callable[..., Any]) -> None:
    """Whether the learner has the mean of rho over mismatches: y drawn from p, given y is not v.

    Args:
        mean: of p [V], q [V] and token id v; returns [].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(*inputs: Any) -> Tensor:
        return expect_tensor(mean(*inputs), (), "your mean", meaning="over mismatches")

    expect_right(
        ask, _mismatch_mean, otherwise="All of them together average to 0; take out the match."
    )
    passed("What the match gains, the mismatches pay.")


def _mismatch_mean(by: torch.Generator) -> Draw:
    p, q = normal(2, 6, by=by).softmax(-1)
    v = int(torch.randint(6, (), generator=by))
    every = -q - p[v] + p @ q  # rho of a mismatch, for each y
    match = every[v] + 1
    others = torch.arange(6) != v
    right = -p[v] * match / (1 - p[v])
    mistakes = {
        "A mean divides by the total weight: the mismatches have 1 - p(v) of it.": -p[v] * match,
        "That is what the matches gain. Who pays?": -right,
        "You averaged over the words with equal weight; y is drawn from p.": every[others].mean(),
        "The match is in it still, and with it the mean is 0 whatever p and q are.": 0 * match,
    }
    return Draw((p, q, v), right, mistakes)


def check_positive_mismatch(find: Callable[[], Any]) -> None:
    """Whether the learner has two contexts with rho > 0.1 where word 0 is scored, 1 trained.

    Args:
        find: returns any p [V] and q [V].

    Raises:
        WrongAnswer: with a hint.
    """
    answer = find()
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise WrongAnswer("your function returned something else than two distributions, p and q")
    p, q = (torch.as_tensor(x, dtype=torch.float64) for x in answer)
    if p.ndim != 1 or p.shape != q.shape or len(p) < 2:
        raise WrongAnswer("p and q are two lists of probabilities over the same words.")
    for name, x in (("p", p), ("q", q)):
        if (x < 0).any() or abs(x.sum() - 1) > 1e-6:
            raise WrongAnswer(f"{name} is no distribution: its numbers must be at least 0, sum 1.")
    value = -q[0] - p[1] + p @ q
    if value <= 0:
        raise WrongAnswer(f"rho is {value:.2f}: the two contexts do not agree on enough else.")
    if value <= 0.1:
        raise WrongAnswer(f"Positive, but only {value:.2f}. Both can be surprised more.")
    passed(f"rho is {value:.2f}, though the words differ.")
