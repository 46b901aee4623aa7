"""A reward that needs no model: how often each word was chosen and how often rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log

import torch
from torch import Tensor

from minirm.pairs import PreferencePair


class WordCounts:
    """r(y) = sum over the words of y of ln((chosen + 1) / (rejected + 1)).

    The counts are of training responses that hold the word. It reads no prompt, no order and no
    meaning, and a word that no training response has adds 0.

    Args:
        pairs: the training pairs, with strings as responses.
        first: how many words of a response are read, from its beginning; None: all.
    """

    def __init__(self, pairs: Sequence[PreferencePair], first: int | None = None) -> None:
        self.first = first
        self.chosen = Counter(word for pair in pairs for word in self._words(str(pair.chosen)))
        self.rejected = Counter(word for pair in pairs for word in self._words(str(pair.rejected)))

    def weight(self, word: str) -> float:
        """What the word adds to a reward."""
        return log((self.chosen[word] + 1) / (self.rejected[word] + 1))

    def score(
        self, prompts: Sequence[str], responses: Sequence[str], *, batch_size: int = 0
    ) -> Tensor:
        """Rewards of B responses, as ``RewardModel.score`` gives them: [B].

        Args:
            prompts: B of them, not read.
            responses: B strings.
            batch_size: of no account here.
        """
        return torch.tensor([sum(map(self.weight, self._words(y))) for y in responses])

    def _words(self, response: str) -> set[str]:
        return set(response.replace(":", "").replace(",", "").split()[: self.first])
