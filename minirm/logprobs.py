"""Ln pi(y|x). The naive six lines for readers and tests, and the form that training uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from minirm.batches import Rows, pair_rows
from minirm.pairs import Encoded, EncodedPair


def naive_logprob(model: Any, prompt: Sequence[int], response: Sequence[int]) -> Tensor:
    """ln pi(y|x) = sum_k ln softmax(U h_{x, y<k})_{y_k}, straight from the definition.

    Args:
        model: a causal LM. prompt, response: token ids, both without padding.

    Returns:
        a scalar tensor, in nats.
    """
    ids = torch.tensor([[*prompt, *response]], device=model.device)
    logprobs = model(input_ids=ids).logits[0].log_softmax(-1)  # [T, V]
    places = torch.arange(len(prompt), len(ids[0]), device=model.device)  # of y's tokens
    return logprobs[places - 1, ids[0, places]].sum()  # each is predicted one place before


def language_model(model: Any) -> Any:
    """The Hugging Face model itself, out of the wrapper of a LoRA adapter (which stays active)."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def hidden_states(model: Any, rows: Rows) -> Tensor:
    """Last hidden states h, after the model's final norm: [R, T, D]."""
    body = language_model(model).base_model
    return body(use_cache=False, **_inputs(model, rows)).last_hidden_state


def response_logits(model: Any, rows: Rows, *, linear_head: bool = True) -> Tensor:
    """Next-token logits at the N states that predict a response token: [N, V].

    Only these states are projected to the vocabulary: no [R, T, V] tensor over prompts and
    padding exists. ``linear_head=False`` is for models that do more to their logits than
    ``get_output_embeddings`` (a soft cap, a scale): they run whole, and pay for it.
    """
    if linear_head:
        states = hidden_states(model, rows)
        head = language_model(model).get_output_embeddings()
        return head(states.reshape(-1, states.shape[-1])[rows.source])
    logits = language_model(model)(use_cache=False, **_inputs(model, rows)).logits
    return logits.reshape(-1, logits.shape[-1])[rows.source]


def response_logprobs(model: Any, rows: Rows, *, linear_head: bool = True) -> Tensor:
    """ln pi of each response token, [N], in nats; ``linear_head`` as in ``response_logits``."""
    head = language_model(model).get_output_embeddings()
    # A head that is adapted, hooked or no plain matrix is called, not read.
    if not linear_head or type(head) is not nn.Linear or head._forward_hooks:
        return pick_logprobs(response_logits(model, rows, linear_head=linear_head), rows.target)
    states = hidden_states(model, rows)
    states = states.reshape(-1, states.shape[-1])[rows.source]
    return linear_logprobs(states, head.weight, head.bias, rows.target)


def _inputs(model: Any, rows: Rows) -> dict[str, Tensor]:
    if rows.segment is None:
        return {"input_ids": rows.input_ids}
    mask = rows.attention_mask
    if language_model(model).config._attn_implementation == "eager":  # which adds its mask
        dtype = language_model(model).dtype
        mask = torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, torch.finfo(dtype).min)
    places = {"attention_mask": mask, "position_ids": rows.position_ids}
    return {"input_ids": rows.input_ids, **places}


LOGITS_BYTES = 2**30
"""The one dial between memory and time in ``linear_logprobs``: up to this many bytes of logits are
kept for the backward pass; above, they are computed again, a quarter of it at a time."""


