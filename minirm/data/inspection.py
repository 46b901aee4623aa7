"""A set of comparisons looked at before any model is: what repeats, leaks or gives it away."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minirm import metrics
from minirm.baselines import LEARNT, Longest, Scorer, UnigramCues, plain, words
from minirm.data.near import normalised
from minirm.pairs import PreferencePair

FOLDS = 5
LEAK = 0.05
"""A test that shares so much of its prompts with a training set is warned of."""


def same_prompt(pair: PreferencePair) -> str:
    """What tells a pair's prompt apart from others, tools included."""
    return _key([pair.prompt, pair.tools])


def _key(value: Any) -> str:
    return json.dumps(value, default=str, sort_keys=True)


def opposed(pairs: Sequence[PreferencePair]) -> list[tuple[int, int]]:
    """Places of pairs that prefer to the same prompt what an earlier pair rejects.

    >>> one, other = PreferencePair("Q? ", "yes", "no"), PreferencePair("Q? ", "no", "yes")
    >>> opposed([one, one, other])
    [(0, 2), (1, 2)]
    """
    seen: dict[tuple[str, str, str], list[int]] = {}
    clashes = []
    for place, pair in enumerate(pairs):
        prompt, chosen, rejected = same_prompt(pair), _key(pair.chosen), _key(pair.rejected)
        clashes += [(earlier, place) for earlier in seen.get((prompt, rejected, chosen), ())]
        seen.setdefault((prompt, chosen, rejected), []).append(place)
    return clashes


@dataclass(frozen=True)
class Repeats:
    """What occurs more than once in a set.

    Attributes:
        prompts: how many distinct ones there are.
        most: pairs of the prompt that has most of them.
        pairs: pairs that repeat an earlier one, word for word.
        opposed: pairs that prefer what an earlier one rejects.
        both: answers that are chosen in one pair and rejected in another, to the same prompt.
        alike: pairs whose two answers differ in nothing but capitals, marks and blanks.
    """

    prompts: int
    most: int
    pairs: int
    opposed: int
    both: int
    alike: int


def repeats(pairs: Sequence[PreferencePair]) -> Repeats:
    """What occurs more than once.

    >>> pair = PreferencePair("Q? ", "Yes.", "yes")
    >>> repeats([pair, pair, PreferencePair("Q? ", "no", "Yes.")])
    Repeats(prompts=1, most=3, pairs=1, opposed=0, both=1, alike=2)
    """
    prompts = Counter(map(same_prompt, pairs))
    whole = {(same_prompt(p), _key(p.chosen), _key(p.rejected)) for p in pairs}
    chosen, rejected = ({(same_prompt(p), _key(getattr(p, s))) for p in pairs} for s in _SIDES)
    return Repeats(
        prompts=len(prompts),
        most=max(prompts.values(), default=0),
        pairs=len(pairs) - len(whole),
        opposed=len({later for _, later in opposed(pairs)}),
        both=len(chosen & rejected),
        alike=sum(normalised(plain(p.chosen)) == normalised(plain(p.rejected)) for p in pairs),
    )


_SIDES = ("chosen", "rejected")


@dataclass(frozen=True)
class Lengths:
    """How long answers are, and what their length alone gives away.

    Attributes:
        prompt: mean number of words and marks of the prompts.
        chosen: the same of the chosen answers.
        rejected: the same of the rejected ones.
        longer: accuracy of "longer wins", in words and marks.
        characters: the same in characters.
    """

    prompt: float
    chosen: float
    rejected: float
    longer: float
    characters: float


def lengths(pairs: Sequence[PreferencePair]) -> Lengths:
    """How long answers are, and how often the longer one was chosen."""
    chosen, rejected = rewards(Longest(), pairs)
    characters = ([len(plain(getattr(p, side))) for p in pairs] for side in _SIDES)
    return Lengths(
        prompt=float(np.mean([len(words(p.prompt)) for p in pairs])),
        chosen=float(chosen.mean()),
        rejected=float(rejected.mean()),
        longer=metrics.accuracy(chosen, rejected),
        characters=metrics.accuracy(*characters),
    )


def rewards(scorer: Scorer, pairs: Sequence[PreferencePair]) -> tuple[np.ndarray, np.ndarray]:
    """What a scorer gives to the chosen and to the rejected answers: [B] and [B]."""
    prompts = [pair.prompt for pair in pairs]
    sides = ([getattr(pair, side) for pair in pairs] for side in _SIDES)
    chosen, rejected = (metrics.to_array(scorer.score(prompts, side)) for side in sides)
    return chosen, rejected


def right(scorer: Scorer, pairs: Sequence[PreferencePair]) -> np.ndarray:
    """1 for each pair that a scorer ranks right, 0.5 for a tie: [B]."""
    chosen, rejected = rewards(scorer, pairs)
    return (chosen > rejected) + 0.5 * (chosen == rejected)


