"""From a reward model and pairs to figures of merit. No training, no printing, no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from minirm import distributed, metrics
from minirm.pairs import EncodedPair, PreferencePair, encode_pairs
from minirm.reward_model import RewardModel
from minirm.rewards import ImplicitRM

Pairs = Sequence[PreferencePair | Mapping[str, Any]]


def evaluate(model: RewardModel, pairs: Pairs, *, batch_size: int = 64) -> dict[str, float]:
    """Accuracy (ties count one half), mean margin and normalised margin on preference pairs.

    A response that occurs in several pairs is scored once; every pair counts once.

    Args:
        model: any of the three rewards.
        pairs: B comparisons.
        batch_size: responses at once.

    Raises:
        TypeError: a row is no pair.
        ValueError: a row cannot be encoded, or is longer than the model's context.
    """
    encoded, _ = encode_pairs(pairs, model.encode, max_length=model.max_length)
    return EvaluationSets(model, {"": encoded}, batch_size=batch_size).measure()[""]


def pair_rewards(
    model: RewardModel, pairs: Sequence[EncodedPair], *, batch_size: int = 64
) -> tuple[Tensor, Tensor]:
    """Rewards of the chosen and of the rejected responses, [B] and [B], on the CPU.

    Each distinct response is scored once, by one of the processes where there are several.
    """
    return EvaluationSets(model, {"": pairs}, batch_size=batch_size).rewards()[""]


class EvaluationSets:
    """Named sets of pairs, measured in one pass over the distinct answers of all of them.

    What an implicit reward's reference says of them never changes: it is computed once and kept.

    Args:
        model: any of the three rewards.
        sets: pairs by the name of their set.
        batch_size: responses at once.
    """

    def __init__(
        self,
        model: RewardModel,
        sets: Mapping[str, Sequence[EncodedPair]],
        *,
        batch_size: int = 64,
    ) -> None:
        self.model, self.batch_size = model, batch_size
        sides = {
            name: [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
            for name, pairs in sets.items()
        }
        distinct = dict.fromkeys(side for several in sides.values() for side in several)
        place = {side: i for i, side in enumerate(distinct)}
        self._sequences = list(distinct)
        self._places = {name: [place[side] for side in several] for name, several in sides.items()}
        self._mine = distributed.share(self._sequences)
        self._reference: Tensor | None = None

    def read_reference(self) -> None:
        """Run the reference now; else the first ``rewards`` does."""
        if isinstance(self.model, ImplicitRM) and self.model.has_reference:
            self._reference = self._run(self.model.reference_logprobs)

    def rewards(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Of each set the rewards of chosen and of rejected responses: [B], [B], on the CPU."""
        if self._reference is None:
            self.read_reference()
        scores = self._run(self.model.rewards)[: len(self._mine)]
        found = torch.zeros(len(self._sequences), dtype=sum_dtype(self.model))
        found[self._mine.start : self._mine.stop] = scores
        found = distributed.all_reduce(found)
        chunks = {name: found[places].chunk(2) for name, places in self._places.items()}
        return {name: (chosen, rejected) for name, (chosen, rejected) in chunks.items()}

    def measure(self) -> dict[str, dict[str, float]]:
        """Of each set "accuracy", "margin" and "normalised_margin"."""
        return {
            name: {
                "accuracy": metrics.accuracy(chosen, rejected),
                "margin": float((chosen - rejected).double().mean()),
                "normalised_margin": metrics.normalised_margin(chosen, rejected),
            }
            for name, (chosen, rejected) in self.rewards().items()
        }

    def _run(self, function: Any) -> Tensor:
        """``function`` of this process's share of the answers."""
        own = [self._sequences[i] for i in self._mine or range(1)]  # all take part
        return self.model.map_encoded(
            function,
            own,
            batch_size=self.batch_size,
            plan=distributed.in_step,
            reference=self._reference,
        )


def sum_dtype(model: RewardModel) -> torch.dtype:
    """Of rewards and log-probabilities: float64 where the weights are, else float32."""
    return torch.promote_types(next(model.parameters()).dtype, torch.float32)
