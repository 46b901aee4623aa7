"""Checks of the appendix "What the shortcut needs"."""

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
    is_close,
    normal,
    passed,
)


def check_first_share(share: Callable[[Tensor, Tensor, float], Any]) -> None:
    """Whether the learner has the share of meaning after the first step.

    Args:
        share: of p [D] and mu [D], orthogonal, and the agreement; returns one number.

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(*inputs: Any) -> Tensor:
        return expect_tensor(share(*inputs), (), "your share", meaning="one number")

    expect_right(ask, _share, otherwise="Try p = (4, 0), mu = (0, 2): the chapter's four rewards.")
    passed("The size of the cue counts four times: twice in the step, and twice in a variance.")


def _share(by: torch.Generator) -> Draw:
    p, mu = normal(4, by=by), normal(4, by=by)
    mu -= (mu @ p) / (p @ p) * p
    agreement = 0.6 + 0.3 * torch.rand((), generator=by, dtype=torch.float64).item()
    lean, square = 2 * agreement - 1, (p @ p) / (mu @ mu)
    right = 1 / (1 + (lean * square) ** 2)
    mistakes = {
        "That is the share of the opening.": 1 - right,
        "Agreement is missing: that is the share where the prefix always foretells the label.": 1
        / (1 + square**2),
        "An agreement of one half must leave nothing to the prefix.": 1
        / (1 + (agreement * square) ** 2),
        "A variance has the square of an effect, and the whole of the effect.": 1
        / (1 + lean * square**2),
        "The prefix's effect is the product of two vectors that both have its length.": 1
        / (1 + lean**2 * square),
        "Those are shares of effects; wanted are shares of variance.": 1 / (1 + lean * square),
    }
    return Draw((p, mu, agreement), right, mistakes)


def check_opening_push(push: Callable[[Tensor, int, int], Tensor]) -> None:
    """Whether the learner knows what a comparison does to every first token.

    Args:
        push: of probabilities [V] and the first tokens of the chosen and of the rejected answer;
            returns [V], the change of ln pi in units of lr beta g |h|^2.

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(*inputs: Any) -> Tensor:
        return expect_tensor(push(*inputs), (6,), "your push", meaning="one a token")

    draw, *_ = expect_right(ask, _push, otherwise="Weigh it with p and add up: that must be 0.")
    if not is_close(ask(draw.inputs[0].clone(), 2, 2), torch.zeros(6)):
        raise WrongAnswer("Right, except where both answers begin with the same token.")
    passed("And where the first token is shared, no first token moves at all.")


def _push(by: torch.Generator) -> Draw:
    p = normal(6, by=by).softmax(0)
    chosen, rejected = torch.randperm(6, generator=by)[:2].tolist()
    up, down = torch.eye(6, dtype=torch.float64)[[chosen, rejected]]
    right = up - down - (p[chosen] - p[rejected])
    mistakes = {
        "Those are the logits. Probabilities have to add up to 1 afterwards.": up - down,
        "The rejected token has gained: the sign is turned.": -right,
        "The denominator pulls the other way.": up - down + (p[chosen] - p[rejected]),
        "The rejected answer is pushed too.": up - p - p[chosen] + p @ p,
        "That moves the probabilities; wanted are their logarithms.": p * right,
    }
    return Draw((p, chosen, rejected), right, mistakes)
