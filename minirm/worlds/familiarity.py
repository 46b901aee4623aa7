"""How well a language model knows an opening: the log-probability of each of its tokens."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from minirm.encoding import PLAIN, Text, TextFormat, encode
from minirm.worlds.opinions import answer


@dataclass(frozen=True)
class Familiarity:
    """One opening, token by token.

    ``tokens`` are as the tokenizer decodes them; ``log_probs`` (nats) are those of each after the
    prompt and the tokens before it, averaged over prompts.
    """

    opening: str
    tokens: tuple[str, ...]
    log_probs: tuple[float, ...]

    @property
    def total(self) -> float:
        """ln of the whole opening's probability after a prompt (nats), averaged over prompts."""
        return sum(self.log_probs)

    @property
    def least(self) -> float:
        """The log-probability of the token that is expected least (nats)."""
        return min(self.log_probs)


def familiarity(
    model: Any,
    tokenizer: Any,
    openings: Iterable[str],
    prompts: Sequence[Text],
    *,
    text_format: TextFormat = PLAIN,
) -> list[Familiarity]:
    """What a causal language model expects of each opening, as the beginning of an answer.

    An opening's tokens are those that an answer with it begins with whether yes or no comes next.

    Args:
        model: a causal language model.
        tokenizer: its own.
        openings: each a prefix of answers, without the space after it.
        prompts: what the answers answer, at least one; as ``minirm.encoding.encode`` takes them.
        text_format: how prompt and answer are put together.

    Returns:
        one entry an opening, in their order.

    Raises:
        ValueError: no prompt is given, or an opening is empty.
    """
    if not prompts:
        raise ValueError("expected at least one prompt, got none")
    found = []
    for opening in openings:
        if not opening:
            raise ValueError("expected openings of at least one word, got an empty one")
        rows = []
        for prompt in prompts:
            yes, no = (
                encode(tokenizer, prompt, answer(opening, word), text_format=text_format)
                for word in ("yes", "no")
            )
            rows.append((yes.prompt, _shared(yes.response, no.response)))
        means = torch.stack([_log_probs(model, *row) for row in rows]).mean(0)
        tokens = tuple(tokenizer.decode([i]) for i in rows[0][1])
        found.append(Familiarity(opening, tokens, tuple(means.tolist())))
    return found


def _shared(one: Sequence[int], other: Sequence[int]) -> tuple[int, ...]:
    """What both begin with."""
    pairs = zip(one, other, strict=False)
    return tuple(a for a, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


@torch.no_grad()
def _log_probs(model: Any, prompt: Sequence[int], said: Sequence[int]) -> torch.Tensor:
    """ln p [K] (nats) of each token of ``said`` after the prompt and those before it."""
    ids = torch.tensor([[*prompt, *said]], device=model.device)
    log_probs = model(input_ids=ids).logits[0].double().log_softmax(-1)
    places = torch.arange(len(prompt), ids.shape[1], device=model.device)
    return log_probs[places - 1, ids[0, places]]
