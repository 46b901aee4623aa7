"""From a reward model and pairs to figures of merit. No training, no printing, no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from minirm import distributed, metrics
from minirm.pairs import EncodedPair, PreferencePair, encode_pairs
from minirm.reward_model import RewardModel

Pairs = Sequence[PreferencePair | Mapping[str, Any]]


def evaluate(model: RewardModel, pairs: Pairs, *, batch_size: int = 64) -> dict[str, float]:
    """Accuracy (ties count one half), mean margin and normalised margin on preference pairs.

    A response that occurs in several pairs is scored once; every pair counts once.
    """
    encoded, _ = encode_pairs(pairs, model.encode, max_length=model.max_length)
    return evaluate_encoded(model, encoded, batch_size=batch_size)


def evaluate_encoded(
    model: RewardModel, pairs: Sequence[EncodedPair], batch_size: int = 64
) -> dict[str, float]:
    """``evaluate`` for pairs that the model has encoded."""
    chosen, rejected = pair_rewards(model, pairs, batch_size=batch_size)
    return {
        "accuracy": metrics.accuracy(chosen, rejected),
        "margin": float((chosen - rejected).double().mean()),
        "normalised_margin": metrics.normalised_margin(chosen, rejected),
    }


def pair_rewards(
    model: RewardModel, pairs: Sequence[EncodedPair], *, batch_size: int = 64
) -> tuple[Tensor, Tensor]:
    """Rewards of the chosen and of the rejected responses, [B] and [B], on the CPU.

    Each distinct response is scored once, by one of the processes where there are several.
    """
    sides = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
    place = {side: i for i, side in enumerate(dict.fromkeys(sides))}
    sequences = list(place)
    mine = distributed.share(sequences)
    own = [sequences[i] for i in mine or range(1)]
    scores = model.score_encoded(own, batch_size=batch_size, plan=distributed.in_step)
    rewards = torch.zeros(len(sequences), dtype=sum_dtype(model))
    rewards[mine.start : mine.stop] = scores[: len(mine)]
    chosen, rejected = distributed.add_up(rewards)[[place[side] for side in sides]].chunk(2)
    return chosen, rejected


def sum_dtype(model: RewardModel) -> torch.dtype:
    """Of rewards and log-probabilities: float64 where the weights are, else float32."""
    return torch.promote_types(next(model.parameters()).dtype, torch.float32)
