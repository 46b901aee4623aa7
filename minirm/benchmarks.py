"""A benchmark's own figures, from its rows and the rewards of their answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from minirm.data import benchmarks as formats
from minirm.data.files import Row
from minirm.metrics.benchmarks import (
    M_REWARDBENCH_WEIGHTS,
    REWARDBENCH_WEIGHTS,
    SECTIONS,
    TIES_WEIGHTS,
    XSTEST,
    Entry,
    Figure,
    best_of,
    difficulty,
    group_figures,
    section_weights,
    style_matrix,
    ties_accuracy,
    ties_margins,
)

Weights = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Item:
    """One row of a benchmark with the rewards of its answers.

    Attributes:
        row: its columns.
        unit: items that share it (a prompt, an original) are one unit.
        chosen: rewards of the chosen answers.
        rejected: rewards of the rejected answers.
    """

    row: Row
    unit: str
    chosen: Sequence[float]
    rejected: Sequence[float]


def items(
    rows: Sequence[Row], units: Sequence[str], chosen: Sequence[float], rejected: Sequence[float]
) -> tuple[list[Item], int]:
    """Items out of pairs, and how many are left out because some of their pairs are missing.

    Args:
        rows: [B], of each pair the row that it comes from: the same object for all its pairs,
            every chosen answer with every rejected one, in order.
        units: [B], what tells independent pairs apart.
        chosen: [B] rewards.
        rejected: [B] rewards.
    """
    places: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(id(row), []).append(place)
    found = []
    for own in places.values():
        row = rows[own[0]]
        a, b = (_size(row.get(side)) for side in ("chosen", "rejected"))
        if len(own) == a * b:
            right, wrong = [chosen[i] for i in own[::b]], [rejected[i] for i in own[:b]]
            found.append(Item(row, units[own[0]], right, wrong))
    return found, len(places) - len(found)


def _size(answers: object) -> int:
    if isinstance(answers, list) and answers and isinstance(answers[0], str | list):
        return len(answers)
    return 1


def figures(name: str, items: Sequence[Item]) -> dict[str, Figure]:
    """The benchmark's figures by their names, in the order in which it lists them.

    Args:
        name: one of ``minirm.data.benchmarks.SCORED``.
        items: of one model.
    """
    entries = ENTRIES[name](items)
    return group_figures(entries, _weights(name, entries))


def differences(name: str, first: Sequence[Item], second: Sequence[Item]) -> dict[str, Figure]:
    """By how much the first model's figures exceed the second's, with intervals over units.

    Args:
        name: one of ``minirm.data.benchmarks.SCORED``.
        first: items of one model.
        second: the same items of another.
    """
    pairs = zip(ENTRIES[name](first), ENTRIES[name](second), strict=True)
    entries = [Entry(a.group, a.unit, a.value - b.value) for a, b in pairs]
    return group_figures(entries, _weights(name, entries), difference=True)


def matrix(items: Sequence[Item]) -> np.ndarray:
    """RM-Bench's accuracies [3, 3] over all items: chosen style against rejected style."""
    return np.mean([style_matrix(item.chosen, item.rejected) for item in items], axis=0)


def _weights(name: str, entries: Sequence[Entry]) -> Weights:
    return WEIGHTS[name](list(dict.fromkeys(entry.group for entry in entries)))


def _right(item: Item) -> float:
    (right,), (wrong,) = item.chosen, item.rejected
    return (right > wrong) + 0.5 * (right == wrong)


# ------------------------------------------------------------------------- RewardBench


def _subset_entries(items: Sequence[Item]) -> list[Entry]:
    return [Entry(item.row["subset"], item.unit, _right(item)) for item in items]


def _rewardbench(groups: Sequence[str]) -> Weights:
    """Sections, their plain mean where all four are there, and Safety by numbers of prompts.

    The first leaderboard averaged in a fifth section, of older test sets, which the file lacks.
    """
    parts = {s: section_weights(s, groups, REWARDBENCH_WEIGHTS) for s in SECTIONS}
    found = _with_mean({s: weights for s, weights in parts.items() if weights})
    if XSTEST.keys() <= set(groups):
        counted = {**REWARDBENCH_WEIGHTS, **XSTEST}
        found["Safety, XSTest as counted"] = section_weights("Safety", groups, counted)
    return found | {group: {group: 1.0} for group in groups}


