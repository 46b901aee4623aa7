"""Checks of the chapters "Verify without generating" and "Tokens never seen"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, sigmoid

from minirm.classroom.checking import (
    Draw,
    WrongAnswer,
    expect_right,
    expect_tensor,
    is_close,
    normal,
    passed,
)
from minirm.theory.unseen_tokens import SingleTokens, head_step, unembedding_step
from minirm.theory.verification import odds_bound


def check_tilted_probability(probability: Callable[[Tensor, float, float], Tensor]) -> None:
    """Whether the learner has the probability of a correct response under the tilt.

    Args:
        probability: of c [K], the reference's probability of a correct one, beta and delta;
            returns [K].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(*inputs: Any) -> Tensor:
        return expect_tensor(probability(*inputs), (5,), "yours", meaning="one per c")

    draw, *_ = expect_right(ask, _tilted, otherwise="Try c = 1/2, where the odds are simple.")
    try:
        steep = probability(draw.inputs[0].clone(), 0.01, 20.0)
    except OverflowError:
        steep = torch.full((5,), torch.nan)
    if not is_close(steep.double(), torch.ones(5)):
        raise WrongAnswer(
            "Right at beta = 0.4, but at beta = 0.01 and delta = 20 an exponential overflows. A "
            "sigmoid takes odds as a logarithm."
        )
    passed("Odds times e^(delta / beta): at beta = 0.01 that is a great deal.")


def _tilted(by: torch.Generator) -> Draw:
    c = 0.02 + 0.1 * torch.rand(5, generator=by, dtype=torch.float64)
    beta, delta = 0.4, 0.6
    gain = torch.tensor(delta / beta, dtype=torch.float64).exp()
    right = c * gain / (1 - c + c * gain)
    mistakes = {
        "That is the bound of Theorem 1: the weights do not add up to 1 yet.": c * gain,
        "Those are the odds of a correct answer.": c * gain / (1 - c),
        "Incorrect responses weigh 1 - c together, not 1.": c * gain / (1 + c * gain),
        "Where is beta? delta is in units of reward.": sigmoid(c.logit() + delta),
        "Correct responses have become rarer.": sigmoid(c.logit() - delta / beta),
    }
    return Draw((c, beta, delta), right, mistakes)


def check_odds_bound(sides: Callable[[Tensor, Tensor, Tensor, float], Any]) -> None:
    """Whether the learner has both sides of the bound on the odds of a correct response.

    Args:
        sides: of log-probabilities policy [K] and reference [K], correct, bool [K], and beta;
            returns two numbers: the reward's margin, and the gain in log-odds.

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(*inputs: Any) -> Tensor:
        answer = sides(*inputs)
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            raise WrongAnswer("your function should return two numbers: (margin, gain)")
        return torch.stack(
            [expect_tensor(x, (), "each side", meaning="one number") for x in answer]
        )

    expect_right(ask, _odds, otherwise="Over which responses goes each min, max, sum?")
    passed("No policy has a gain below margin / beta. Try to find one.")


def _odds(by: torch.Generator) -> Draw:
    policy, reference = normal(2, 12, by=by, scale=1.5).log_softmax(-1)
    correct, beta = torch.randperm(12, generator=by) < 4, 0.3
    margin, gain = odds_bound(policy, reference, correct, beta)
    rewards = beta * (policy - reference)
    good, bad = rewards[correct], rewards[~correct]
    log_ratio = policy[correct].logsumexp(0) - reference[correct].logsumexp(0)
    mistakes = {
        "A verifier is judged by its worst pair, not by means.": (good.mean() - bad.mean(), gain),
        "A verifier is judged by its worst pair, not by its best.": (good.max() - bad.min(), gain),
        "That margin is in nats. A reward has its beta.": (margin / beta, gain),
        "That gain is of probability; the theorem speaks of odds.": (margin, log_ratio),
        "That gain is a ratio of odds; wanted is its logarithm.": (margin, gain.exp()),
        "The two sides are exchanged.": (gain, margin),
    }
    mistaken = {hint: torch.stack(pair) for hint, pair in mistakes.items()}
    return Draw((policy, reference, correct, beta), torch.stack([margin, gain]), mistaken)


def check_unembedding_step(step: Callable[..., Tensor]) -> None:
    """Whether the learner takes one step of an unembedding down the implicit loss.

    Args:
        step: of U [V, D], U_ref [V, D], h [N, D], token ids chosen [N] and rejected [N], beta and
            the step size; returns the new U [V, D].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(start: Tensor, *more: Any) -> Tensor:
        answer = step(start.clone(), *more)
        answer = expect_tensor(answer, (7, 3), "your step", meaning="the new U")
        if not torch.allclose(answer[4:], start[4:]):
            raise WrongAnswer(
                "Rows of tokens that are in no pair have moved. What becomes of the softmax's "
                "denominator in the difference of two log-probabilities?"
            )
        return answer

    expect_right(ask, _unembedding, otherwise="Try it with a single pair.")
    passed("And the rows of all other tokens stayed where they were.")


