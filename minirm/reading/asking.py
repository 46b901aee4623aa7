"""Answers that many measurements ask the rewards of, each distinct one scored once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minirm.conversations import Tools
from minirm.encoding import Encoded, Text
from minirm.pairs import PreferencePair
from minirm.progress import progress_bar
from minirm.reward_model import RewardModel

NOWHERE = -1
"""Stands for an answer that there is none of; its reward is NaN."""


class Asked:
    """Texts to score: they are put down first, scored together, and looked up afterwards.

    A text that the model cannot read (too long for its context, or refused by its template) has
    the reward NaN.

    Args:
        model: any of the three rewards.
    """

    def __init__(self, model: RewardModel) -> None:
        self.model = model
        self.unreadable = 0
        self._sequences: list[Encoded] = []
        self._place: dict[Encoded, int] = {}
        self._rewards = np.array([math.nan])

    def __len__(self) -> int:
        """How many distinct ones there are."""
        return len(self._sequences)

    def put(self, prompt: Text, response: Text | None, tools: Tools | None = None) -> int:
        """Ask for one reward; None asks for nothing. Returns its place, for ``rewards``."""
        if response is None:
            return NOWHERE
        try:
            sequence = self.model.encode(prompt, response, tools)
        except (TypeError, ValueError):
            self.unreadable += 1
            return NOWHERE
        if self.model.max_length is not None and len(sequence) > self.model.max_length:
            self.unreadable += 1
            return NOWHERE
        return self.put_encoded(sequence)

    def put_encoded(self, sequence: Encoded) -> int:
        """The same for what the model's ``encode`` returned."""
        place = self._place.setdefault(sequence, len(self._sequences))
        if place == len(self._sequences):
            self._sequences.append(sequence)
        return place

    def put_pair(self, pair: PreferencePair) -> list[int]:
        """Both sides of a pair: chosen, rejected."""
        return [self.put(pair.prompt, side, pair.tools) for side in (pair.chosen, pair.rejected)]

    def score(self, *, batch_size: int = 64, desc: str = "rewards") -> None:
        """Score all that was asked for and is not scored yet.

        Raises:
            ValueError: a reward is not a finite number.
        """
        done = len(self._rewards) - 1
        new = self._sequences[done:]
        if not new:
            return
        found = self.model.map_encoded(
            self.model.rewards,
            new,
            batch_size=batch_size,
            plan=lambda batches: progress_bar(list(batches), desc=desc),
        )
        rewards = found.double().numpy()
        if not np.isfinite(rewards).all():
            raise ValueError(
                f"{(~np.isfinite(rewards)).sum()} of {len(new)} rewards are not finite"
            )
        self._rewards = np.concatenate([self._rewards[:-1], rewards, [math.nan]])

    def rewards(self, places: Any) -> np.ndarray:
        """Rewards by their places, in the places' shape; NaN where there was nothing to read."""
        return self._rewards[np.asarray(places, dtype=int)]
