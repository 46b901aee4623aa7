"""From text to token ids. What a preference is; where prompt ends and response begins.

The boundary between prompt and response decides which log-probabilities an implicit reward sums,
so nothing here is guessed: a string prompt and a string response are tokenised separately and
concatenated, a conversation is rendered by the tokenizer's chat template and split at the longest
common token prefix, and every response ends in exactly one EOS. What does not fit is an error that
names the row, or, if asked, dropped and counted; no token is ever cut silently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from jinja2 import TemplateError

Message = Mapping[str, Any]
Text = str | Sequence[Message]
"""A plain string, or a conversation: a list of ``{"role": ..., "content": ...}`` messages."""


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """One comparison (x, y+, y-): to ``prompt``, ``chosen`` was preferred over ``rejected``.

    Strings are taken as they are: no whitespace is added or eaten, so a prompt carries its own
    separating space at its end. All three may instead be conversations (lists of messages).

    Attributes:
        prompt: x.
        chosen: y+.
        rejected: y-.
        tools: the tools that a chat template is to name, as the data has them.
        margin: how far apart the rewards are to be, in nats; 0 is plain Bradley-Terry.
        origin: where the pair comes from, such as "pairs.jsonl, line 3"; errors name it.
    """

    prompt: Text
    chosen: Text
    rejected: Text
    tools: Sequence[Mapping[str, Any]] | None = None
    margin: float = 0.0
    origin: str | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt and one response as token ids; ``response`` ends in EOS (and what a chat template
    puts after it, such as a newline)."""

    prompt: tuple[int, ...]
    response: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.response)


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """A tokenised comparison. ``chosen.prompt == rejected.prompt`` unless the model rewrites it."""

    chosen: Encoded
    rejected: Encoded
    margin: float = 0.0

    def __len__(self) -> int:
        return max(len(self.chosen), len(self.rejected))


def encode(tokenizer: Any, prompt: Text, response: Text) -> Encoded:
    """Tokenise one prompt and one response.

    Raises:
        TypeError: one is a string and the other a conversation, or a message is malformed.
        ValueError: the response is empty, one of them encodes to no token, the tokenizer has no
            EOS token or (for conversations) no chat template, or the template refuses.
    """
    if tokenizer.eos_token_id is None:
        raise ValueError(
            f"{type(tokenizer).__name__} has no EOS token: a response must end in one, so that "
            "both rewards see where it stops; set tokenizer.eos_token first"
        )
    _check_text("prompt", prompt)
    _check_text("response", response)
    if isinstance(prompt, str) != isinstance(response, str):
        raise TypeError(
            "prompt and response must both be strings or both be lists of messages, got "
            f"{type(prompt).__name__} and {type(response).__name__}"
        )
    if isinstance(prompt, str):
        prompt_ids, response_ids = _prompt_ids(tokenizer, prompt), _ids(tokenizer, response)
    else:
        prompt_ids, response_ids = _split_conversation(tokenizer, prompt, response)
    if not prompt_ids:
        raise ValueError(
            f"the prompt {prompt!r} encodes to no token: the first token of a response needs "
            "something to be predicted from; give a prompt, or a tokenizer that adds a BOS"
        )
    if not response_ids:
        raise ValueError(f"the response {response!r} encodes to no token")
    return Encoded(tuple(prompt_ids), tuple(_with_one_eos(tokenizer, response_ids)))


def encode_pairs(
    pairs: Iterable[PreferencePair | Mapping[str, Text]],
    encode: Callable[[Text, Text], Encoded],
    *,
    max_length: int | None = None,
    overlong: Literal["error", "drop"] = "error",
) -> tuple[list[EncodedPair], int]:
    """Validate and tokenise a whole dataset before any long work starts.

    Args:
        pairs: comparisons, as ``PreferencePair`` or as mappings with the same three keys.
        encode: (prompt, response) -> ``Encoded``; a reward model's own ``encode``.
        max_length: most tokens that prompt and response may have together; None for no limit.
        overlong: what to do with a pair over ``max_length``: "error", or "drop" and count it.

    Returns:
        the encoded pairs in order, and how many were dropped as too long.

    Raises:
        TypeError, ValueError: naming the row and the field. Also when nothing is left.
    """
    if overlong not in ("error", "drop"):
        raise ValueError(f'overlong must be "error" or "drop", got {overlong!r}')
    lone = isinstance(pairs, str | bytes | Mapping | PreferencePair)
    if lone or not isinstance(pairs, Iterable):
        raise TypeError(f"pairs must be a sequence of preference pairs, got {type(pairs).__name__}")
    encoded: list[EncodedPair] = []
    longest, dropped = 0, 0
    for row, raw in enumerate(pairs):
        pair = _as_pair(row, raw)
        both = _encode_row(row, pair, encode)
        longest = max(longest, len(both))
        if max_length is not None and len(both) > max_length:
            if overlong == "error":
                raise ValueError(
                    f"row {row}: prompt and response have {len(both)} tokens, more than "
                    f'max_length={max_length}; shorten it, or pass overlong="drop"'
                )
            dropped += 1
            continue
        encoded.append(both)
    if not encoded:
        if dropped:
            raise ValueError(
                f"all {dropped} pairs exceed max_length={max_length}; the longest has {longest}"
            )
        raise ValueError("no preference pairs were given")
    return encoded, dropped


