"""One answer taken apart: token by token, and by what its reward loses without each word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minirm.baselines import plain
from minirm.conversations import Tools
from minirm.encoding import Text
from minirm.reading.asking import Asked
from minirm.reading.growth import has_beginnings, prefix_rewards
from minirm.reward_model import RewardModel

PIECES = 24
"""Into at most so many pieces an answer is cut for leaving each out."""
_WORD = re.compile(r"\s*\S+\s*")


@dataclass(frozen=True)
class Cut:
    """An answer in pieces, and the places of the rewards without each of them.

    Attributes:
        pieces: they add up to the answer; one word each, or several where there are many.
        whole: the place of the whole answer's reward.
        without: [pieces], the places of those of the rest.
    """

    pieces: list[str]
    whole: int
    without: list[int]


def pieces(text: str, most: int = PIECES) -> list[str]:
    """A text in at most ``most`` pieces of whole words, as even as can be.

    >>> pieces("one two three", most=2)
    ['one two ', 'three']
    """
    words = _WORD.findall(text)
    ends = [
        round(i * len(words) / min(most, len(words))) for i in range(1, min(most, len(words)) + 1)
    ]
    return ["".join(words[a:b]) for a, b in zip([0, *ends], ends, strict=False)]


def ask(asked: Asked, prompt: Text, response: Text, tools: Tools | None = None) -> Cut:
    """Ask for the rewards of an answer with each of its pieces left out."""
    text = response if isinstance(response, str) else plain(response[-1:])
    parts = pieces(text)
    rests = ["".join(parts[:i] + parts[i + 1 :]) for i in range(len(parts))]
    without = [asked.put(prompt, _with_text(response, rest), tools) for rest in rests]
    return Cut(parts, asked.put(prompt, response, tools), without)


def _with_text(response: Text, text: str) -> Text | None:
    if not text.strip():
        return None
    return (
        text if isinstance(response, str) else [*response[:-1], {**response[-1], "content": text}]
    )


def taken_apart(
    asked: Asked, cut: Cut, prompt: Text, response: Text, tools: Tools | None = None
) -> Mapping[str, Any]:
    """The tokens with what each adds to the reward of the beginning, and the pieces likewise.

    Returns:
        "reward"; "tokens", each [text, reward of the answer up to and with it], empty of a
        generative reward; "pieces", each [text, reward minus the reward without it or None].
    """
    model = asked.model
    reward = float(asked.rewards(cut.whole))
    drops = reward - asked.rewards(cut.without)
    return {
        "reward": reward,
        "tokens": _tokens(model, prompt, response, tools),
        "pieces": [
            [piece, None if np.isnan(drop) else float(drop)]
            for piece, drop in zip(cut.pieces, drops, strict=True)
        ],
    }


def _tokens(model: RewardModel, prompt: Text, response: Text, tools: Tools | None) -> list[list]:
    if not has_beginnings(model):
        return []
    sequence = model.encode(prompt, response, tools)
    (rewards,) = prefix_rewards(model, [sequence])
    texts = [model.tokenizer.decode([token]) for token in sequence.response]
    return [[text, float(reward)] for text, reward in zip(texts, rewards, strict=True)]
