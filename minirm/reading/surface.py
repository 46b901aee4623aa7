"""What can be counted without understanding a word: length, and words that the prompt has too."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minirm.baselines import words
from minirm.encoding import Text
from minirm.pairs import PreferencePair

_SIDES = ("chosen", "rejected")


def word_counts(pairs: Sequence[PreferencePair]) -> np.ndarray:
    """Words and marks of the chosen and the rejected answers: [B, 2].

    >>> word_counts([PreferencePair("Q? ", "It is so.", "No")]).tolist()
    [[4.0, 1.0]]
    """
    return _counted(pairs, lambda _, answer: len(words(answer)))


def shared_words(pairs: Sequence[PreferencePair]) -> np.ndarray:
    """How many distinct words of the prompt each answer has too: [B, 2].

    >>> shared_words([PreferencePair("Is it far? ", "it is far, far", "no")]).tolist()
    [[3.0, 0.0]]
    """
    return _counted(pairs, lambda prompt, answer: len(_words(prompt) & _words(answer)))


def _words(text: Text) -> set[str]:
    return {word for word in words(text) if word[0].isalnum()}


def _counted(pairs: Sequence[PreferencePair], count: Callable[[Text, Text], int]) -> np.ndarray:
    return np.array(
        [[count(pair.prompt, getattr(pair, side)) for side in _SIDES] for pair in pairs],
        dtype=float,
    ).reshape(-1, 2)
