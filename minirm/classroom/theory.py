"""Checks of the chapters "Verify without generating" and "Tokens never seen"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, sigmoid

from minirm.classroom.checking import (
    WrongAnswer,
    expect_tensor,
    expect_value,
    generator,
    is_close,
    normal,
    passed,
)
from minirm.theory.unseen_tokens import SingleTokens, head_step, unembedding_step
from minirm.theory.verification import odds_bound


def check_tilted_probability(probability: Callable[[Tensor, float, float], Tensor]) -> None:
    """``probability(c [K], beta, delta)``: P(correct) under the tilt, c = pi_ref(C), [K]."""
    c = 0.02 + 0.1 * torch.rand(5, generator=generator(), dtype=torch.float64)
    beta, delta = 0.4, 0.6
    answer = expect_tensor(probability(c.clone(), beta, delta), (5,), "yours", meaning="one per c")
    gain = torch.tensor(delta / beta, dtype=torch.float64).exp()
    right = c * gain / (1 - c + c * gain)
    mistakes = {
        "That is the bound of Theorem 1: the weights do not add up to 1 yet.": c * gain,
        "Those are the odds of a correct answer.": c * gain / (1 - c),
        "Incorrect responses weigh 1 - c together, not 1.": c * gain / (1 + c * gain),
        "Where is beta? delta is in units of reward.": sigmoid(c.logit() + delta),
        "Correct responses have become rarer.": sigmoid(c.logit() - delta / beta),
    }
    expect_value(answer, right, mistakes, otherwise="Try c = 1/2, where the odds are simple.")
    try:
        steep = probability(c.clone(), 0.01, 20.0)
    except OverflowError:
        steep = torch.full((5,), torch.nan)
    if not is_close(steep.double(), torch.ones(5)):
        raise WrongAnswer(
            "Right at beta = 0.4, but at beta = 0.01 and delta = 20 an exponential overflows. A "
            "sigmoid takes odds as a logarithm."
        )
    passed("Odds times e^(delta / beta): at beta = 0.01 that is a great deal.")


def check_odds_bound(sides: Callable[[Tensor, Tensor, Tensor, float], Any]) -> None:
    """``sides(policy [K], reference [K], correct [K], beta)`` -> (margin, gain in log-odds)."""
    by = generator()
    policy, reference = normal(2, 12, by=by, scale=1.5).log_softmax(-1)
    correct, beta = torch.randperm(12, generator=by) < 4, 0.3
    answer = sides(policy.clone(), reference.clone(), correct.clone(), beta)
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise WrongAnswer("your function should return two numbers: (margin, gain)")
    got = torch.stack([expect_tensor(x, (), "each side", meaning="one number") for x in answer])
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
    right = torch.stack([margin, gain])
    expect_value(got, right, mistaken, otherwise="Over which responses goes each min, max, sum?")
    passed("No policy has a gain below margin / beta. Try to find one.")


def check_unembedding_step(step: Callable[..., Tensor]) -> None:
    """``step(U [V, D], U_ref [V, D], h [N, D], chosen [N], rejected [N], beta, lr)`` -> [V, D]."""
    by = generator()
    states, reference, noise = (normal(n, 3, by=by) for n in (8, 7, 7))
    start, beta, lr = reference + 0.3 * noise, 0.5, 0.4
    chosen, rejected = torch.tensor([0, 1] * 4), torch.tensor([2, 2, 3, 3] * 2)
    given = (x.clone() for x in (start, reference, states, chosen, rejected))
    answer = expect_tensor(step(*given, beta, lr), (7, 3), "your step", meaning="the new U")
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
    if not torch.allclose(answer[4:], start[4:]):
        raise WrongAnswer(
            "Rows of tokens that are in no pair have moved. What becomes of the softmax's "
            "denominator in the difference of two log-probabilities?"
        )
    expect_value(answer, right, mistakes, otherwise="Try it with a single pair.")
    passed("And the rows of all other tokens stayed where they were.")


def check_normalised_step(step: Callable[[Tensor, Tensor, float], Tensor]) -> None:
    """``step(head [D], differences [N, D], lr)``: a step of length lr down the gradient, [D]."""
    by = generator()
    head, points, lr = normal(4, by=by), normal(6, 4, by=by), 0.3
    points *= (points @ head).sign()[:, None]  # separable, by the head itself
    answer = step(head.clone(), points.clone(), lr)
    answer = expect_tensor(answer, (4,), "your step", meaning="the new head")
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
    expect_value(answer, right, mistakes, otherwise="How long is your step, and where to?")
    far = points * 2000 / (points @ head).min()  # e^-2000 is 0 in float64
    steep = step(head.clone(), far.clone(), lr).double()
    if not is_close(steep, head_step(head, far, lr, normalised=True)):
        raise WrongAnswer(
            "Right near the start, but with margins in the thousands every pull underflows to 0. "
            "Only ratios of pulls count: which factor may be taken out of all of them?"
        )
    passed("As long at margins in the thousands as at the start.")
