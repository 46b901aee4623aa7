"""The judge that counts words, as the chapters on the Persona pairs need it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from minirm.baselines import UnigramCues
from minirm.pairs import PreferencePair, Text


class WordCounts(UnigramCues):
    """``UnigramCues`` over words as they are written, colons and commas aside.

    Capitals count: in the Persona pairs *My* begins rejected answers, and *my* stands in chosen
    ones.

    Args:
        pairs: the training pairs, with strings as responses.
        first: how many words of a response are read, from its beginning; None: all.
    """

    def __init__(self, pairs: Sequence[PreferencePair], first: int | None = None) -> None:
        super().__init__(pairs, lambda text: _as_written(text)[:first])

    def score(
        self, prompts: Sequence[Text], responses: Sequence[Text], *, batch_size: int = 0
    ) -> Tensor:
        """Rewards of B responses, as ``RewardModel.score`` gives them: [B].

        Args:
            prompts: B of them, not read.
            responses: B strings.
            batch_size: of no account here.
        """
        return super().score(prompts, responses)


def _as_written(text: Text) -> list[str]:
    return str(text).replace(":", "").replace(",", "").split()
