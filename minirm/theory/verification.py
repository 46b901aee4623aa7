"""Theorem 1 of arXiv 2507.07981 in a form that runs: verifying does not require generating.

``tilt`` is the language model of its proof, ``odds_bound`` checks the converse on any other,
``tilt_numbers`` has both in closed form. Log-probabilities of all responses there are go in.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor


def tilt(reference: Tensor, correct: Tensor, strength: float) -> Tensor:
    """ln pi of the tilt pi(y) = pi_ref(y) exp(strength 1[y correct]) / Z: [K], in nats.

    Its implicit reward is a verifier whose margin is exactly delta = beta * strength.

    Args:
        reference: [K], ln pi_ref of every response there is.
        correct: [K] bool, which of them are.
        strength: what is added to ln pi_ref of a correct one, in nats.

    Raises:
        ValueError: shapes differ, or the reference is no distribution over K responses.
    """
    _check_space(reference, correct)
    return torch.where(correct, reference + strength, reference).log_softmax(-1)


def leak(policy: Tensor, garbage: int, amount: float) -> Tensor:
    """Every response but one made e^-amount times as likely; that one gets the rest: [K], in nats.

    All reward differences among the others stay as they were.

    Args:
        policy: [K], ln pi of every response there is.
        garbage: the index of the one that gains.
        amount: what each of the others loses, in nats, at least 0.
    """
    nats = torch.as_tensor(float(amount), dtype=policy.dtype)
    leaked = policy - nats
    leaked[garbage] = torch.logaddexp(leaked[garbage], (-torch.expm1(-nats)).log())
    return leaked


class OddsBound(NamedTuple):
    """Both sides of the converse of Theorem 1: ``gain >= margin / beta``, whatever pi is.

    Args:
        margin: least reward of a correct response minus greatest of an incorrect one.
        gain: ln odds of a correct response under pi minus those under pi_ref, in nats.
    """

    margin: Tensor
    gain: Tensor


def odds_bound(policy: Tensor, reference: Tensor, correct: Tensor, beta: float) -> OddsBound:
    """What a verifier's margin forces upon the generator that it is.

    With m = ``margin`` of r = beta (ln pi - ln pi_ref) over all K responses, the odds of a correct
    response satisfy odds_pi >= e^(m / beta) odds_ref. The tilt attains it.

    Args:
        policy: [K], ln pi of every response there is.
        reference: [K], ln pi_ref of the same.
        correct: [K] bool, which of them are.
        beta: reward per nat.

    Raises:
        ValueError: as ``tilt``; also where all responses, or none, are correct.
    """
    for logprobs in (reference, policy):
        _check_space(logprobs, correct)
    if correct.all() or not correct.any():
        raise ValueError(f"{int(correct.sum())} of {len(correct)} responses are correct: no margin")
    rewards = beta * (policy - reference)
    margin = rewards[correct].min() - rewards[~correct].max()
    return OddsBound(margin, log_odds(policy, correct) - log_odds(reference, correct))


def log_odds(logprobs: Tensor, correct: Tensor) -> Tensor:
    """ln P(correct) / P(incorrect), in nats, from [K] log-probabilities: a scalar tensor."""
    return logprobs[correct].logsumexp(-1) - logprobs[~correct].logsumexp(-1)


class TiltNumbers(NamedTuple):
    """What ``tilt`` and then ``leak`` do to a reference, in nats where they are logarithms.

    Args:
        log_correct: ln pi(C).
        log_bound: ln min(1, pi_ref(C) e^(delta / beta)), Theorem 1's bound.
        kl: KL(pi || pi_ref).
        garbage_lead: reward of the garbage minus that of a correct response.
        margin: over all responses, so delta without a leak, min(delta, -garbage_lead) with one.
    """

    log_correct: Tensor
    log_bound: Tensor
    kl: Tensor
    garbage_lead: Tensor
    margin: Tensor


def tilt_numbers(
    correct: Any, beta: Any, delta: Any, *, amount: Any = 0.0, garbage: Any = 1e-12
) -> TiltNumbers:
    """Closed forms of the tilt by delta / beta and a leak, exact at any delta / beta.

    Args:
        correct: pi_ref(C), in (0, 1); this and the others are numbers, or tensors that broadcast.
        beta: reward per nat, > 0.
        delta: the tilt's margin, > 0.
        amount: of the leak, in nats, >= 0.
        garbage: pi_ref of the one incorrect response that the leak goes to.
    """
    c, beta, delta, amount, garbage = (
        torch.as_tensor(x, dtype=torch.float64) for x in (correct, beta, delta, amount, garbage)
    )
    t = delta / beta
    log_weight = c.log() + t
    # ln Z, Z = 1 - c + c e^t, to full relative precision where it is tiny and where it is huge.
    tiny, huge = (c * t.clamp(max=500).expm1()).log1p(), torch.logaddexp((-c).log1p(), log_weight)
    log_z = torch.where(t < 500, tiny, huge)
    log_correct = log_weight - log_z - amount
    log_garbage = torch.logaddexp((-(-amount).expm1()).log(), garbage.log() - log_z - amount)
    on_garbage = log_garbage.exp()
    gained = log_garbage - garbage.log()  # ln pi/pi_ref of the garbage
    kl = log_correct.exp() * t - (1 - on_garbage) * (amount + log_z) + on_garbage * gained
    lead = beta * (gained - (t - log_z - amount))
    margin = torch.minimum(delta, -lead)
    return TiltNumbers(log_correct, log_weight.clamp(max=0.0), kl, lead, margin)


def _check_space(logprobs: Tensor, correct: Tensor) -> None:
    if logprobs.ndim != 1 or logprobs.shape != correct.shape:
        raise ValueError(
            "expected [K] log-probabilities and a [K] mask, got "
            f"{tuple(logprobs.shape)} and {tuple(correct.shape)}"
        )
    total = logprobs.exp().sum().item()
    if not abs(total - 1) < 1e-3:
        raise ValueError(f"the probabilities of all responses must add up to 1, not to {total:.6g}")
