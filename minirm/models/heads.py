"""A reward head on a causal LM's body, and the pad token that a classifier's folder needs."""

from __future__ import annotations

import copy as copying
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

from minirm.forward import body, language_model
from minirm.models.probes import has_linear_head


def with_head(base: Any, seed: int, *, copy: bool = True) -> Any:
    """``base`` with a linear head of one output, ``score``, on its body; one that is there stays.

    Where the family has a ``...ForSequenceClassification`` with such a head, the result is of that
    class, so that what is saved opens anywhere; else the causal LM itself carries the head.

    Args:
        base: a causal LM, or a sequence classifier with one label.
        seed: of a fresh head, N(0, initializer_range).
        copy: False puts the head on ``base``'s own body.

    Raises:
        ValueError: ``base`` is no causal LM, or its head has more than one output.
    """
    base = copying.deepcopy(base) if copy else base
    if not hasattr(language_model(base), "score"):
        has_linear_head(base)  # raises where the base is no causal LM
        base = _as_classifier(base, seed) or _own_head(base, seed)
    outputs = language_model(base).score.out_features
    if outputs != 1:
        raise ValueError(f"a reward has one number, this head has {outputs}")
    return base


def freeze_unread(model: Any) -> None:
    """Freeze what no text runs through: the towers of a model that also sees or hears.

    Their gradient would be missing, and processes that share a batch wait for it.
    """
    whole = language_model(model)
    if whole.config.get_text_config() is whole.config:
        return
    read = [whole.get_decoder(), whole.get_output_embeddings(), getattr(whole, "score", None)]
    trained = {id(w) for part in read if part is not None for w in part.parameters()}
    for weight in whole.parameters():
        if id(weight) not in trained:
            weight.requires_grad_(False)


def has_own_head(model: Any) -> bool:
    """Whether a causal LM carries the head, for want of a classifier's class in its family."""
    return hasattr(model, "score") and model.get_output_embeddings() is not None


def attach(model: Any, head: nn.Linear) -> Any:
    """Let a causal LM carry ``head``. Its unembedding, which no reward reads, stays as it is."""
    model.score = head
    unembedding = model.get_output_embeddings()
    if unembedding.weight is not model.get_input_embeddings().weight:
        unembedding.requires_grad_(False)
    return model


def ensure_pad(model: Any, tokenizer: Any) -> Any:
    """Name a pad token that is not EOS; returns the tokenizer, copied if changed.

    Our own code needs none: a mask or the order of the tokens hides padding. But Hugging Face's
    classifiers read a reward at the last token that is not padding: where padding is EOS they read
    one too early, and where there is none they refuse a batch. Any special token that no answer
    ends in will do, so a new one is added only where the tokenizer has no other than EOS.
    """
    eos = tokenizer.eos_token_id
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id == eos:
        tokenizer = copying.deepcopy(tokenizer)
        tokenizer.add_special_tokens({"pad_token": _spare_token(tokenizer) or "<|pad|>"})
        if tokenizer.pad_token_id == len(tokenizer) - 1:  # a new one
            make_room(model, tokenizer)
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return tokenizer


def make_room(model: Any, tokenizer: Any) -> None:
    """Give the embedding a row for every token; it never shrinks: many have rows to spare."""
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        with torch.random.fork_rng(devices=[]):  # the same row in every run
            torch.manual_seed(0)
            model.resize_token_embeddings(len(tokenizer), mean_resizing=False)


def _spare_token(tokenizer: Any) -> str | None:
    """A special token that a text does not end in, one that was made for padding if there is."""
    ids = {str(t): i for i, t in tokenizer.added_tokens_decoder.items() if t.special}
    spare = sorted(name for name, i in ids.items() if i != tokenizer.eos_token_id)
    made_for_it = [n for n in spare if "pad" in n.lower()]
    reserved = [n for n in (tokenizer.unk_token, tokenizer.bos_token) if n in spare]
    return next(iter(made_for_it + reserved), None)


def _as_classifier(base: Any, seed: int) -> Any:
    """The body of ``base``, not a copy, in its family's classifier; None where there is none."""
    if type(base.config) not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        return None
    config = copying.deepcopy(base.config)
    config.num_labels = 1
    with torch.device("meta"):  # its weights are all replaced: allocate none
        model = AutoModelForSequenceClassification.from_config(
            config, attn_implementation=base.config._attn_implementation
        )
    prefix, trunk = model.base_model_prefix, body(base)
    simple = {name for name, _ in model.named_children()} == {prefix, "score"}
    if not simple or type(getattr(model, prefix)) is not type(trunk):
        return None  # it does more than to read a head off the last state
    setattr(model, prefix, trunk)
    for name in ("is_quantized", "is_loaded_in_4bit", "is_loaded_in_8bit", "quantization_method"):
        if hasattr(base, name):  # peft looks there for how to adapt a layer
            setattr(model, name, getattr(base, name))
    model.score = _fresh_head(base, model.score.in_features, seed)
    return model.train(base.training)


def _own_head(base: Any, seed: int) -> Any:
    return attach(base, _fresh_head(base, base.config.get_text_config().hidden_size, seed))


def _fresh_head(base: Any, size: int, seed: int) -> nn.Linear:
    weight = next(body(base).parameters())
    dtype = weight.dtype if weight.is_floating_point() else torch.float32
    # skip_init: its draw would move the global random state
    head = nn.utils.skip_init(nn.Linear, size, 1, bias=False, dtype=dtype)
    spread = getattr(base.config, "initializer_range", 0.02)
    nn.init.normal_(head.weight, std=spread, generator=torch.Generator().manual_seed(seed))
    return head.to(weight.device)