def foretold(pairs: Sequence[PreferencePair], *, seed: int = 0) -> dict[str, float]:
    """Accuracies of the baselines that learn, each prompt foretold from the other prompts.

    Too few prompts to deal give nothing.

    Args:
        pairs: the set.
        seed: as for ``told_by_others``.
    """
    if len(set(map(same_prompt, pairs))) < FOLDS:
        return {}
    return {
        name: float(told_by_others(make, pairs, seed=seed).mean()) for name, make in LEARNT.items()
    }


def told_by_others(
    make: Callable[[Sequence[PreferencePair]], Scorer],
    pairs: Sequence[PreferencePair],
    *,
    seed: int = 0,
) -> np.ndarray:
    """1 for each pair that is ranked right by what was learnt from other prompts: [B].

    The prompts are dealt into ``FOLDS`` parts at random; each part is scored by what was learnt
    from the rest. A tie counts 0.5.

    Args:
        make: learns a scorer from pairs.
        pairs: B of them, on ``FOLDS`` prompts or more.
        seed: of the deal.
    """
    prompts = {prompt: i for i, prompt in enumerate(dict.fromkeys(map(same_prompt, pairs)))}
    dealt = np.random.default_rng(seed).permutation(len(prompts)) % FOLDS
    fold = np.array([dealt[prompts[same_prompt(pair)]] for pair in pairs])
    found = np.empty(len(pairs))
    for k in range(FOLDS):
        found[fold == k] = _fold(make, pairs, fold == k)
    return found


def _fold(
    make: Callable[[Sequence[PreferencePair]], Scorer],
    pairs: Sequence[PreferencePair],
    held: np.ndarray,
) -> np.ndarray:
    scorer = make([pair for pair, out in zip(pairs, held, strict=True) if not out])
    return right(scorer, [pair for pair, out in zip(pairs, held, strict=True) if out])


def cue_words(pairs: Sequence[PreferencePair], n: int = 5) -> dict[str, list[str]]:
    """The words that speak most for a chosen and most for a rejected answer.

    A word's weight is that of ``UnigramCues`` times the square root of how many answers hold it,
    so that what is rare does not stand in front.
    """
    cues = UnigramCues(pairs)
    held = cues.chosen + cues.rejected
    ranked = sorted(held, key=lambda word: cues.weight(word) * held[word] ** 0.5, reverse=True)
    return {
        "chosen": [word for word in ranked[:n] if cues.weight(word) > 0],
        "rejected": [word for word in ranked[: -n - 1 : -1] if cues.weight(word) < 0],
    }


@dataclass(frozen=True)
class Shared:
    """How much of one set stands in another, as shares of the first set's pairs.

    Attributes:
        prompts: whose prompt is there.
        near: whose prompt is there, or one much like it (``minirm.data.near``).
        chosen: whose chosen answer is there as a chosen one, whatever its prompt.
        rejected: whose rejected answer is there as a rejected one.
        pairs: that are there whole.
        memory: accuracy of verbatim memory: an answer's reward is how often the other set chooses
            it, to the same prompt, minus how often it rejects it.
    """

    prompts: float
    near: float
    chosen: float
    rejected: float
    pairs: float
    memory: float


def shared(
    pairs: Sequence[PreferencePair],
    others: Sequence[PreferencePair],
    near: Sequence[bool] | None = None,
) -> Shared:
    """How much of ``pairs`` (a test set, say) stands in ``others`` (the training set).

    Args:
        pairs: the set that is looked for.
        others: the set in which it is looked for.
        near: [B], for which of the pairs a prompt much like theirs is there; None: exact ones only.
    """
    prompts = set(map(same_prompt, others))
    memory = Memory(others)
    texts = [{answer for _, answer in side} for side in (memory.chosen, memory.rejected)]
    exact = [same_prompt(pair) in prompts for pair in pairs]
    whole = {(same_prompt(p), _key(p.chosen), _key(p.rejected)) for p in others}
    return Shared(
        prompts=_share(exact),
        near=_share(a or b for a, b in zip(exact, near or exact, strict=True)),
        chosen=_share(_key(p.chosen) in texts[0] for p in pairs),
        rejected=_share(_key(p.rejected) in texts[1] for p in pairs),
        pairs=_share((same_prompt(p), _key(p.chosen), _key(p.rejected)) in whole for p in pairs),
        memory=float(memory.right(pairs).mean()),
    )


def _answers(pairs: Sequence[PreferencePair], side: str) -> Iterable[tuple[str, str]]:
    return ((same_prompt(pair), _key(getattr(pair, side))) for pair in pairs)


def _share(found: Iterable[Hashable]) -> float:
    return float(np.mean([bool(x) for x in found]))


class Memory:
    """r(x, y) = how often a set chooses y to the prompt x, minus how often it rejects it.

    Args:
        pairs: the set.
    """

    def __init__(self, pairs: Sequence[PreferencePair]) -> None:
        self.chosen, self.rejected = (Counter(_answers(pairs, side)) for side in _SIDES)

    def right(self, pairs: Sequence[PreferencePair]) -> np.ndarray:
        """1 for each pair that memory ranks right, 0.5 for a tie: [B]."""
        a, b = (
            np.array([self.chosen[key] - self.rejected[key] for key in _answers(pairs, side)])
            for side in _SIDES
        )
        return (a > b) + 0.5 * (a == b)
