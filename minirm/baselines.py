"""Rewards that need no language model: what a reward model has to beat before it means anything.

They read the response alone, so whatever one of them gets right can be known without the prompt.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from math import log
from typing import Protocol

import numpy as np
import torch
from scipy import optimize, sparse
from torch import Tensor

from minirm.conversations import Message
from minirm.pairs import PreferencePair, Text

# Kana and Chinese characters stand without blanks between words: each counts as one.
_ALONE = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_ALONE}]|[^\W{_ALONE}]+|[^\w\s]")


class Scorer(Protocol):
    """Whatever scores responses as ``RewardModel.score`` does; higher is better."""

    def score(self, prompts: Sequence[Text], responses: Sequence[Text]) -> Tensor:
        """Rewards of B responses to B prompts: [B]."""
        ...


def words(text: Text) -> list[str]:
    """The words and punctuation marks of a response, in small letters and in order.

    Args:
        text: a string, or messages, of which the contents are read.

    >>> words("It's 2 + 2, isn't it?")
    ['it', "'", 's', '2', '+', '2', ',', 'isn', "'", 't', 'it', '?']
    """
    return _WORD.findall(plain(text).lower())


def plain(text: Text) -> str:
    """A string as it is, and of messages the contents, each on lines of its own."""
    return text if isinstance(text, str) else "\n".join(map(_content, text))


def _content(message: Message) -> str:
    return str(message.get("content") or "")


class Longest:
    """r(y) = the number of words and punctuation marks of y."""

    sign = 1

    def score(self, prompts: Sequence[Text], responses: Sequence[Text]) -> Tensor:
        """Rewards of B responses: [B]. The prompts are not read."""
        return torch.tensor([self.sign * len(words(y)) for y in responses], dtype=torch.float64)


class Shortest(Longest):
    """r(y) = minus the number of words and punctuation marks of y."""

    sign = -1


class UnigramCues:
    """r(y) = sum over the distinct words w of y of ln((chosen(w) + 1) / (rejected(w) + 1)).

    chosen(w) is how many chosen training responses hold w. A word that no training response has
    adds 0.

    Args:
        pairs: the training pairs.
        split: the words of a response.

    >>> cues = UnigramCues([PreferencePair("2 + 2? ", "It is four.", "It is five.")])
    >>> print([round(r, 2) for r in cues.score(["3 + 1? "] * 2, ["four", "five"]).tolist()])
    [0.69, -0.69]
    """

    def __init__(
        self,
        pairs: Sequence[PreferencePair],
        split: Callable[[Text], Iterable[str]] = words,
    ) -> None:
        self.split = split
        self.chosen = Counter(w for pair in pairs for w in set(split(pair.chosen)))
        self.rejected = Counter(w for pair in pairs for w in set(split(pair.rejected)))

    def weight(self, word: str) -> float:
        """What the word adds to a reward."""
        return log((self.chosen[word] + 1) / (self.rejected[word] + 1))

    def score(self, prompts: Sequence[Text], responses: Sequence[Text]) -> Tensor:
        """Rewards of B responses: [B]. The prompts are not read."""
        # In order, so that the same words give the same sum to the last bit.
        sums = [sum(map(self.weight, sorted(set(self.split(y))))) for y in responses]
        return torch.tensor(sums, dtype=torch.float64)


def net_words(pairs: Sequence[PreferencePair]) -> Counter[str]:
    """Of each word, how many pairs have it in the chosen answer alone, less in the other alone."""
    net: Counter[str] = Counter()
    for pair in pairs:
        chosen, rejected = set(words(pair.chosen)), set(words(pair.rejected))
        net.update(chosen - rejected)
        net.subtract(rejected - chosen)
    return net


def telling_words(net: Counter[str]) -> list[str]:
    """The words by how many pairs they tell apart, the most telling first; then by the alphabet."""
    return sorted(net, key=lambda word: (-abs(net[word]), word))


class OneWord:
    """r(y) = 1 or -1 if y holds the one word that tells most training pairs apart, else 0.

    It is the first of ``telling_words``, and its sign says on which side it stands more often.

    Args:
        pairs: the training pairs.

    >>> one = OneWord([PreferencePair("2 + 2? ", "It is four.", "It is five, I think.")])
    >>> one.word, one.sign
    (',', -1)
    """

    def __init__(self, pairs: Sequence[PreferencePair]) -> None:
        net = net_words(pairs)
        self.word = next(iter(telling_words(net)), "")
        self.sign = 1 if net[self.word] >= 0 else -1

    def score(self, prompts: Sequence[Text], responses: Sequence[Text]) -> Tensor:
        """Rewards of B responses: [B]. The prompts are not read."""
        held = [self.sign * (self.word in words(y)) for y in responses]
        return torch.tensor(held, dtype=torch.float64)


class TfIdf:
    """r(y) = <u, x(y)>, with u fitted to the training pairs by logistic regression.

    x(y) has one entry a word of the training responses: how often y has it, times
    ln((1 + n) / (1 + n(w))) + 1 for n responses of which n(w) hold it, and the whole of length 1.
    u minimises the sum of -ln sigmoid(r(chosen) - r(rejected)) plus ||u||^2 / 2: the Bradley-Terry
    loss with the penalty that scikit-learn has by default.

    Args:
        pairs: the training pairs.
    """

    def __init__(self, pairs: Sequence[PreferencePair]) -> None:
        chosen, rejected = ([words(getattr(p, side)) for p in pairs] for side in _SIDES)
        held = Counter(chain.from_iterable(set(text) for text in (*chosen, *rejected)))
        self._place = {word: i for i, word in enumerate(sorted(held))}
        counts = np.array([held[word] for word in self._place], dtype=float)
        self._idf = np.log((1 + 2 * len(pairs)) / (1 + counts)) + 1
        self._u = _bradley_terry(self._vectors(chosen) - self._vectors(rejected))

    def score(self, prompts: Sequence[Text], responses: Sequence[Text]) -> Tensor:
        """Rewards of B responses: [B]. The prompts are not read."""
        return torch.from_numpy(self._vectors(map(words, responses)) @ self._u)

    def _vectors(self, texts: Iterable[Sequence[str]]) -> sparse.csr_matrix:
        data: list[float] = []
        columns: list[int] = []
        ends = [0]
        for text in texts:
            counts = Counter(self._place[word] for word in text if word in self._place)
            row = np.array([n * self._idf[i] for i, n in counts.items()])
            data += (row / max(float(np.linalg.norm(row)), 1e-12)).tolist()
            columns += counts
            ends.append(len(columns))
        shape = (len(ends) - 1, len(self._place))
        return sparse.csr_matrix((data, columns, ends), shape=shape, dtype=float)


_SIDES = ("chosen", "rejected")


def _bradley_terry(differences: sparse.csr_matrix) -> np.ndarray:
    """The u that minimises the sum of -ln sigmoid(<u, d>) over the rows d, plus ||u||^2 / 2."""

    def loss(u: np.ndarray) -> tuple[float, np.ndarray]:
        margins = differences @ u
        doubt = np.exp(-np.logaddexp(0, margins))  # sigmoid(-margin)
        value = np.logaddexp(0, -margins).sum() + u @ u / 2
        return float(value), u - differences.T @ doubt

    start = np.zeros(differences.shape[1])
    return optimize.minimize(loss, start, jac=True, method="L-BFGS-B").x


def baselines(training: Sequence[PreferencePair] = ()) -> dict[str, Scorer]:
    """The baselines by their names in tables; those that learn only where there is something to.

    Args:
        training: pairs to learn word weights from; they should not be those that are evaluated.

    >>> list(baselines())
    ['longest', 'shortest']
    """
    found: dict[str, Scorer] = {"longest": Longest(), "shortest": Shortest()}
    return found | ({name: make(training) for name, make in LEARNT.items()} if training else {})


LEARNT: Mapping[str, Callable[[Sequence[PreferencePair]], Scorer]] = {
    "unigram cues": UnigramCues,
    "TF-IDF": TfIdf,
}
"""What learns from training pairs, by its name in tables."""
