"""The paper's section 5.2 as data: what is trained on, the seven test sets, and a prompt control.

Three of the sets are rewrites of the 200 pairs of the first, so a prompt is one unit in all four.
In the control (LLMBar's case study) the same two answers stand under an instruction and under its
negation, and the label turns round: who does not read the prompt is right in half of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minirm.data.public import Found, load_public
from minirm.pairs import Encoded, EncodedPair, PreferencePair

WORDINGS = ("ultrafeedback", "paraphrase", "french", "spanish")
DOMAINS = ("math", "code", "rewardmath")
CONTROL = ("normal", "negation")
GROUPS: Mapping[str, tuple[str, ...]] = {
    "rewrites": WORDINGS[1:],
    "other domains": DOMAINS,
    "instructions": CONTROL,
}
"""Sets that are judged together too. After training on UltraFeedback the first two are what the
paper calls a token-level and a domain shift."""
SETS: Mapping[str, str] = {
    "ultrafeedback": "ultrafeedback test",
    "paraphrase": "paraphrase",
    "french": "french",
    "spanish": "spanish",
    "math": "rewardbench math",
    "code": "rewardbench code",
    "rewardmath": "rewardmath test",
    "normal": "llmbar normal",
    "negation": "llmbar negation",
}
"""What each set is called in ``minirm.data.public``."""

Pairs = Sequence[PreferencePair | None]


@dataclass(frozen=True)
class Limits:
    """How much of the data is used; the same for every reward.

    Args:
        pairs: training pairs, the first so many that fit; None for all.
        items: of each test set the first so many pairs that fit; None for all.
        max_prompt: pairs with a longer prompt, in tokens, are left out.
        max_answer: longer answers are cut after so many tokens, and end there.
    """

    pairs: int | None = None
    items: int | None = None
    max_prompt: int | None = None
    max_answer: int | None = None


@dataclass(frozen=True)
class Data:
    """Pairs to train on and to ask about, as strings.

    Args:
        train: training pairs.
        tests: of each set its pairs, in the file's order; None for one that was left out.
        found: where each came from, the training pairs under "train".
    """

    train: list[PreferencePair]
    tests: Mapping[str, Pairs]
    found: Mapping[str, Found]

    def units(self, name: str) -> list[Hashable]:
        """What each kept pair of a set belongs to: its prompt, or in the control its answers."""
        kept = [pair for pair in self.tests[name] if pair is not None]
        if name in CONTROL:
            return [frozenset((pair.chosen, pair.rejected)) for pair in kept]
        return [pair.prompt for pair in kept]

    def origins(self) -> dict[str, list[str | None]]:
        """Source, revision and licence of each set."""
        return {name: [f.source, f.revision, f.licence] for name, f in self.found.items()}


def read(train: str, tokenizer: Any, limits: Limits) -> Data:
    """All that a run is trained on and asked about.

    Args:
        train: "ultrafeedback", "rewardmath", or a file of preference pairs with string parts.
        tokenizer: whose tokens are counted.
        limits: how much of it.

    Raises:
        FileNotFoundError: a set is nowhere to be had; the message says what to pass.
        ValueError: a set cannot be read, nothing is left of one, or the four wordings are not of
            the same prompts.
    """
    found = {"train": load_public(train)}
    found |= {name: load_public(called) for name, called in SETS.items()}

    def fitting(pair: PreferencePair) -> PreferencePair | None:
        if limits.max_prompt is not None and _size(tokenizer, pair.prompt) > limits.max_prompt:
            return None
        if limits.max_answer is None:
            return pair
        sides = [cut(tokenizer, str(s), limits.max_answer) for s in (pair.chosen, pair.rejected)]
        return replace(pair, chosen=sides[0], rejected=sides[1])

    def first(several: Sequence[PreferencePair], most: int | None, *, apart: bool) -> Pairs:
        fit: list[PreferencePair | None] = []
        for pair in several:
            if most is not None and len(fit) - fit.count(None) == most:
                break
            cut_pair = fitting(pair)
            alike = cut_pair is not None and cut_pair.chosen == cut_pair.rejected
            fit.append(None if apart and alike else cut_pair)
        return fit

    chosen = first(found["train"].pairs, limits.pairs, apart=True)
    pairs = [pair for pair in chosen if pair is not None]
    tests = {name: first(found[name].pairs, limits.items, apart=False) for name in SETS}
    every: dict[str, Pairs] = {"train": pairs, **tests}
    for name, several in every.items():
        if not any(pair is not None for pair in several):
            raise ValueError(
                f"no pair of {found[name].source} is left: max_prompt={limits.max_prompt} leaves "
                "all out, or cut answers are all alike"
            )
    _check_wordings({name: found[name] for name in WORDINGS})
    return Data(pairs, tests, found)


def cut(tokenizer: Any, text: str, most: int) -> str:
    """The text up to the end of its token number ``most``; all of it where it has fewer."""
    places = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    offsets = places["offset_mapping"]
    return text if len(offsets) <= most else text[: offsets[most - 1][1]]


def in_format(pair: PreferencePair, *, chat: bool) -> PreferencePair:
    """The pair as turns of a conversation, or with a line break between prompt and answer."""
    if not chat:
        return replace(pair, prompt=f"{pair.prompt}\n")
    asked = [{"role": "user", "content": pair.prompt}]
    first, second = (
        [{"role": "assistant", "content": side}] for side in (pair.chosen, pair.rejected)
    )
    return replace(pair, prompt=asked, chosen=first, rejected=second)


class Asked:
    """The test sets as token ids of a model, and numbers of their answers put back in place.

    Args:
        data: what is asked.
        encode: (prompt, response) -> ``Encoded``, a reward model's.
        chat: as turns of a conversation.
        max_length: the model's context, or None.

    Attributes:
        sets: the kept pairs of each set.
        lengths: tokens of both answers, EOS included, of each set: [B, 2], NaN where left out.

    Raises:
        ValueError: an answer with its prompt is longer than the context.
    """

    def __init__(
        self, data: Data, encode: Callable[..., Encoded], *, chat: bool, max_length: int | None
    ) -> None:
        self.data = data
        self.sets: dict[str, list[EncodedPair]] = {}
        for name, pairs in data.tests.items():
            kept = [in_format(pair, chat=chat) for pair in pairs if pair is not None]
            self.sets[name] = [
                EncodedPair(encode(p.prompt, p.chosen), encode(p.prompt, p.rejected)) for p in kept
            ]
            for pair, encoded in zip(kept, self.sets[name], strict=True):
                if max_length is not None and len(encoded) > max_length:
                    raise ValueError(
                        f"{pair.origin}: prompt and answer have {len(encoded)} tokens, the model's "
                        f"context is {max_length}: see --max-prompt and --max-answer"
                    )
        self.lengths = self.in_place(
            {
                name: ([len(p.chosen.response) for p in s], [len(p.rejected.response) for p in s])
                for name, s in self.sets.items()
            }
        )

    def in_place(self, values: Mapping[str, tuple[Any, Any]]) -> dict[str, np.ndarray]:
        """Numbers of the kept pairs' two sides as [B, 2] of each set, NaN where left out."""
        found = {}
        for name, sides in values.items():
            pairs = self.data.tests[name]
            kept = np.array([pair is not None for pair in pairs])
            found[name] = np.full((len(pairs), 2), np.nan)
            found[name][kept] = np.stack([np.asarray(side, dtype=float) for side in sides], -1)
        return found


def _size(tokenizer: Any, text: Any) -> int:
    return len(tokenizer(str(text), add_special_tokens=False)["input_ids"])


def _check_wordings(found: Mapping[str, Found]) -> None:
    first, *others = ([pair.prompt for pair in f.pairs] for f in found.values())
    if any(other != first for other in others):
        raise ValueError(
            f"the sets {', '.join(found)} must have the same prompts in the same order: they are "
            "one set of pairs in four wordings"
        )
