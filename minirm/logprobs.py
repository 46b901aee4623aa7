"""Room: ln pi(y|x). The naive six lines for readers and tests, and the form that training uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from minirm.batches import Rows


def naive_logprob(model: Any, prompt: Sequence[int], response: Sequence[int]) -> Tensor:
    """ln pi(y|x) = sum_k ln softmax(U h_{x, y<k})_{y_k}, straight from the definition.

    Args:
        model: a causal LM. prompt, response: token ids, both without padding.

    Returns:
        a scalar tensor, in nats.
    """
    ids = torch.tensor([[*prompt, *response]], device=model.device)
    logprobs = model(input_ids=ids).logits[0].log_softmax(-1)  # [T, V]
    places = torch.arange(
        len(prompt), len(ids[0]), device=model.device
    )  # where the response's tokens stand
    return logprobs[places - 1, ids[0, places]].sum()  # each is predicted one place before


def hidden_states(model: Any, rows: Rows) -> Tensor:
    """Last hidden states h, after the model's final norm: [R, T, D]."""
    return model.base_model(input_ids=rows.input_ids, use_cache=False).last_hidden_state


def response_logits(model: Any, rows: Rows, *, linear_head: bool = True) -> Tensor:
    """Next-token logits at the N states that predict a response token: [N, V].

    Only these states are projected to the vocabulary: no [R, T, V] tensor over prompts and
    padding exists. ``linear_head=False`` is for models that do more to their logits than
    ``get_output_embeddings`` (a soft cap, a scale): they run whole, and pay for it.
    """
    if linear_head:
        states = hidden_states(model, rows)
        head = model.get_output_embeddings()
        return head(states.reshape(-1, states.shape[-1])[rows.source])
    logits = model(input_ids=rows.input_ids, use_cache=False).logits
    return logits.reshape(-1, logits.shape[-1])[rows.source]


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