def _unembedding(by: torch.Generator) -> Draw:
    states, reference, noise = (normal(n, 3, by=by) for n in (8, 7, 7))
    start, beta, lr = reference + 0.3 * noise, 0.5, 0.4
    chosen, rejected = torch.tensor([0, 1] * 4), torch.tensor([2, 2, 3, 3] * 2)
    data = SingleTokens(states, chosen, rejected, states, states)
    right = unembedding_step(start, reference, data, beta, lr)
    push, lost = right - start, start.clone()
    pulls = sigmoid(-data.implicit_margins(start, reference, beta))[:, None]
    lost[chosen] += lr * beta / 8 * pulls * states
    lost[rejected] -= lr * beta / 8 * pulls * states
    mistakes = {
        "Rejected tokens have gained: the sign is turned.": start - push,
        "A beta is missing: the margin has one, and so has its gradient.": start + push / beta,
        "The loss is a mean over the pairs.": start + 8 * push,
        "A token of several pairs has got only one of its pushes.": lost,
    }
    return Draw((start, reference, states, chosen, rejected, beta, lr), right, mistakes)


def check_normalised_step(step: Callable[[Tensor, Tensor, float], Tensor]) -> None:
    """Whether the learner takes a step of a given length down the gradient, far out too.

    Args:
        step: of head [D], differences [N, D] and the length; returns the new head [D].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(*inputs: Any) -> Tensor:
        return expect_tensor(step(*inputs), (4,), "your step", meaning="the new head")

    draw, *_ = expect_right(ask, _normalised, otherwise="How long is your step, and where to?")
    head, points, lr = draw.inputs
    far = points * 2000 / (points @ head).min()  # e^-2000 is 0 in float64
    if not is_close(ask(head.clone(), far.clone(), lr), head_step(head, far, lr, normalised=True)):
        raise WrongAnswer(
            "Right near the start, but with margins in the thousands every pull underflows to 0. "
            "Only ratios of pulls count: which factor may be taken out of all of them?"
        )
    passed("As long at margins in the thousands as at the start.")


def _normalised(by: torch.Generator) -> Draw:
    head, points, lr = normal(4, by=by), normal(6, 4, by=by), 0.3
    points *= (points @ head).sign()[:, None]  # separable, by the head itself
    right = head_step(head, points, lr, normalised=True)
    pulls = sigmoid(-(points @ head))
    units = points / points.norm(dim=-1, keepdim=True)
    sums = {
        "The gradient gets length 1, not each difference.": sigmoid(-(units @ head)) @ units,
        "Pairs with small margins pull harder; in yours all pull alike.": points.sum(0),
        "Pairs with small margins pull harder; in yours it is the large ones.": (1 - pulls)
        @ points,
    }
    mistakes = {hint: head + lr * total / total.norm() for hint, total in sums.items()} | {
        "That is a plain step: it shrinks with the gradient.": head_step(head, points, lr),
        "The loss has grown: the sign is turned.": 2 * head - right,
    }
    return Draw((head, points, lr), right, mistakes)
