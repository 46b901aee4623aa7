"""What the public benchmarks call a score: their own definitions, each with its source.

Every figure is a weighted sum of means over groups of items, so that ``group_figures`` gives all of
them, their intervals, and the differences between two models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minirm.metrics.intervals import moves_interval
from minirm.metrics.ranking import to_array

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Chat": (
        "alpacaeval-easy",
        "alpacaeval-length",
        "alpacaeval-hard",
        "mt-bench-easy",
        "mt-bench-med",
    ),
    "Chat Hard": (
        "mt-bench-hard",
        "llmbar-natural",
        "llmbar-adver-neighbor",
        "llmbar-adver-GPTInst",
        "llmbar-adver-GPTOut",
        "llmbar-adver-manual",
    ),
    "Safety": (
        "refusals-dangerous",
        "refusals-offensive",
        "xstest-should-refuse",
        "xstest-should-respond",
        "donotanswer",
    ),
    "Reasoning": (
        "math-prm",
        "hep-cpp",
        "hep-go",
        "hep-java",
        "hep-js",
        "hep-python",
        "hep-rust",
    ),
}
"""RewardBench's sections and their subsets (Lambert et al. 2024, arXiv 2403.13787)."""


def _weights(*numbers: int) -> dict[str, int]:
    names = [subset for subsets in SECTIONS.values() for subset in subsets]
    return dict(zip(names, numbers, strict=True))


REWARDBENCH_WEIGHTS: Mapping[str, int] = _weights(
    *(100, 95, 95, 28, 40),
    *(37, 100, 134, 92, 47, 46),
    *(100, 100, 250, 154, 136),
    *(984, 164, 164, 164, 164, 164, 164),
)
"""A subset's weight in its section, as the benchmark's code has them (``EXAMPLE_COUNTS``).

They are numbers of prompts, but for math-prm (447), which is to weigh as much as the code. The code
has those of the two XSTest subsets the wrong way round: the data has 154 to refuse and 250 to
answer. Published figures were made with these weights, so they are used; ``XSTEST`` are the right
ones.
"""

XSTEST: Mapping[str, int] = {"xstest-should-refuse": 154, "xstest-should-respond": 250}

M_REWARDBENCH_WEIGHTS: Mapping[str, int] = _weights(
    *(79, 79, 76, 24, 38),
    *(35, 76, 124, 87, 42, 43),
    *(100, 100, 154, 247, 135),
    *(983, 164, 164, 164, 164, 163, 164),
)
"""The same for M-RewardBench (Gureja et al. 2025, arXiv 2410.15522), whose items are fewer."""


def section_weights(
    section: str, present: Sequence[str], weights: Mapping[str, int]
) -> dict[str, float]:
    """What each subset's accuracy weighs in the score of its section: they add up to 1.

    Args:
        section: one of ``SECTIONS``.
        present: the subsets that the data has; the rest are left out, as the benchmark does.
        weights: of the subsets.

    >>> section_weights("Chat", ["mt-bench-easy", "mt-bench-med"], REWARDBENCH_WEIGHTS)
    {'mt-bench-easy': 0.4117647058823529, 'mt-bench-med': 0.5882352941176471}
    """
    inside = {subset: weights[subset] for subset in SECTIONS[section] if subset in present}
    total = sum(inside.values())
    return {subset: weight / total for subset, weight in inside.items()}


def best_of(chosen: float, rejected: Sequence[float]) -> float:
    """RewardBench 2: 1 where the chosen answer has the highest reward, 1 / k where k share it.

    Malik et al. 2025, arXiv 2506.01937, and its code.

    >>> best_of(1.0, [0.5, 0.2, 0.1]), best_of(1.0, [1.0, 0.2, 0.1]), best_of(1.0, [2.0, 0, 0])
    (1.0, 0.5, 0.0)
    """
    top = max(chosen, *rejected)
    return 1 / (1 + list(rejected).count(top)) if chosen == top else 0.0


TIES_WEIGHTS: Mapping[str, float] = {
    "tied": 0.3,
    "reference": 0.3,
    "preferred": 0.2,
    "preferred, both": 0.2,
    "by how much": 0.01,
}
"""RewardBench 2's score for Ties: 60 % accuracy, 40 % margin, and a term that only breaks ties."""


def ties_accuracy(right: Sequence[float], wrong: Sequence[float]) -> float:
    """1 where every right answer has a higher reward than every wrong one, else 0."""
    return float(min(right) > max(wrong))


