"""What ``minirm doctor MODEL`` says: what of a model may surprise whoever works with it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

from minirm import load_base
from minirm.commands.opening import AS_PUBLISHED, fetched, is_classifier
from minirm.commands.shared import REWARDS, told_in_one_line
from minirm.conversations import CUT, prints_date, render
from minirm.encoding import TextFormat
from minirm.forward import language_model
from minirm.models.probes import can_share_prompts
from minirm.models.rounding import TOO_MANY_TIES, share_on_ties
from minirm.models.saving import saved_kind


def examined(name: str) -> Iterator[tuple[str, str]]:
    """A name and a line for each thing that was looked at, as each is found.

    Args:
        name: of a bundled model, a folder, or a model on the hub.

    Raises:
        FileNotFoundError: there is no such model.
    """
    with told_in_one_line(name):
        kind, model, tokenizer, context, how = _opened(name)
    weights = sum(weight.numel() for weight in model.parameters())
    dtype = str(model.dtype).removeprefix("torch.")
    yield "model", f"{kind}, {type(language_model(model)).__name__}"
    yield "weights", f"{weights:,} in {dtype}"
    yield "context", f"{context} tokens" if context else "it names no limit"
    yield "end, padding", _special_tokens(tokenizer)
    yield "chat template", _template(tokenizer, how.ends_in_eos)
    if kind != "language model":
        yield "reads text", _reading(how)
    yield "shared prompts", _sharing(model)
    yield "bfloat16", _rounding(share_on_ties(model))


def _opened(name: str) -> tuple[str, Any, Any, int | None, TextFormat]:
    source = fetched(name)
    kind = saved_kind(source)
    if kind is None and is_classifier(source):
        kind = "explicit"
    if kind is not None:
        reward = REWARDS[kind].from_pretrained(source)
        return (
            f"{kind} reward", reward.model, reward.tokenizer, reward.max_length, reward.text_format
        )  # fmt: skip
    with warnings.catch_warnings():  # of what `examined` says in a line of its own
        warnings.filterwarnings("ignore", ".* lie half way between two bfloat16 numbers")
        model, tokenizer = load_base(source, dtype=AS_PUBLISHED)
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return "language model", model, tokenizer, context, TextFormat()


def _reading(how: TextFormat) -> str:
    strings = "strings as turns" if how.chat else "strings as they are"
    if how.separator:
        strings += f", with {how.separator!r} between them"
    end = "one EOS at the end" if how.ends_in_eos else "the end as the template has it"
    return f"{strings}; {end}" + (f"; the day is {how.date}" if how.date else "")


def _special_tokens(tokenizer: Any) -> str:
    end, pad = tokenizer.eos_token, tokenizer.pad_token
    if end is None:
        return "it has no EOS token, and a response must end in one: set tokenizer.eos_token"
    if pad is None:
        return f"EOS {end!r}; no pad token (an explicit reward gets one)"
    if pad == end:
        return f"EOS {end!r} is the pad token too (an explicit reward gets another)"
    return f"EOS {end!r}, pad {pad!r}"


def _template(tokenizer: Any, ends_in_eos: bool) -> str:
    if not getattr(tokenizer, "chat_template", None):
        return "none: give strings, not conversations"
    remarks = []
    prompt = [{"role": "user", "content": "Is it so?"}]
    try:
        plain = render(tokenizer, prompt, [{"role": "assistant", "content": "It is."}])
        thought = [{"role": "assistant", "content": "<think>\nHm.\n</think>\n\nIt is."}]
        if CUT in render(tokenizer, prompt, thought).left_out:
            remarks.append("cuts <think>...</think> out of an answer")
    except ValueError as error:
        return f"fails on a question and an answer: {error}"
    if prints_date(tokenizer):
        remarks.append("prints the day's date")
    if tokenizer.eos_token is not None and tokenizer.eos_token not in plain.whole[-40:]:
        remarks.append("ends a turn without EOS" + " (one is added)" * ends_in_eos)
    return "there is one" + "".join(f"; it {remark}" for remark in remarks)


def _sharing(model: Any) -> str:
    if can_share_prompts(model):
        return "answers to one prompt run in one row"
    return "not possible here: every answer runs with its prompt, as exact and slower"


def _rounding(share: float) -> str:
    if share < TOO_MANY_TIES:
        return f"{share:.2%} of the weights lie half way between two of its numbers: as is usual"
    return (
        f"{share:.1%} of the weights lie half way between two of its numbers, as after float16 or "
        "4 bits: the smallest step rounds them either way; train with --precision no (float32)"
    )
