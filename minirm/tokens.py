"""From strings to token ids, so that no character is added or eaten, whatever the tokenizer.

A prompt and a response are tokenised apart, so that the boundary between them holds and responses
to one prompt share its tokens. Many tokenizers put a blank before every text (Llama 2, Mistral,
Phi-3, GPT-2 with ``add_prefix_space``) and take it away again when they decode one. That is right
where a text begins and wrong where it goes on: "Is it?\\n" and "yes" would be read as
"Is it?\\n yes". Hence two readings, ``start_ids`` and ``continuation_ids``; of a tokenizer that
adds nothing, both give the plain one.

What a tokenizer loses by itself (capitals, white space, a letter that it does not know) is lost
here too: nothing can be put back. What is promised then is that the two parts read as the whole
text reads, and ``warn_if_lossy`` says that something is lost. Where a text names a special token,
such as "</s>", it is that token, here as everywhere in transformers.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

ANCHORS = ("\n", "a", ".")
"""What stands before a text while it is read as a continuation; more than one, for the first may
merge with it into one token."""
SAMPLE = "A b,\n\n  c"
"""Capitals, punctuation and white space: what tokenizers lose."""


def plain_ids(tokenizer: Any, text: str) -> list[int]:
    """What the tokenizer itself makes of ``text``, without BOS and EOS.

    Raises:
        ValueError: the text holds half a character (a lone surrogate), which is in no encoding.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        near = text[max(0, error.start - 20) : error.end + 20]
        raise ValueError(
            f"{near!r} holds half a character, {text[error.start]!r} (a lone surrogate)"
        ) from error
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def decoded(tokenizer: Any, ids: list[int]) -> str:
    """The text that ``ids`` stand for, with nothing tidied up."""
    return tokenizer.decode(ids, clean_up_tokenization_spaces=False)


@lru_cache(maxsize=8)
def own_blank(tokenizer: Any) -> Literal["none", "hidden", "shown"]:
    """Whether the tokenizer puts a blank before a text, and whether decoding takes it away again.

    Found out once a tokenizer, with an "a".
    """
    try:
        letter, anchor = plain_ids(tokenizer, "a"), plain_ids(tokenizer, ANCHORS[0])
        joined = plain_ids(tokenizer, ANCHORS[0] + "a")
    except Exception:  # of its own kind: a closed list of words refuses what is not on it
        return "none"
    if joined == anchor + letter or decoded(tokenizer, joined) == decoded(
        tokenizer, anchor + letter
    ):
        return "none"
    return "shown" if decoded(tokenizer, letter) == " a" else "hidden"


def start_ids(tokenizer: Any, text: str) -> list[int]:
    """``text`` at the beginning of what a model reads, where a tokenizer may put its own blank."""
    blank = own_blank(tokenizer)
    if blank == "shown":
        return continuation_ids(tokenizer, text)
    if blank == "hidden" and text.startswith(" "):
        taken_for_its_own = plain_ids(tokenizer, " a") == plain_ids(tokenizer, "a")
        text = " " + text if taken_for_its_own else text
    return plain_ids(tokenizer, text)


def continuation_ids(tokenizer: Any, text: str) -> list[int]:
    """``text`` where it goes on after other text: nothing stands before it but what it says."""
    plain = plain_ids(tokenizer, text)
    if own_blank(tokenizer) == "none":
        return plain
    for anchor in ANCHORS:
        alone, joined = plain_ids(tokenizer, anchor), plain_ids(tokenizer, anchor + text)
        if decoded(tokenizer, joined) == decoded(tokenizer, alone + plain):
            return plain  # it says its blank itself
        if joined[: len(alone)] == alone:
            return joined[len(alone) :]
    return plain


def prompt_ids(tokenizer: Any, prompt: str) -> list[int]:
    """``prompt`` after the tokenizer's own BOS, once, without an EOS that it may append."""
    ids = start_ids(tokenizer, prompt)
    bare = ids if own_blank(tokenizer) == "none" else plain_ids(tokenizer, prompt)
    probe = prompt if bare else "a"  # with nothing in between, BOS and EOS cannot be told apart
    inner = bare or plain_ids(tokenizer, probe)
    full = list(tokenizer(probe, add_special_tokens=True)["input_ids"])
    extra = len(full) - len(inner)
    lead = next((k for k in range(extra + 1) if full[k : k + len(inner)] == inner), 0)
    specials = full[:lead]
    return ids if ids[:lead] == specials else specials + ids


def single_token(tokenizer: Any, word: str) -> int:
    """The id of a word that goes on after a text.

    Raises:
        ValueError: it is more than one token; the message names the pieces.
    """
    ids = continuation_ids(tokenizer, word)
    if len(ids) != 1:
        pieces = [tokenizer.decode([token]) for token in ids]
        raise ValueError(f"{word!r} must be one token, this tokenizer cuts it into {pieces}")
    return ids[0]


def with_one_eos(tokenizer: Any, ids: Sequence[int]) -> list[int]:
    """End in exactly one EOS; a template's own ending, such as EOS and a newline, is kept."""
    eos = tokenizer.eos_token_id
    ids, end = list(ids), len(ids)
    while end and (ids[end - 1] == eos or not tokenizer.decode([ids[end - 1]]).strip()):
        end -= 1
    tail = ids[end:]
    if eos not in tail:
        return [*ids, eos]
    first = tail.index(eos)
    return ids[:end] + tail[: first + 1] + [token for token in tail[first + 1 :] if token != eos]


def warn_if_lossy(tokenizer: Any) -> None:
    """Say what a tokenizer does to a sample of text that it does not give back as it was."""
    try:
        given = decoded(tokenizer, start_ids(tokenizer, SAMPLE))
    except Exception:  # a closed list of words: it refuses what it would lose
        return
    if given != SAMPLE:
        warnings.warn(
            f"{type(tokenizer).__name__} gives {SAMPLE!r} back as {given!r}: what it loses (such "
            "as capitals, white space or letters that it does not know) no model reads",
            stacklevel=4,
        )
