"""Rows through a language model: its hidden states, and the logits that predict the responses."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from minirm.batches import Rows


def language_model(model: Any) -> Any:
    """The Hugging Face model itself, out of the wrapper of a LoRA adapter (which stays active)."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def body(model: Any) -> Any:
    """What gives the hidden states: the model without its head."""
    whole = language_model(model)
    if whole.base_model is not whole:
        return whole.base_model
    # Where a family's prefix names no part of it (Llama 4), that is the model itself.
    return next(part for part in whole.children() if part is not whole.get_output_embeddings())


def hidden_states(model: Any, rows: Rows) -> Tensor:
    """Last hidden states h, after the model's final norm: [R, T, D]."""
    return _run(model, body(model), "last_hidden_state", rows)


def response_logits(model: Any, rows: Rows, *, linear_head: bool = True) -> Tensor:
    """Next-token logits at the N states that predict a response token: [N, V].

    Only these states are projected to the vocabulary: no [R, T, V] tensor over prompts and
    padding exists.

    Args:
        model: a causal LM, or one under a LoRA adapter.
        rows: sequences laid out for it.
        linear_head: False for models that do more to their logits than ``get_output_embeddings``
            (a soft cap, a scale): they run whole, and pay for it.
    """
    if linear_head:
        states = hidden_states(model, rows)
        head = language_model(model).get_output_embeddings()
        return head(states.reshape(-1, states.shape[-1])[rows.source])
    logits = _run(model, language_model(model), "logits", rows)
    return logits.reshape(-1, logits.shape[-1])[rows.source]


def upcast(values: Tensor) -> Tensor:
    """float32 at least: half-precision sums would tie rewards that differ."""
    return values if values.dtype == torch.float64 else values.float()


def length_changes_positions(model: Any) -> bool:
    """Whether a token's place is encoded otherwise in a long row than in a short one.

    So it is with rotary embeddings of the types "longrope" (Phi-3) and "dynamic": they look at the
    longest position of the whole batch, so that an answer's states would depend on its neighbours.
    """
    parameters = getattr(language_model(model).config.get_text_config(), "rope_parameters", None)
    if not isinstance(parameters, dict):
        return False
    kinds = [parameters, *(v for v in parameters.values() if isinstance(v, dict))]
    return any(kind.get("rope_type") in ("longrope", "dynamic") for kind in kinds)


def _run(model: Any, part: Any, output: str, rows: Rows) -> Tensor:
    """``output`` of ``part`` of ``model`` on ``rows``: [R, T, ...]."""
    if not length_changes_positions(model):
        return getattr(part(use_cache=False, **_inputs(model, rows)), output)
    height, width = rows.input_ids.shape
    lengths = [0] * height
    for last in rows.last.tolist():
        lengths[last // width] = max(lengths[last // width], last % width + 1)
    results: list[Tensor] = []
    for ids, length in zip(rows.input_ids, lengths, strict=True):  # each as if it were alone
        _forget_length(part)
        result = getattr(part(use_cache=False, input_ids=ids[None, :length]), output)
        blank = result.new_zeros(1, width - length, result.shape[-1])
        results.append(torch.cat([result, blank], dim=1))
    return torch.cat(results)


def _forget_length(part: Any) -> None:
    """Let "dynamic" rotary embeddings forget the longest row that they have seen."""
    for module in part.modules():
        if hasattr(module, "original_inv_freq"):
            module.max_seq_len_cached = module.original_max_seq_len
            module.inv_freq.copy_(module.original_inv_freq)


def _inputs(model: Any, rows: Rows) -> dict[str, Tensor]:
    if rows.segment is None:
        return {"input_ids": rows.input_ids}
    mask, position_ids = rows.attention_mask, rows.position_ids
    assert mask is not None  # shared rows have both
    assert position_ids is not None
    if language_model(model).config._attn_implementation == "eager":  # which adds its mask
        dtype = language_model(model).dtype
        mask = torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, torch.finfo(dtype).min)
    return {"input_ids": rows.input_ids, "attention_mask": mask, "position_ids": position_ids}
