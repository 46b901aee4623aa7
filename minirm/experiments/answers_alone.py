"""What the answers of public sets give away to a judge that never sees a question."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from minirm.baselines import (
    LEARNT,
    Longest,
    OneWord,
    Scorer,
    Shortest,
    net_words,
    telling_words,
    words,
)
from minirm.data.inspection import Memory, right, same_prompt, told_by_others
from minirm.data.public import load_public
from minirm.experiments.results import Row
from minirm.experiments.runner import grid
from minirm.metrics import cluster_interval
from minirm.metrics.intervals import linked, moves_interval, unit_moves
from minirm.pairs import PreferencePair

Pairs = Sequence[PreferencePair]
Learners = Mapping[str, Callable[[Pairs], Scorer]]

SHORTCUT, LEAKING, EVERYDAY = "rewardbench math", "rewardmath test", "ultrafeedback test"
REWRITES = f"{EVERYDAY} + paraphrase + french + spanish"
NORMAL, NEGATION = "llmbar normal", "llmbar negation"
CONTRAST = f"{NORMAL} + {NEGATION}"

OTHERS, OTHER_PAIRS, SAME = "other prompts", "other pairs", "the same pairs"
CUT, HALVED = (f"{OTHERS}, both answers cut to {n} the shorter" for n in ("all of", "half of"))
ALL, AS_MANY, UNSHARED = "all", "as many", "none of the test's prompts"
LOSS = f"{AS_MANY}, less {UNSHARED}"
REMOVED = (0, 1, 2, 5, 10, 20, 50, 100, 200)
DRAWS, DEALS = 5, 5
WORDS = 8
FIXED: Mapping[str, Scorer] = {"longest": Longest(), "shortest": Shortest()}
LEARNERS: Learners = {"one word": OneWord, **LEARNT}


@dataclass(frozen=True)
class Run:
    """One set, and what its judges learn from.

    Attributes:
        asked: names of public sets, " + " between them.
        training: the set to learn from; None: the one that is asked.
        taken: which of its pairs: ``OTHERS``, ``OTHER_PAIRS`` (fifths of pairs, which may share a
            prompt), ``CUT`` or ``HALVED`` (others, and of both answers of a pair so many words as
            the shorter has, or half as many: then neither is whole) and ``SAME`` where there is no
            other set; ``ALL``, ``UNSHARED`` (those whose prompt is not asked), ``AS_MANY`` of all,
            at random, or ``LOSS`` (how much better than ``UNSHARED`` the mean of ``DRAWS`` such
            draws is, pair by pair).
        seed: of the draw ``AS_MANY``, and of the deal in fifths.
        removed: so many words, the most telling one first, are taken out of all answers before.
    """

    asked: str
    training: str | None = None
    taken: str = OTHERS
    seed: int = 0
    removed: int = 0


def runs() -> list[Run]:
    """All that the chapter shows."""
    sets = (EVERYDAY, SHORTCUT, LEAKING)
    trained = ("rewardmath", "rewardmath 2000")
    return [
        *grid(Run, asked=(*sets, "rewardbench code", REWRITES)),
        *grid(Run, asked=sets, seed=range(1, DEALS)),
        *grid(Run, asked=[trained[0]]),
        *grid(Run, asked=[LEAKING, trained[0]], taken=[OTHER_PAIRS]),
        *grid(Run, asked=[*sets, "rewardbench code"], taken=[CUT, HALVED]),
        *grid(Run, asked=sets, taken=[SAME]),
        *grid(Run, asked=[SHORTCUT], removed=REMOVED[1:]),
        *grid(Run, asked=[LEAKING], training=trained, taken=[ALL, UNSHARED]),
        *grid(Run, asked=[LEAKING], training=trained, taken=[AS_MANY], seed=range(DRAWS)),
        *grid(Run, asked=[LEAKING], training=trained, taken=[LOSS]),
        *grid(Run, asked=[EVERYDAY, REWRITES], training=["ultrafeedback"], taken=[ALL]),
        *grid(Run, asked=[NORMAL, NEGATION, CONTRAST], training=[NORMAL], taken=[ALL]),
    ]


def measure(run: Run) -> list[dict[str, Any]]:
    """One row for each judge, and for what a set shares with its training set.

    Returns:
        in each row the run, "what" (the judge, "word: W" for one of the ``WORDS`` most telling
        words, or what is shared), "pairs", "units" (those that share a prompt or their two answers
        are one), "share" (of pairs that it ranks right, or that are shared; for ``LOSS`` a
        difference of two), "low" and "high" (95 %, over units), "naive low" and "naive high"
        (Student's t, as if all pairs were independent), and for a word the share of "chosen" and
        of "rejected" answers that hold it.

    Raises:
        FileNotFoundError: a set is not to be had.
    """
    asked = [pair for name in run.asked.split(" + ") for pair in load_public(name).pairs]
    for _ in range(run.removed):
        asked = without(asked, telling_words(net_words(asked))[0])
    prompts = [same_prompt(pair) for pair in asked]
    units = linked(prompts, [repr(sorted([str(p.chosen), str(p.rejected)])) for p in asked])
    rows = []
    for what, values in _judged(run, asked):
        row = {**asdict(run), "what": what, "pairs": len(asked), "units": len(set(units))}
        low, high = _interval(values, units, difference=run.taken == LOSS)
        naive = moves_interval(
            float(values.mean()),
            (values - values.mean()) / len(values),
            difference=run.taken == LOSS,
        )
        row |= {"share": float(values.mean()), "low": low, "high": high}
        row |= {"naive low": naive[0], "naive high": naive[1], "chosen": None, "rejected": None}
        rows.append(row)
        if what.startswith("word: "):
            row |= _held(what.removeprefix("word: "), asked)
    return rows


def _interval(
    values: np.ndarray, units: Sequence[int], *, difference: bool = False
) -> tuple[float, float]:
    """Student's t over units; of a share without ties ``cluster_interval``.

    Where every pair is a unit that would be Wilson's, which takes ties for tossed coins: of a judge
    that is silent about most pairs it is much too wide.
    """
    if difference or (values == 0.5).any():
        moves = unit_moves(values, units)
        return moves_interval(float(values.mean()), moves, difference=difference)
    return cluster_interval(values.tolist(), units)


def _judged(run: Run, asked: Pairs) -> Iterator[tuple[str, np.ndarray]]:
    """The name of each judge, and 1, 0.5 or 0 for each pair."""
    if run.taken == LOSS:
        yield from _losses(run, asked)
        return
    if run.taken in (CUT, HALVED):
        asked = cut_alike(asked, 1.0 if run.taken == CUT else 0.5)
    for name, scorer in FIXED.items():
        yield name, right(scorer, asked)
    if run.training is None:
        dealt = asked
        if run.taken == OTHER_PAIRS:  # a prompt of its own for each, which no judge here reads
            dealt = [replace(pair, prompt=f"{i}: {pair.prompt}") for i, pair in enumerate(asked)]
        for name, make in LEARNERS.items():
            own = run.taken == SAME
            yield (
                name,
                right(make(asked), asked) if own else told_by_others(make, dealt, seed=run.seed),
            )
        if run.taken == SAME:
            for word in telling_words(net_words(asked))[:WORDS]:
                values = _difference(word, asked)
                yield f"word: {word}", 0.5 + np.sign(values.mean()) * values / 2
        return
    training = training_pairs(run, asked)
    yield from _learnt(training, asked)
    prompts, chosen = {same_prompt(p) for p in training}, {str(p.chosen) for p in training}
    yield "prompt is there", np.array([float(same_prompt(p) in prompts) for p in asked])
    yield "chosen is there", np.array([float(str(p.chosen) in chosen) for p in asked])


def _learnt(training: Pairs, asked: Pairs) -> Iterator[tuple[str, np.ndarray]]:
    for name, make in LEARNERS.items():
        yield name, right(make(training), asked)
    yield "memory", Memory(training).right(asked)


def _losses(run: Run, asked: Pairs) -> Iterator[tuple[str, np.ndarray]]:
    """What each judge that learns loses with the prompts that it shares, of each pair."""
    draws = [
        dict(_learnt(training_pairs(replace(run, taken=AS_MANY, seed=seed), asked), asked))
        for seed in range(DRAWS)
    ]
    left = training_pairs(replace(run, taken=UNSHARED), asked)
    for name, without_leak in _learnt(left, asked):
        yield name, np.mean([draw[name] for draw in draws], axis=0) - without_leak


def training_pairs(run: Run, asked: Pairs) -> list[PreferencePair]:
    """The pairs that a run's judges learn from."""
    pairs = load_public(str(run.training)).pairs
    prompts = {same_prompt(pair) for pair in asked}
    unshared = [pair for pair in pairs if same_prompt(pair) not in prompts]
    if run.taken == AS_MANY:
        order = np.random.default_rng(run.seed).permutation(len(pairs))
        return [pairs[i] for i in order[: len(unshared)]]
    return unshared if run.taken == UNSHARED else pairs


def without(pairs: Pairs, word: str) -> list[PreferencePair]:
    """The pairs with a word taken out of their answers, which are written one blank a word."""

    def kept(text: Any) -> str:
        return " ".join(w for w in words(text) if w != word) or " "

    return [PreferencePair(p.prompt, kept(p.chosen), kept(p.rejected)) for p in pairs]


def cut_alike(pairs: Pairs, part: float = 1.0) -> list[PreferencePair]:
    """The pairs with the first words of their answers, equally many of both.

    Args:
        pairs: whose answers are cut.
        part: how many, as a part of those that the shorter one has; at least one is kept.
    """
    found = []
    for pair in pairs:
        sides = words(pair.chosen), words(pair.rejected)
        shorter = min(map(len, sides))
        kept = min(shorter, max(1, int(part * shorter)))
        chosen, rejected = (" ".join(side[:kept]) or " " for side in sides)
        found.append(PreferencePair(pair.prompt, chosen, rejected))
    return found


def _difference(word: str, pairs: Pairs) -> np.ndarray:
    return np.array(
        [float(word in words(p.chosen)) - float(word in words(p.rejected)) for p in pairs]
    )


def _held(word: str, pairs: Pairs) -> dict[str, float]:
    return {
        side: float(np.mean([word in words(getattr(pair, side)) for pair in pairs]))
        for side in ("chosen", "rejected")
    }


def table(rows: Sequence[Row]) -> str:
    """A line for each row: what was asked, what was learnt from, who judged, and how well."""
    lines = []
    for row in rows:
        source = str(row["taken"])
        if row["training"] is not None:
            source = f"{row['training']}: {source}"
        source += f", {row['removed']} words out" if row["removed"] else ""
        interval = f"[{row['low']:.3f}, {row['high']:.3f}]"
        lines.append(
            f"{row['asked']:46} {source:44} {row['what']:16} {row['share']:.3f} {interval}"
        )
    return "\n".join(lines)