def _as_pair(row: int, raw: Any) -> PreferencePair:
    if isinstance(raw, PreferencePair):
        return raw
    if not isinstance(raw, Mapping):
        raise TypeError(f"row {row}: expected a PreferencePair or a mapping, got {raw!r}")
    missing = [field for field in ("prompt", "chosen", "rejected") if field not in raw]
    if missing:
        raise ValueError(f"row {row}: no field {missing[0]!r}; it has {list(raw)}")
    return PreferencePair(raw["prompt"], raw["chosen"], raw["rejected"])


def _encode_row(
    row: int, pair: PreferencePair, encode: Callable[[Text, Text], Encoded]
) -> EncodedPair:
    sides = []
    try:
        where = f"row {row}"
        for field in ("prompt", "chosen", "rejected"):
            _check_text(field, getattr(pair, field))
        for field in ("chosen", "rejected"):
            where = f"row {row}, {field}"
            sides.append(encode(pair.prompt, getattr(pair, field)))
    except (TypeError, ValueError) as error:
        raise placed(error, where) from error
    chosen, rejected = sides
    if chosen.prompt + chosen.response == rejected.prompt + rejected.response:
        raise ValueError(
            f"row {row}: chosen and rejected tokenise alike ({pair.chosen!r} and "
            f"{pair.rejected!r}), so no reward can tell them apart"
        )
    return EncodedPair(*_share_boundary(chosen, rejected), margin=pair.margin)


def placed(error: Exception, where: str) -> Exception:
    """The same complaint with its place in front, such as "row 3, chosen: ..."."""
    # Not type(error): a UnicodeError, for one, cannot be made from a message.
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"{where}: {error}")


def _share_boundary(chosen: Encoded, rejected: Encoded) -> tuple[Encoded, Encoded]:
    """Move both boundaries back to the shorter prompt where a chat template set them apart."""
    short = min(len(chosen.prompt), len(rejected.prompt))
    if chosen.prompt[:short] != rejected.prompt[:short] or (
        chosen.response == rejected.response  # a judge's verdict: what differs is the question
    ):
        return chosen, rejected
    return tuple(
        Encoded(side.prompt[:short], side.prompt[short:] + side.response)
        for side in (chosen, rejected)
    )


def _check_text(field: str, value: Any) -> None:
    if isinstance(value, str):
        if field != "prompt" and not value:
            raise ValueError(f"the {field} is empty")
        return
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        raise TypeError(f"the {field} must be a string or a list of messages, got {value!r}")
    if not value:
        raise ValueError(f"the {field} is empty")
    for message in value:
        if (
            not isinstance(message, Mapping)
            or not isinstance(message.get("role"), str)
            or not isinstance(message.get("content"), str)
        ):
            raise TypeError(
                f'the {field} holds {message!r}; a message is {{"role": str, "content": str}}'
            )
    if field != "prompt" and not any(message["content"] for message in value):
        raise ValueError(f"the {field} is empty")


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _prompt_ids(tokenizer: Any, prompt: str) -> list[int]:
    """Prompt ids with the tokenizer's own BOS, once, and no EOS that the tokenizer may append."""
    bare = _ids(tokenizer, prompt)
    probe = prompt if bare else "a"  # with nothing in between, BOS and EOS cannot be told apart
    inner = bare or _ids(tokenizer, probe)
    full = list(tokenizer(probe, add_special_tokens=True)["input_ids"])
    extra = len(full) - len(inner)
    lead = next((k for k in range(extra + 1) if full[k : k + len(inner)] == inner), 0)
    specials = full[:lead]
    return bare if bare[:lead] == specials else specials + bare


def _split_conversation(
    tokenizer: Any, prompt: Sequence[Message], response: Sequence[Message]
) -> tuple[list[int], list[int]]:
    if not getattr(tokenizer, "chat_template", None):
        raise ValueError(
            f"{type(tokenizer).__name__} has no chat template, so a conversation cannot be "
            "rendered; give strings, or set tokenizer.chat_template"
        )
    prompt, response = [dict(m) for m in prompt], [dict(m) for m in response]
    try:
        opened = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
        whole = tokenizer.apply_chat_template(prompt + response, tokenize=False)
    except TemplateError as error:
        raise ValueError(f"the chat template refuses {prompt + response!r}: {error}") from error
    opened_ids, whole_ids = _ids(tokenizer, opened), _ids(tokenizer, whole)
    boundary = 0
    for a, b in zip(opened_ids, whole_ids, strict=False):
        if a != b:
            break
        boundary += 1
    return whole_ids[:boundary], whole_ids[boundary:]


def _with_one_eos(tokenizer: Any, ids: list[int]) -> list[int]:
    """End in exactly one EOS; a template's own ending, such as EOS and a newline, is kept."""
    eos = tokenizer.eos_token_id
    end = len(ids)
    while end and (ids[end - 1] == eos or not tokenizer.decode([ids[end - 1]]).strip()):
        end -= 1
    tail = ids[end:]
    if eos not in tail:
        return [*ids, eos]
    first = tail.index(eos)
    return ids[:end] + tail[: first + 1] + [token for token in tail[first + 1 :] if token != eos]
