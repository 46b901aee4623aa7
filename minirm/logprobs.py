"""Log-probabilities, ln pi(y|x): six naive lines for readers, and the form that training uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from minirm.batches import Rows
from minirm.forward import hidden_states, language_model, response_logits, upcast


def naive_logprob(model: Any, prompt: Sequence[int], response: Sequence[int]) -> Tensor:
    """ln pi(y|x) = sum_k ln softmax(U h_{x, y<k})_{y_k}, straight from the definition.

    Args:
        model: a causal LM.
        prompt: token ids, without padding.
        response: token ids, without padding.

    Returns:
        a scalar tensor, in nats.
    """
    ids = torch.tensor([[*prompt, *response]], device=model.device)
    logprobs = model(input_ids=ids).logits[0].log_softmax(-1)  # [T, V]
    places = torch.arange(len(prompt), len(ids[0]), device=model.device)  # of y's tokens
    return logprobs[places - 1, ids[0, places]].sum()  # each is predicted one place before


def response_logprobs(model: Any, rows: Rows, *, linear_head: bool = True) -> Tensor:
    """ln pi of each response token: [N], in nats.

    Args:
        model: a causal LM, or one under a LoRA adapter.
        rows: sequences laid out for it.
        linear_head: as in ``response_logits``.
    """
    head = language_model(model).get_output_embeddings()
    # A head that is adapted, hooked or no plain matrix is called, not read.
    if not linear_head or type(head) is not nn.Linear or head._forward_hooks:
        return pick_logprobs(response_logits(model, rows, linear_head=linear_head), rows.target)
    states = hidden_states(model, rows)
    states = states.reshape(-1, states.shape[-1])[rows.source]
    return linear_logprobs(states, head.weight, head.bias, rows.target)


LOGITS_BYTES = 2**30
"""The one dial between memory and time in ``linear_logprobs``: up to this many bytes of logits are
kept for the backward pass; above, they are computed again, a quarter of it at a time."""


def linear_logprobs(
    states: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, *,
    memory: int | None = None,
) -> Tensor:  # fmt: skip
    """``pick_logprobs(linear(states, weight, bias), target)`` in less memory and time.

    Args:
        states: [N, D], the states that predict the targets.
        weight: [V, D], the unembedding.
        bias: [V] or None.
        target: [N] long.
        memory: bytes; None for ``LOGITS_BYTES``.

    Returns:
        [N], in nats, in float32 at least. It has a first derivative only.
    """
    memory = LOGITS_BYTES if memory is None else memory
    device = states.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        states, weight = states.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    vocabulary = len(weight)
    keep = len(states) * vocabulary * states.element_size() <= memory
    full = max(4, states.element_size())  # bytes of a logit while it is worked on
    chunk = max(1, memory // 4 // (vocabulary * full))
    with torch.autocast(device, enabled=False):
        return _LinearLogprobs.apply(
            states, weight, bias, target, chunk, keep and torch.is_grad_enabled()
        )


class _LinearLogprobs(torch.autograd.Function):
    """With z the logits, m their maximum, e = exp(z - m) and t = sum e (each per row):

        ln p_y = z_y - m - ln t        dz = g (onehot(y) - e / t)

    e, unlike softmax, needs no further pass over [N, V]: g / t goes to the side of the states.
    """

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor,
        chunk: int, keep: bool,
    ) -> Tensor:  # fmt: skip
        pieces = [slice(i, i + chunk) for i in range(0, len(states), chunk)]
        picked: list[Tensor] = []
        top: list[Tensor] = []
        total: list[Tensor] = []
        kept: list[Tensor] = []
        for piece in pieces:
            z = upcast(linear(states[piece], weight, bias))
            picked.append(z.gather(-1, target[piece, None]).squeeze(-1))
            top.append(z.amax(-1))
            e = z.sub_(top[-1][:, None]).exp_()
            total.append(e.sum(-1))
            if keep:
                kept.append(e.to(states.dtype))
        tops, totals = torch.cat(top), torch.cat(total)
        ctx.save_for_backward(states, weight, bias, target, tops, totals, *kept)
        ctx.pieces = pieces
        return torch.cat(picked) - tops - totals.log()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        states, weight, bias, target, top, total, *kept = ctx.saved_tensors
        towards_target = g.to(states.dtype)[:, None]  # [N, 1]
        away = (g / total).to(states.dtype)[:, None]
        to_states, to_weight, to_bias = ctx.needs_input_grad[:3]
        d_states = towards_target * weight[target] if to_states else None
        d_weight = torch.zeros_like(weight) if to_weight else None
        d_bias = torch.zeros_like(bias) if to_bias else None
        for i, piece in enumerate(ctx.pieces):
            if kept:
                e = kept[i]
            else:
                z = upcast(linear(states[piece], weight, bias))
                e = z.sub_(top[piece, None]).exp_().to(states.dtype)
            if d_states is not None:
                d_states[piece] -= away[piece] * (e @ weight)
            if d_weight is not None:
                d_weight.addmm_(e.T, away[piece] * states[piece], alpha=-1)
            if d_bias is not None:
                d_bias -= e.T @ away[piece, 0]
        if d_weight is not None:
            d_weight.index_add_(0, target, towards_target * states)
        if d_bias is not None:
            d_bias.index_add_(0, target, towards_target[:, 0])
        return d_states, d_weight, d_bias, None, None, None


def pick_logprobs(logits: Tensor, target: Tensor) -> Tensor:
    """ln softmax(logits)[target] of each row: [N, V], [N] -> [N], in float32 at least.

    >>> pick_logprobs(torch.tensor([[0.0, 0.0], [3.0, 3.0]]), torch.tensor([0, 1])).exp()
    tensor([0.5000, 0.5000])
    """
    logits = upcast(logits)
    return logits.gather(-1, target[:, None]).squeeze(-1) - logits.logsumexp(-1)


def sum_by_sequence(values: Tensor, rows: Rows) -> Tensor:
    """Add up a number per response token over each sequence: [N] -> [S]."""
    return values.new_zeros(rows.n_sequences).index_add(0, rows.sequence, values)