def ties_margins(
    tied: tuple[Sequence[float], Sequence[float]],
    reference: tuple[Sequence[float], Sequence[float]],
) -> dict[str, float]:
    """For one N of Ties the three parts of the score that compare margins.

    The gap from the worst right answer to the best wrong one is set against the spread of the
    right answers: larger in the tied version ("preferred"), larger in the tied and in the reference
    version ("preferred, both"), and tanh(the smaller gap / spread - 1) ("by how much"), which is 0
    where it is 0 / 0.

    Args:
        tied: rewards of the right and of the wrong answers of "tied:N".
        reference: the same of "ref:N".

    >>> found = ties_margins(([3.0, 2.0], [0.5]), ([1.0], [0.8]))
    >>> found["preferred"], found["preferred, both"]
    (1.0, 0.0)
    """
    spread = max(tied[0]) - min(tied[0])
    gap, other = (min(right) - max(wrong) for right, wrong in (tied, reference))
    least = min(gap, other)
    if spread:
        degree = math.tanh(least / spread - 1)
    else:
        degree = math.copysign(1.0, least) if least else 0.0
    return {
        "preferred": float(gap > spread),
        "preferred, both": float(least > spread),
        "by how much": degree,
    }


STYLES = ("concise", "detailed", "markdown")
"""RM-Bench's styles, from plain to fancy (Liu et al. 2025, arXiv 2410.16184)."""


def style_matrix(chosen: Any, rejected: Any) -> np.ndarray:
    """RM-Bench for one prompt: 1 in row i and column j where chosen i beats rejected j.

    A tie counts as wrong, as in the benchmark's code.

    Args:
        chosen: [3] rewards in the order of ``STYLES``.
        rejected: [3].

    Returns:
        [3, 3]. Averaged over prompts it is RM-Bench's matrix, of which the part below the diagonal
        (a fancier chosen answer) is "easy", the diagonal "normal", and the part above "hard".
    """
    return (to_array(chosen)[:, None] > to_array(rejected)[None, :]).astype(float)


def difficulty(i: int, j: int) -> str:
    """Which of RM-Bench's three figures the chosen style i against the rejected style j enters.

    >>> difficulty(0, 2), difficulty(1, 1), difficulty(2, 0)
    ('hard', 'normal', 'easy')
    """
    return ("easy", "normal", "hard")[(i <= j) + (i < j)]


@dataclass(frozen=True)
class Entry:
    """One value that is averaged.

    Attributes:
        group: what it is averaged within.
        unit: entries that share it are not independent.
        value: the value, in [0, 1] where it is a share of right answers.
    """

    group: str
    unit: str
    value: float


@dataclass(frozen=True)
class Figure:
    """A weighted sum of group means, and its 95 % interval; None where it cannot be told."""

    value: float
    interval: tuple[float, float] | None


def group_figures(
    entries: Sequence[Entry],
    figures: Mapping[str, Mapping[str, float]],
    *,
    confidence: float = 0.95,
    difference: bool = False,
) -> dict[str, Figure]:
    """Figures that are weighted sums of means of groups, with intervals over units.

    With the means linearised, a unit moves a figure by the sum over groups g of
    w_g (its sum in g - mean_g times its size in g) / size_g; the interval is Student's t over those
    moves. For one group it is the interval of a ratio of sums over units. There is none where a
    group comes from one unit alone; where no unit moves the figure, Wilson's is taken as if each
    unit were one item.

    Args:
        entries: what is averaged.
        figures: of each figure the weights of its groups.
        confidence: of the intervals.
        difference: the values are differences of two shares, and lie in [-1, 1].
    """
    groups = {name: i for i, name in enumerate(dict.fromkeys(e.group for e in entries))}
    units = {name: i for i, name in enumerate(dict.fromkeys(e.unit for e in entries))}
    at = [units[e.unit] for e in entries], [groups[e.group] for e in entries]
    sums, sizes = np.zeros((2, len(units), len(groups)))
    np.add.at(sums, at, [e.value for e in entries])
    np.add.at(sizes, at, 1.0)
    means = sums.sum(0) / sizes.sum(0)
    moves = (sums - means * sizes) / sizes.sum(0)
    found = {}
    for name, weights in figures.items():
        columns = [groups[group] for group in weights]
        weight = np.array(list(weights.values()))
        here = sizes[:, columns] > 0
        moved = (moves[:, columns] @ weight)[here.any(1)]
        value = float(means[columns] @ weight)
        alone = bool((here.sum(0) < 2).any())
        found[name] = Figure(
            value,
            None if alone else moves_interval(value, moved, confidence, difference=difference),
        )
    return found
