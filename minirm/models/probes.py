"""What running a model tells of it: is it causal, is its head linear, can rows share prompts."""

from __future__ import annotations

from typing import Any

import torch

from minirm.batches import pair_rows
from minirm.forward import body, hidden_states, language_model, length_changes_positions, upcast
from minirm.pairs import Encoded, EncodedPair

WINDOWS = (
    "sliding_window", "sliding_window_size", "window_size", "attention_chunk_size",
    "local_attention",
)  # fmt: skip
"""How configurations call the number of tokens that a layer attends to."""
PROBE_TOKENS = 1024
"""The longest answer with which ``can_share_prompts`` looks beyond an attention window."""


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
    states = body(model)(input_ids=ids, use_cache=False).last_hidden_state
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
    return torch.allclose(upcast(large), upcast(logits), atol=slack, rtol=slack)


@torch.no_grad()
def can_share_prompts(model: Any) -> bool:
    """Whether a pair has the same states in one shared row as in two plain rows.

    Measured on a pair of random answers, longer than any window that the model attends to. It
    fails for sliding windows, for models with a state that runs along the row, and where an
    attention kernel (flash attention) or an architecture takes no mask or positions of our own.
    """
    config = language_model(model).config.get_text_config()
    if "flash" in (config._attn_implementation or "") or length_changes_positions(model):
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
    first, second = (Encoded(tuple(prompt), tuple(side)) for side in (chosen, rejected))
    pair = EncodedPair(first, second)
    device, dtype = next(model.parameters()).device, next(model.parameters()).dtype
    was_training = model.training
    model.eval()
    try:
        states = []
        for in_one_row in (False, True):
            rows = pair_rows([pair], 0, shared=in_one_row).to(device)
            with torch.autocast(device.type, enabled=False):
                states.append(upcast(hidden_states(model, rows)).flatten(0, 1)[rows.position])
    except Exception:  # whatever an architecture raises: plain rows show it if it is a real fault
        return False
    finally:
        model.train(was_training)
    plain, shared = states
    slack = 1e-3 if dtype in (torch.float32, torch.float64) else 5e-2
    return bool(((shared - plain).norm(dim=-1) <= slack * plain.norm(dim=-1)).all())
