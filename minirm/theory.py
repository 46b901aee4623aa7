"""Room: the two theorems of arXiv 2507.07981 in a form that runs. Log-probabilities and states in.

Theorem 1, verifying does not require generating: ``tilt`` is the language model of its proof,
``odds_bound`` checks the converse on any other, ``tilt_numbers`` has both in closed form.
Theorem 2, tokens never seen: ``SingleTokens`` are responses of one token and no EOS, read once
through fixed hidden states; ``head_step`` and ``unembedding_step`` are one step of full-batch
gradient descent on them, ``max_margin_direction`` is where the head turns to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from scipy.optimize import nnls
from torch import Tensor
from torch.nn.functional import logsigmoid

from minirm.batches import plain_rows
from minirm.logprobs import hidden_states
from minirm.pairs import Encoded, PreferencePair, encode, encode_pairs

# ----------------------------------------------------------------- Theorem 1: all responses listed


def tilt(reference: Tensor, correct: Tensor, strength: float) -> Tensor:
    """ln pi of the tilt pi(y) = pi_ref(y) exp(strength 1[y correct]) / Z: [K], in nats.

    Its implicit reward is a verifier whose margin is exactly delta = beta * strength.

    Args:
        reference: [K], ln pi_ref of every response there is. correct: [K] bool.

    Raises:
        ValueError: shapes differ, or the reference is no distribution over K responses.
    """
    _check_space(reference, correct)
    return torch.where(correct, reference + strength, reference).log_softmax(-1)


def leak(policy: Tensor, garbage: int, amount: float) -> Tensor:
    """Every response but one made e^-amount times as likely; that one gets the rest: [K], in nats.

    All reward differences among the others stay as they were.
    """
    amount = torch.as_tensor(float(amount), dtype=policy.dtype)
    leaked = policy - amount
    leaked[garbage] = torch.logaddexp(leaked[garbage], (-torch.expm1(-amount)).log())
    return leaked


class OddsBound(NamedTuple):
    """Both sides of the converse of Theorem 1: ``gain >= margin / beta``, whatever pi is.

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
        policy, reference: [K], ln pi and ln pi_ref of every response. correct: [K] bool.

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

    log_correct: ln pi(C). log_bound: ln min(1, pi_ref(C) e^(delta / beta)), Theorem 1's bound.
    kl: KL(pi || pi_ref). garbage_lead: reward of the garbage minus that of a correct response.
    margin: over all responses, so delta without a leak, and min(delta, -garbage_lead) with one.
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
        correct: pi_ref(C), in (0, 1). beta, delta: > 0. amount: of the leak, in nats, >= 0.
        garbage: pi_ref of the one incorrect response that the leak goes to.
            Numbers or tensors; they broadcast.
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


# -------------------------------------------------------------- Theorem 2: one token, fixed states


@dataclass(frozen=True)
class SingleTokens:
    """N comparisons whose responses are one token each, through fixed hidden states."""

    prompt: Tensor  # [N, D]: h_x, the state that predicts the response; an implicit reward reads it
    chosen: Tensor  # [N] long
    rejected: Tensor  # [N] long
    after_chosen: Tensor  # [N, D]: h_{x,y+}, the state after the response; an explicit one reads it
    after_rejected: Tensor  # [N, D]

    @property
    def difference(self) -> Tensor:
        """All that an explicit reward's margins depend on, h_{x,y+} - h_{x,y-}, [N, D]."""
        return self.after_chosen - self.after_rejected

    def implicit_margins(self, unembedding: Tensor, reference: Tensor, beta: float) -> Tensor:
        """r+ - r- for U and U_ref, [V, D] each: [N]. The softmax's denominator has cancelled."""
        gap, before = (u[self.chosen] - u[self.rejected] for u in (unembedding, reference))
        return beta * ((gap - before) * self.prompt).sum(-1)

    def explicit_margins(self, head: Tensor) -> Tensor:
        """r+ - r- for a head u, [D]: [N]."""
        return self.difference @ head


@torch.no_grad()
def single_tokens(model: Any, tokenizer: Any, pairs: Iterable[PreferencePair]) -> SingleTokens:
    """Read comparisons through a causal LM, the EOS left out.

    Raises:
        ValueError: as ``encode_pairs``; also where a response is more than one token.
    """
    encoded, _ = encode_pairs(pairs, lambda x, y: encode(tokenizer, x, y))
    sides = [[pair.chosen for pair in encoded], [pair.rejected for pair in encoded]]
    for one in sides[0] + sides[1]:
        if len(one.response) != 2:
            pieces = [tokenizer.decode([i]) for i in one.response[:-1]]
            raise ValueError(f"a response must be one token, got the {len(pieces)} tokens {pieces}")
    states = []
    for side in sides:
        rows = plain_rows([Encoded(one.prompt, one.response[:1]) for one in side], 0)
        hidden = hidden_states(model, rows.to(model.device)).flatten(0, 1)
        states.append((hidden[rows.source], rows.target, hidden[rows.last]))
    (prompt, chosen, after_chosen), (_, rejected, after_rejected) = states
    return SingleTokens(prompt, chosen, rejected, after_chosen, after_rejected)


def head_step(head: Tensor, difference: Tensor, lr: float, *, normalised: bool = False) -> Tensor:
    """One step of full-batch gradient descent on Bradley-Terry for a linear head: [D].

    u + lr mean_i sigma(-m_i) d_i with m_i = <u, d_i>; ``normalised`` makes each step lr long.
    """
    logs = logsigmoid(-(difference @ head))
    if not normalised:
        return head + lr * logs.exp() @ difference / len(difference)
    direction = (logs - logs.max()).exp() @ difference  # so that no margin is too large for exp
    return head + lr * direction / direction.norm()


def unembedding_step(
    unembedding: Tensor, reference: Tensor, data: SingleTokens, beta: float, lr: float
) -> Tensor:
    """One step of full-batch gradient descent on Bradley-Terry for U alone: [V, D].

    U + lr beta mean_i sigma(-m_i) (e_{y+} - e_{y-}) h_x^T: only rows of tokens that occur in
    ``data`` change, and no [N, V] tensor of logits is made.
    """
    pulls = torch.sigmoid(-data.implicit_margins(unembedding, reference, beta))
    pushes = lr * beta / len(pulls) * pulls[:, None] * data.prompt
    rows = torch.cat([data.chosen, data.rejected])
    return unembedding.index_add(0, rows, torch.cat([pushes, -pushes]))


def max_margin_direction(difference: Tensor) -> Tensor:
    """u* = argmin ||u||^2 subject to <u, d_i> >= 1 for all i: [D], of margin exactly 1.

    The hard-margin support vector machine through the origin, as Lawson and Hanson's least-distance
    problem: exact, in finitely many steps.

    Args:
        difference: [N, D], the d_i = h_{x,y+} - h_{x,y-}.

    Raises:
        ValueError: no u has <u, d_i> > 0 for all i.
    """
    d = difference.detach().double().cpu()
    unit = d / d.norm(dim=-1).max()
    rows = torch.cat([unit, d.new_ones(len(d), 1)], -1)  # [N, D + 1]
    target = rows.new_zeros(rows.shape[-1])
    target[-1] = 1
    weight = torch.from_numpy(nnls(rows.T.numpy(), target.numpy(), maxiter=100 * len(d))[0])
    margins = d @ (direction := weight @ unit)  # the support vectors' sum points along u*
    if not margins.min() > 1e-9 * margins.abs().max():
        raise ValueError(
            f"the {len(d)} differences are not separable: no u has <u, d_i> > 0 for all of them"
        )
    return (direction / margins.min()).to(difference)
