"""Checks of the chapter "A small world"."""

from __future__ import annotations

from collections.abc import Callable

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


def check_mean_probe(probe: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """Whether the learner tells yes from no along the line through the two means.

    Args:
        probe: of yes [n, D], no [m, D] and new [k, D]; returns bool [k]: nearer to yes than to no.

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(*states: Tensor) -> Tensor:
        answer = probe(*states)
        if isinstance(answer, Tensor) and answer.dtype != torch.bool:
            raise WrongAnswer(
                f"your probe returned {answer.dtype} values, expected True or False for each new "
                "state: compare with the threshold."
            )
        return expect_tensor(answer, (200,), "your probe", meaning="one verdict per new state")

    expect_right(
        ask, _states, otherwise="Which side of the half-way point does a new state lie on?"
    )
    passed("A direction and a threshold: that is all a linear probe is.")


def _states(by: torch.Generator) -> Draw:
    # Different numbers on the two sides, and a common offset: both matter to a wrong threshold.
    offset = 2 + torch.rand(6, generator=by, dtype=torch.float64)
    yes, no = offset + 1 + normal(9, 6, by=by), offset - 1 + normal(4, 6, by=by)
    new = offset + 0.7 + 1.5 * normal(200, 6, by=by)
    direction = yes.mean(0) - no.mean(0)
    middle, everything = (yes.mean(0) + no.mean(0)) / 2, torch.cat([yes, no]).mean(0)
    right = (new - middle) @ direction > 0
    mistakes = {
        "Yes and no are exchanged: which way does your direction point?": ~right,
        "The direction is right, but you compare with 0, as if half-way between the two means "
        "were the origin.": new @ direction > 0,
        "Your threshold is the mean of all shown states. With more on one side than on the other "
        "that is not half-way between the two means.": (new - everything) @ direction > 0,
        "Your threshold is the mean of the new states: then half of them are yes whatever they "
        "say.": (new - new.mean(0)) @ direction > 0,
    }
    return Draw((yes, no, new), right, mistakes)


def check_choice_entropy(entropy: Callable[[Tensor], Tensor]) -> None:
    """Whether the learner has the entropy of a choice in proportion to weights.

    Args:
        entropy: of weights [K]; returns [], in nats.

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(weights: Tensor) -> Tensor:
        return expect_tensor(entropy(weights), (), "your entropy", meaning="of the whole choice")

    expect_right(
        ask,
        _weights,
        otherwise="The mean surprise: each option's -ln p, weighted by how often it is taken. "
        "An option with weight 0 adds nothing.",
    )
    passed("The smallest loss that any predictor of this choice can have.")


def _weights(by: torch.Generator) -> Draw:
    weights = torch.rand(7, generator=by, dtype=torch.float64) * 4 + 0.2
    weights[2] = 0.0  # an option that is never taken
    p = weights / weights.sum()
    q = p[p > 0]
    right = -(q * q.log()).sum()
    raw = weights[weights > 0]
    mistakes = {
        "Negative: the logarithm of a probability is at most 0, an entropy at least 0.": -right,
        "That is in bits; this book counts in nats (the natural logarithm).": right
        / torch.tensor(2.0).double().log(),
        "The weights are not probabilities yet: they do not add up to 1.": -(raw * raw.log()).sum(),
        "You averaged the options' surprises with equal weight; a rare option must count "
        "rarely.": -q.log().mean(),
        "That is the logarithm of the number of options: the entropy of an even choice.": (
            torch.tensor(float(len(q))).double().log()
        ),
        "That is the surprise of the likeliest option alone.": -p.max().log(),
    }
    return Draw((weights,), right, mistakes)
