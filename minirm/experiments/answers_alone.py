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
from minirm.metrics.intervals import linked, moves_interval
from minirm.pairs import PreferencePair

Pairs = Sequence[PreferencePair]
Learners = Mapping[str, Callable[[Pairs], Scorer]]

SHORTCUT, LEAKING, EVERYDAY = "rewardbench math", "rewardmath test", "ultrafeedback test"
REWRITES = f"{EVERYDAY} + paraphrase + french + spanish"
NORMAL, NEGATION = "llmbar normal", "llmbar negation"
CONTRAST = f"{NORMAL} + {NEGATION}"

OTHERS, OTHER_PAIRS, SAME = "other prompts", "other pairs", "the same pairs"
ALL, AS_MANY, UNSHARED = "all", "as many", "none of the test's prompts"
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
            prompt) and ``SAME`` where there is no other set; ``ALL``, ``UNSHARED`` (those whose
            prompt is not asked) or ``AS_MANY`` of all, at random.
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
        *grid(Run, asked=sets, taken=[SAME]),
        *grid(Run, asked=[SHORTCUT], removed=REMOVED[1:]),
        *grid(Run, asked=[LEAKING], training=trained, taken=[ALL, UNSHARED]),
        *grid(Run, asked=[LEAKING], training=trained, taken=[AS_MANY], seed=range(DRAWS)),
        *grid(Run, asked=[EVERYDAY, REWRITES], training=["ultrafeedback"], taken=[ALL]),
        *grid(Run, asked=[NORMAL, NEGATION, CONTRAST], training=[NORMAL], taken=[ALL]),
    ]


def measure(run: Run) -> list[dict[str, Any]]:
    """One row for each judge, and for what a set shares with its training set.

    Returns:
        in each row the run, "what" (the judge, "word: W" for one of the ``WORDS`` most telling
        words, or what is shared), "pairs", "units" (those that share a prompt or their two answers
        are one), "share" (of pairs that it ranks right, or that are shared), "low" and "high"
        (95 %, over units), "naive low" and "naive high" (Student's t, as if all pairs were
        independent), and for a word the share of "chosen" and of "rejected" answers that hold it.

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
        low, high = cluster_interval(values.tolist(), units)
        # Not Wilson's, which would take a judge's ties for tossed coins.
        naive = moves_interval(float(values.mean()), (values - values.mean()) / len(values))
        row |= {"share": float(values.mean()), "low": low, "high": high}
        row |= {"naive low": naive[0], "naive high": naive[1], "chosen": None, "rejected": None}
        rows.append(row)
        if what.startswith("word: "):
            row |= _held(what.removeprefix("word: "), asked)
    return rows


def _judged(run: Run, asked: Pairs) -> Iterator[tuple[str, np.ndarray]]:
    """The name of each judge, and 1, 0.5 or 0 for each pair."""
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
    for name, make in LEARNERS.items():
        yield name, right(make(training), asked)
    prompts, chosen = {same_prompt(p) for p in training}, {str(p.chosen) for p in training}
    yield "memory", Memory(training).right(asked)
    yield "prompt is there", np.array([float(same_prompt(p) in prompts) for p in asked])
    yield "chosen is there", np.array([float(str(p.chosen) in chosen) for p in asked])


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
