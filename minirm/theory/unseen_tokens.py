"""Theorem 2 of arXiv 2507.07981 in a form that runs: tokens never seen.

``SingleTokens`` are responses of one token and no EOS, read once through fixed hidden states;
``head_step`` and ``unembedding_step`` are one step of full-batch gradient descent on them,
``max_margin_direction`` is where the head turns to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from minirm.batches import plain_rows
from minirm.forward import hidden_states
from minirm.pairs import Encoded, PreferencePair, encode, encode_pairs
from minirm.theory.hulls import nearest_weights


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

    Args:
        model: the causal LM.
        tokenizer: its tokenizer.
        pairs: N comparisons of responses of one token.

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

    u + lr mean_i sigma(-m_i) d_i with m_i = <u, d_i>.

    Args:
        head: [D], u before the step.
        difference: [N, D], the d_i = h_{x,y+} - h_{x,y-}.
        lr: times which the gradient is subtracted.
        normalised: make the step ``lr`` long instead, whatever the gradient's length.
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

    Args:
        unembedding: [V, D], U before the step.
        reference: [V, D], U_ref.
        data: the N comparisons.
        beta: reward per nat.
        lr: times which the gradient is subtracted.
    """
    pulls = torch.sigmoid(-data.implicit_margins(unembedding, reference, beta))
    pushes = lr * beta / len(pulls) * pulls[:, None] * data.prompt
    rows = torch.cat([data.chosen, data.rejected])
    return unembedding.index_add(0, rows, torch.cat([pushes, -pushes]))


def max_margin_direction(difference: Tensor) -> Tensor:
    """u* = argmin ||u||^2 subject to <u, d_i> >= 1 for all i: [D], of margin exactly 1.

    The hard-margin support vector machine through the origin: the shortest vector of the
    differences' hull (``hulls.nearest_weights``), made longer.

    Args:
        difference: [N, D], the d_i = h_{x,y+} - h_{x,y-}.

    Raises:
        ValueError: no u has <u, d_i> > 0 for all i.
    """
    d = difference.detach().double().cpu()
    direction = nearest_weights(d) @ d
    margins = d @ direction
    if not margins.min() > 1e-9 * margins.abs().max():
        raise ValueError(
            f"the {len(d)} differences are not separable: no u has <u, d_i> > 0 for all of them"
        )
    return (direction / margins.min()).to(difference)