def _with_mean(sections: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    if len(sections) < len(SECTIONS):
        return sections
    mean = {g: w / len(sections) for weights in sections.values() for g, w in weights.items()}
    return {"score": mean, **sections}


def _language_entries(items: Sequence[Item]) -> list[Entry]:
    return [
        Entry(f"{item.row['language']}\n{item.row['source']}", item.unit, _right(item))
        for item in items
    ]


def _m_rewardbench(groups: Sequence[str]) -> Weights:
    """The score of each language, and the mean of the languages, in all and by section."""
    languages: dict[str, dict[str, dict[str, float]]] = {}
    for language in dict.fromkeys(group.partition("\n")[0] for group in groups):
        own = [g.partition("\n")[2] for g in groups if g.startswith(f"{language}\n")]
        sections = {
            s: {f"{language}\n{subset}": w for subset, w in weights.items()}
            for s in SECTIONS
            if (weights := section_weights(s, own, M_REWARDBENCH_WEIGHTS))
        }
        languages[language] = _with_mean(sections)
    found: dict[str, Mapping[str, float]] = {}
    for name in ("score", *SECTIONS):
        having = [parts[name] for parts in languages.values() if name in parts]
        if having:
            found[name] = {g: w / len(having) for part in having for g, w in part.items()}
    return found | {
        f"{language}: {name}": parts[name]
        for language, parts in languages.items()
        for name in ([*parts][:1] if "score" in parts else parts)
    }


# ------------------------------------------------------------------------- RewardBench 2


def _best_entries(items: Sequence[Item]) -> list[Entry]:
    entries = []
    ties: dict[tuple[str, str], Item] = {}
    for item in items:
        if formats.is_ties(item.row):
            ties[formats.tied(item.row)] = item
        else:
            value = best_of(item.chosen[0], item.rejected)
            entries.append(Entry(str(item.row["subset"]), item.unit, value))
    for (kind, _), item in ties.items():
        group = "tied" if kind == "tied" else "reference"
        value = ties_accuracy(item.chosen, item.rejected)
        entries.append(Entry(f"Ties: {group}", item.unit, value))
    for (kind, number), item in ties.items():
        if kind == "tied" and (reference := ties.get(("ref", number))):
            margins = ties_margins(
                (item.chosen, item.rejected), (reference.chosen, reference.rejected)
            )
            entries += [Entry(f"Ties: {part}", item.unit, v) for part, v in margins.items()]
    return entries


def _rewardbench_2(groups: Sequence[str]) -> Weights:
    """The mean of the subsets where Ties is among several, the subsets, and Ties' parts."""
    parts = {group: {group: 1.0} for group in groups if group.startswith("Ties: ")}
    subsets = {group: {group: 1.0} for group in groups if group not in parts}
    if len(parts) == len(TIES_WEIGHTS):
        subsets["Ties"] = {f"Ties: {part}": weight for part, weight in TIES_WEIGHTS.items()}
    found: dict[str, Mapping[str, float]] = {}
    if len(subsets) > 1:
        mean = {g: w / len(subsets) for weights in subsets.values() for g, w in weights.items()}
        found["score"] = mean
    return found | subsets | parts


# ------------------------------------------------------------------------- RM-Bench


def _style_entries(items: Sequence[Item]) -> list[Entry]:
    return [
        Entry(f"{item.row['domain']}\n{difficulty(i, j)}", item.unit, value)
        for item in items
        for (i, j), value in np.ndenumerate(style_matrix(item.chosen, item.rejected))
    ]


def _rm_bench(groups: Sequence[str]) -> Weights:
    """The mean over domains of easy, normal and hard, the mean of the three, and each domain's.

    The domains that begin with "safety" are averaged first and count as one. The benchmark's code
    gives easy, normal and hard of one file; the means over domains are how its table was read here.
    """
    domains: dict[str, list[str]] = {}
    for group in groups:
        domain = group.partition("\n")[0]
        together = "safety" if domain.startswith("safety") else domain
        domains.setdefault(together, []).append(domain)
    found: dict[str, dict[str, float]] = {"average": {}, "easy": {}, "normal": {}, "hard": {}}
    for together, parts in domains.items():
        names = list(dict.fromkeys(parts))
        found[together] = {}
        for domain in names:
            for level in ("easy", "normal", "hard"):
                group, weight = f"{domain}\n{level}", 1 / len(names)
                found[together][group] = weight / 3
                found[level][group] = weight / len(domains)
                found["average"][group] = weight / 3 / len(domains)
    return found


# ------------------------------------------------------------------------- JudgeBench

_CATEGORIES = {
    "mmlu-pro": "Knowledge",
    "livebench-reasoning": "Reasoning",
    "livebench-math": "Math",
    "livecodebench": "Coding",
}
"""JudgeBench's categories, by how ``source`` begins (Tan et al. 2025, arXiv 2410.12784)."""


def _judge_entries(items: Sequence[Item]) -> list[Entry]:
    return [Entry(_category(item.row), item.unit, _right(item)) for item in items]


def _category(row: Row) -> str:
    source = str(row.get("source"))
    return next((name for start, name in _CATEGORIES.items() if source.startswith(start)), source)


def _judgebench(groups: Sequence[str]) -> Weights:
    return {group: {group: 1.0} for group in groups}


ENTRIES: Mapping[str, Callable[[Sequence[Item]], list[Entry]]] = {
    formats.REWARDBENCH: _subset_entries,
    formats.M_REWARDBENCH: _language_entries,
    formats.REWARDBENCH_2: _best_entries,
    formats.RM_BENCH: _style_entries,
    formats.JUDGEBENCH: _judge_entries,
}
WEIGHTS: Mapping[str, Callable[[Sequence[str]], Weights]] = {
    formats.REWARDBENCH: _rewardbench,
    formats.M_REWARDBENCH: _m_rewardbench,
    formats.REWARDBENCH_2: _rewardbench_2,
    formats.RM_BENCH: _rm_bench,
    formats.JUDGEBENCH: _judgebench,
}