def linear_logprobs(
    states: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, *,
    memory: int | None = None,
) -> Tensor:  # fmt: skip
    """``pick_logprobs(linear(states, weight, bias), target)`` in less memory and time.

    Args:
        states: [N, D]. weight: [V, D]. bias: [V] or None. target: [N].
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
    def forward(ctx, states, weight, bias, target, chunk, keep):
        pieces = [slice(i, i + chunk) for i in range(0, len(states), chunk)]
        picked, top, total, kept = [], [], [], []
        for piece in pieces:
            z = in_full(linear(states[piece], weight, bias))
            picked.append(z.gather(-1, target[piece, None]).squeeze(-1))
            top.append(z.amax(-1))
            e = z.sub_(top[-1][:, None]).exp_()
            total.append(e.sum(-1))
            if keep:
                kept.append(e.to(states.dtype))
        picked, top, total = map(torch.cat, (picked, top, total))
        ctx.save_for_backward(states, weight, bias, target, top, total, *kept)
        ctx.pieces = pieces
        return picked - top - total.log()

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
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
                z = in_full(linear(states[piece], weight, bias))
                e = z.sub_(top[piece, None]).exp_().to(states.dtype)
            if to_states:
                d_states[piece] -= away[piece] * (e @ weight)
            if to_weight:
                d_weight.addmm_(e.T, away[piece] * states[piece], alpha=-1)
            if to_bias:
                d_bias -= e.T @ away[piece, 0]
        if to_weight:
            d_weight.index_add_(0, target, towards_target * states)
        if to_bias:
            d_bias.index_add_(0, target, towards_target[:, 0])
        return d_states, d_weight, d_bias, None, None, None


def pick_logprobs(logits: Tensor, target: Tensor) -> Tensor:
    """ln softmax(logits)[target] of each row: [N, V], [N] -> [N], in float32 at least."""
    logits = in_full(logits)
    return logits.gather(-1, target[:, None]).squeeze(-1) - logits.logsumexp(-1)


def sum_by_sequence(values: Tensor, rows: Rows) -> Tensor:
    """Add up a number per response token over each sequence: [N] -> [S]."""
    return values.new_zeros(rows.n_sequences).index_add(0, rows.sequence, values)


def in_full(values: Tensor) -> Tensor:
    """float32 at least: half-precision sums would tie rewards that differ."""
    return values if values.dtype == torch.float64 else values.float()


@torch.no_grad()
def has_linear_head(model: Any) -> bool:
    """Whether the logits are ``get_output_embeddings()`` of the last hidden state, and no more.

    Raises:
        ValueError: the model is not a causal LM: a later token changes an earlier state.
    """
    model = language_model(model)
    head = model.get_output_embeddings()
    if head is None:
        raise ValueError(f"{type(model).__name__} predicts no tokens, so it is no language model")
    device = next(model.parameters()).device
    # Two rows that differ in their last token only: a causal model cannot tell before it.
    ids = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 5]], device=device)
    was_training = model.training
    model.eval()
    states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
    # A soft cap hardly shows on the small logits of a fresh model, so they are made large.
    hook = head.register_forward_hook(lambda _module, _inputs, logits: 100 * logits)
    try:
        large = head(states)
        logits = model(input_ids=ids, use_cache=False).logits
    finally:
        hook.remove()
        model.train(was_training)
    slack = 1e-3 if states.dtype in (torch.float32, torch.float64) else 5e-2
    if not torch.allclose(states[0, :3], states[1, :3], atol=slack, rtol=slack):
        raise ValueError(
            f"{type(model).__name__} is not causal: a token changes the states before it, "
            "so it has no ln pi(y|x)"
        )
    return torch.allclose(in_full(large), in_full(logits), atol=slack, rtol=slack)


WINDOWS = ("sliding_window", "sliding_window_size", "window_size", "attention_chunk_size")
"""How configurations call the number of tokens that a layer attends to."""
PROBE_TOKENS = 1024
"""The longest answer with which ``can_share_prompts`` looks beyond an attention window."""


@torch.no_grad()
def can_share_prompts(model: Any) -> bool:
    """Whether a pair has the same states in one shared row as in two plain rows.

    Measured on a pair of random answers, longer than any window that the model attends to. It
    fails for sliding windows, for models with a state that runs along the row, and where an
    attention kernel (flash attention) or an architecture takes no mask or positions of our own.
    """
    config = language_model(model).config.get_text_config()
    if "flash" in (config._attn_implementation or ""):
        return False
    windows = [getattr(config, name, None) for name in WINDOWS]
    length = 2 + max([10, *(w for w in windows if isinstance(w, int))])
    if context := getattr(config, "max_position_embeddings", None):
        length = min(length, context - 4)  # no sequence will look further back
    if length > PROBE_TOKENS:
        return False  # a window too wide to look beyond in a moment
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(config.vocab_size, (4 + 2 * length,), generator=draw).tolist()
    prompt, chosen, rejected = ids[:4], ids[4 : 4 + length], ids[4 + length :]
    pair = EncodedPair(*(Encoded(tuple(prompt), tuple(side)) for side in (chosen, rejected)))
    device, dtype = next(model.parameters()).device, next(model.parameters()).dtype
    was_training = model.training
    model.eval()
    try:
        states = []
        for shared in (False, True):
            rows = pair_rows([pair], 0, shared=shared).to(device)
            with torch.autocast(device.type, enabled=False):
                states.append(in_full(hidden_states(model, rows)).flatten(0, 1)[rows.position])
    except Exception:  # whatever an architecture raises: plain rows show it if it is a real fault
        return False
    finally:
        model.train(was_training)
    plain, shared = states
    slack = 1e-3 if dtype in (torch.float32, torch.float64) else 5e-2
    return bool(((shared - plain).norm(dim=-1) <= slack * plain.norm(dim=-1)).all())
