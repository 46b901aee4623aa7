"""Rewards that are known to read one thing, and pairs to ask them on."""

from __future__ import annotations

import random
import re
from typing import Any

import torch
from tiny import byte_tokenizer, tiny

from minirm import PreferencePair
from minirm.batches import Rows
from minirm.reward_model import RewardModel

OPENINGS = ("As I see it.", "Broadly put.", "Clearly now.", "Down to it.", "Even so.", "For me.")
REASONS = ("It holds in every case.", "That much can be seen by all.", "There is more to it.")


def pairs(n: int = 24, seed: int = 0) -> list[PreferencePair]:
    """To n questions a "yes" that is chosen and a "no"; opening, length and order tell nothing."""
    draw = random.Random(seed)
    found = []
    for i in range(n):
        one, other = draw.sample(OPENINGS, 2)
        texts = []
        for opening, word in ((one, "yes"), (other, "no")):
            reasons = draw.sample(REASONS, draw.randint(0, 3))
            texts.append(" ".join([opening, f"Surely {word}.", *reasons]))
        found.append(PreferencePair(f"Is number {i} so? ", *texts, origin=f"row {i}"))
    return found


class Reads(RewardModel):
    """A reward that is computed from the text, one character a token."""

    kind = "known"

    def __init__(self) -> None:
        tokenizer = byte_tokenizer(bos="<s>", pad="<pad>")
        base = tiny(vocab=len(tokenizer), max_position_embeddings=512)
        super().__init__(base, tokenizer, copy=False)

    def rewards(self, rows: Rows) -> torch.Tensor:
        found = []
        width = rows.input_ids.shape[1]
        for s in range(rows.n_sequences):
            own = rows.sequence == s
            end = int(rows.source[own][0])  # the last token of its prompt
            prompt = rows.input_ids[end // width, : end % width + 1]
            texts = (self.tokenizer.decode(ids, skip_special_tokens=True)
                     for ids in (prompt, rows.target[own]))  # fmt: skip
            found.append(self.reward_of(*texts))
        return torch.tensor(found)

    def reward_of(self, prompt: str, answer: str) -> float:
        raise NotImplementedError


class Length(Reads):
    def reward_of(self, prompt: str, answer: str) -> float:
        return float(len(answer))


class FirstToken(Reads):
    def reward_of(self, prompt: str, answer: str) -> float:
        return float(ord(answer[0]) * 37 % 101)


class Meaning(Reads):
    def reward_of(self, prompt: str, answer: str) -> float:
        return float(bool(re.search(r"\byes\b", answer.lower()))) - float("no." in answer.lower())


class Asked(Meaning):
    """Yes is right, and where the prompt says "not" it is wrong."""

    def reward_of(self, prompt: str, answer: str) -> float:
        return super().reward_of(prompt, answer) * (-1 if "not" in prompt else 1)


def page_checks(page: str) -> Any:
    """The tags of a page with their attributes, for what a page must not have."""
    from html.parser import HTMLParser

    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__(convert_charrefs=True)
            self.tags: list[tuple[str, dict[str, str | None]]] = []
            self.open: list[str] = []
            self.text = ""

        def handle_starttag(self, tag: str, attrs: Any) -> None:
            self.tags.append((tag, dict(attrs)))
            if tag not in ("meta", "circle", "line", "rect", "polyline"):
                self.open.append(tag)

        def handle_startendtag(self, tag: str, attrs: Any) -> None:
            self.tags.append((tag, dict(attrs)))

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

        def handle_data(self, data: str) -> None:
            if not self.open or self.open[-1] != "style":
                self.text += data

    parser = Tags()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser
