"""Checks of the chapter "Preferences"."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from minirm.classroom.checking import (
    Draw,
    WrongAnswer,
    expect_right,
    expect_tensor,
    is_close,
    normal,
    passed,
)


def check_bradley_terry(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Whether the learner's loss is the mean Bradley-Terry loss, finite at any margin.

    Args:
        loss: of chosen [B] and rejected [B]; returns [], in nats.

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(chosen: Tensor, rejected: Tensor) -> Tensor:
        answer = loss(chosen, rejected)
        return expect_tensor(answer, (), "your loss", meaning="the mean over the pairs")

    expect_right(ask, _losses, otherwise="What does one vote with margin 0 cost?")
    for margin in torch.tensor([1e4, -1e4, 0.0], dtype=torch.float64):
        answer = ask(margin[None].clone(), torch.zeros(1, dtype=torch.float64))
        if not is_close(answer, -logsigmoid(margin)):
            raise WrongAnswer(
                f"Right for margins of ordinary size, but {answer.item():g} at a margin of "
                f"{margin.item():g}: an exponential overflows, or a logarithm meets 0, on the way."
            )
    passed("And it stays finite at margins of ten thousand either way.")


def _losses(by: torch.Generator) -> Draw:
    chosen, rejected = normal(7, by=by, scale=2.0), normal(7, by=by, scale=2.0)
    m = chosen - rejected
    right = -logsigmoid(m).mean()
    mistakes = {
        "The margin is the wrong way round: your loss falls when the rejected response wins.": (
            -logsigmoid(-m).mean()
        ),
        "The sign is missing: this is the log-likelihood, and training makes a loss small.": -right,
        "A probability where its logarithm belongs: a sure mistake could then never cost more "
        "than 1.": torch.sigmoid(-m).mean(),
        "A probability where minus its logarithm belongs: this grows as the pairs get better.": (
            torch.sigmoid(m).mean()
        ),
        "This is minus a probability; the likelihood of all votes is a product, so what should "
        "be added up over pairs?": -torch.sigmoid(m).mean(),
        "You added the pairs up; the loss is their mean, or it would grow with the batch.": (
            right * len(m)
        ),
        "You averaged the margins before the loss: each vote has its own likelihood.": (
            -logsigmoid(m.mean())
        ),
    }
    return Draw((chosen, rejected), right, mistakes)


def check_reward_gradients(gradients: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> None:
    """Whether the learner has the mean loss's gradient for both rewards.

    Args:
        gradients: of chosen [B] and rejected [B]; returns [B] and [B].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(chosen: Tensor, rejected: Tensor) -> Tensor:
        answer = gradients(chosen, rejected)
        if answer is None:
            raise WrongAnswer("Your function returned None: does it end in a return?")
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            raise WrongAnswer(
                "Return two tensors: the gradient for the chosen rewards, then for the rejected "
                "ones."
            )
        names = [f"the gradient for the {side} rewards" for side in ("chosen", "rejected")]
        return torch.stack(
            [
                expect_tensor(part, (6,), name, meaning="one per pair")
                for part, name in zip(answer, names, strict=True)
            ]
        )

    expect_right(
        ask, _gradients, otherwise="Try one pair with margin 0, and let autograd tell you."
    )
    passed("What pushes a chosen reward up pushes its rejected partner down by as much.")


def _gradients(by: torch.Generator) -> Draw:
    chosen, rejected = normal(6, by=by, scale=2.0), normal(6, by=by, scale=2.0)
    m = chosen - rejected
    pull = torch.sigmoid(-m) / len(m)

    def both(weight: Tensor) -> Tensor:
        return torch.stack([-weight, weight])

    mistakes = {
        "You gave the direction of the step. The gradient points where the loss grows, and a step "
        "goes against it.": -both(pull),
        "The gradient of each pair's own loss; the loss is a mean over the pairs.": (
            both(pull * len(m))
        ),
        "The weight is largest for pairs that are already right. Which ones should pull?": (
            both(torch.sigmoid(m) / len(m))
        ),
        "You differentiated the sigmoid; the loss has a logarithm outside it.": (
            both(torch.sigmoid(m) * torch.sigmoid(-m) / len(m))
        ),
        "Both rewards are pushed the same way. How does the margin change when the rejected reward "
        "grows?": torch.stack([-pull, -pull]),
        "The weight of every pair is the same here, but a pair that is right should pull less "
        "than one that is wrong.": both(torch.full_like(m, 1 / len(m))),
    }
    return Draw((chosen, rejected), both(pull), mistakes)


def check_normalised_margin(margin: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Whether the learner's margin is the mean |r+ - r-| over the spread of all rewards.

    Args:
        margin: of chosen [B] and rejected [B]; returns [].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(chosen: Tensor, rejected: Tensor) -> Tensor:
        answer = margin(chosen, rejected)
        return expect_tensor(answer, (), "your margin", meaning="one for all pairs")

    expect_right(
        ask,
        _margins,
        otherwise="It should not change when all rewards are multiplied by ten, nor when chosen "
        "and rejected change places. Does yours?",
    )
    passed("It ignores the unit of the rewards, and which side won.")


def _margins(by: torch.Generator) -> Draw:
    # Either side may be ahead, and one pair is won and one lost for sure: else signed and absolute
    # margins could be the same.
    ahead = 0.7 * (2 * torch.randint(2, (), generator=by) - 1)
    chosen, rejected = normal(8, by=by) + ahead, normal(8, by=by)
    rejected[:2] = chosen[:2] + torch.tensor([-0.5, 0.5], dtype=torch.float64)
    pooled, gap = torch.cat([chosen, rejected]), (chosen - rejected).abs()
    mistakes = {
        "The margins keep their sign here, so that a pair the wrong way round cancels a right "
        "one.": (chosen - rejected).mean() / pooled.std(),
        "You took the size of the mean; the definition asks for the mean of the sizes.": (
            (chosen - rejected).mean().abs() / pooled.std()
        ),
        "You divided by the spread of the margins; the unit is the spread of the rewards.": (
            gap.mean() / (chosen - rejected).std()
        ),
        "You divided by the spread of the sizes of the margins; the unit is the spread of the "
        "rewards.": gap.mean() / gap.std(),
        "The spread is of the chosen rewards only; all rewards count.": gap.mean() / chosen.std(),
        "The spread is of the rejected rewards only; all rewards count.": (
            gap.mean() / rejected.std()
        ),
        "You took the spread of each side and averaged, which misses the distance between the two "
        "sides.": gap.mean() / ((chosen.std() + rejected.std()) / 2),
        "Very near: your standard deviation divides by the number of rewards, the sample's by one "
        "less.": gap.mean() / pooled.std(correction=0),
        "You divided by the variance, so the result is not free of units.": (
            gap.mean() / pooled.var()
        ),
        "Not divided by any spread yet: multiply all rewards by ten and this changes.": gap.mean(),
    }
    return Draw((chosen, rejected), gap.mean() / pooled.std(), mistakes)
