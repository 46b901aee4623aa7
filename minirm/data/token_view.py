"""What a model's tokenizer, chat template and context make of a set of comparisons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minirm.encoding import PLAIN, Encoded, Text, TextFormat, encode
from minirm.pairs import PreferencePair

LIMITS = (512, 1024, 2048, 4096)
"""Contexts whose cuts are counted beside the model's own."""


@dataclass(frozen=True)
class TokenView:
    """Tokens of prompt and answer together, and what does not come through.

    Attributes:
        median: of the longer side of each pair.
        longest: of all.
        over: how many pairs have a side of more tokens than a context holds, by that context.
        changed: answers that their tokens do not give back to the letter.
        left_out: answers by what the chat template leaves out of them.
        unreadable: pairs that cannot be encoded, each with its place and the reason.
    """

    median: float
    longest: int
    over: Mapping[int, int]
    changed: int
    left_out: Mapping[str, int]
    unreadable: Sequence[str]


def token_view(
    pairs: Sequence[PreferencePair],
    tokenizer: Any,
    *,
    text_format: TextFormat = PLAIN,
    context: int | None = None,
) -> TokenView:
    """Encode every pair as a reward model would, and count.

    Args:
        pairs: the set.
        tokenizer: any of transformers'.
        text_format: how strings are put together.
        context: how many tokens the model reads; None where it names no limit.
    """
    sizes, unreadable = [], []
    changed, left_out = 0, Counter[str]()
    tools: dict[str, Any]
    for place, pair in enumerate(pairs):
        tools = {} if pair.tools is None else {"tools": pair.tools}
        try:
            sides = [
                encode(tokenizer, pair.prompt, answer, text_format=text_format, **tools)
                for answer in (pair.chosen, pair.rejected)
            ]
        except (TypeError, ValueError) as error:
            unreadable.append(f"{pair.origin or f'pair {place}, counted from 0'}: {error}")
            continue
        sizes.append(max(map(len, sides)))
        for side, answer in zip(sides, (pair.chosen, pair.rejected), strict=True):
            left_out.update(side.left_out)
            changed += not _comes_through(tokenizer, side, answer)
    counts = np.array(sizes or [0])
    limits = sorted({*LIMITS, *([context] if context else [])})
    return TokenView(
        median=float(np.median(counts)),
        longest=int(counts.max()),
        over={limit: int((counts > limit).sum()) for limit in limits},
        changed=changed,
        left_out=dict(left_out),
        unreadable=unreadable,
    )


def _comes_through(tokenizer: Any, encoded: Encoded, answer: Text) -> bool:
    """Whether the text of an answer stands in what its tokens give back."""
    ids = [*encoded.prompt, *encoded.response]
    text = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    parts = [answer] if isinstance(answer, str) else [str(m.get("content") or "") for m in answer]
    return all(part in text for part in parts)
