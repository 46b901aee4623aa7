"""Every answer's reward, in and out of a results file, and what two rewards say of one answer.

All of it is over pairs: intervals are over prompts, so that a prompt in four wordings is one case.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from minirm.experiments.results import Row
from minirm.experiments.shift_sets import CONTROL
from minirm.metrics import cluster_interval, difference_interval

DIGITS = 5


def kept(rewards: Mapping[str, np.ndarray]) -> dict[str, list[list[float | None]]]:
    """Rewards as a results file keeps them: of each set the chosen and the rejected ones."""
    return {
        name: [
            [None if np.isnan(value) else float(f"{value:.{DIGITS}g}") for value in side]
            for side in both.T.tolist()
        ]
        for name, both in rewards.items()
    }


def numbered(
    units: Mapping[str, Sequence[Hashable]], rewards: Mapping[str, np.ndarray]
) -> dict[str, list[int | None]]:
    """Units as a results file keeps them: a number each, and None where ``kept`` has None.

    Args:
        units: of each set what its kept pairs belong to; what is equal is one unit, in all sets.
        rewards: of each set [B, 2].
    """
    number: dict[Hashable, int] = {}
    numbers = {
        name: iter([number.setdefault(unit, len(number)) for unit in several])
        for name, several in units.items()
    }
    return {
        name: [None if np.isnan(pair).any() else next(numbers[name]) for pair in both]
        for name, both in rewards.items()
    }


@dataclass(frozen=True)
class Share:
    """A share of pairs, with its 95 % interval over prompts, and how many pairs it is of."""

    value: float
    low: float
    high: float
    pairs: int


@dataclass(frozen=True)
class Difference:
    """How much more often one reward is right than another, about the same pairs.

    Attributes:
        value: the mean difference, in [-1, 1].
        low, high: its 95 % interval over prompts.
        won, tied, lost: pairs about which the first does better, both alike, the second better.
    """

    value: float
    low: float
    high: float
    won: int
    tied: int
    lost: int


def margins(row: Row, names: Iterable[str]) -> np.ndarray:
    """Reward of the chosen answer minus that of the rejected one, of some sets in turn: [B].

    Args:
        row: one that has "rewards": of ``shifts.measure`` the last.
        names: of sets, whose pairs follow one another; those that were left out are not among them.
    """
    both = np.concatenate([np.array(row["rewards"][name], dtype=float) for name in names], axis=1)
    whole = both[:, ~np.isnan(both).any(0)]
    return whole[0] - whole[1]


def right(row: Row, names: Iterable[str]) -> np.ndarray:
    """1 for a pair that the reward ranks right, 0.5 for a tie, else 0: [B], as ``margins``."""
    return (np.sign(margins(row, names)) + 1) / 2


def units(row: Row, names: Iterable[str]) -> list[int]:
    """The prompt of each of the pairs of ``margins``, as a number."""
    return [unit for name in names for unit in row["units"][name] if unit is not None]


def compared(first: Row, second: Row, names: Sequence[str]) -> Difference:
    """How much more often the first reward is right than the second.

    Args:
        first: one reward's row.
        second: another's, of the same sets.
        names: of the sets.
    """
    gap = right(first, names) - right(second, names)
    low, high = difference_interval(gap.tolist(), units(first, names))
    won, lost = int((gap > 0).sum()), int((gap < 0).sum())
    return Difference(float(gap.mean()), low, high, won, len(gap) - won - lost, lost)


def agreement(first: Row, second: Row, names: Sequence[str]) -> Share:
    """How often two rewards prefer the same answer of a pair; a tie agrees by one half."""
    alike = (1 + np.sign(margins(first, names)) * np.sign(margins(second, names))) / 2
    return _share(alike, units(first, names))


def accuracy_where(row: Row, judge: Row, names: Sequence[str], *, judge_right: bool) -> Share:
    """How often a reward is right about the pairs that another judge has right, or wrong.

    Args:
        row: the reward's.
        judge: the other's; its ties are left out.
        names: of the sets.
        judge_right: which of its pairs.

    Raises:
        ValueError: it has no such pairs.
    """
    asked = right(judge, names) == (1.0 if judge_right else 0.0)
    if not asked.any():
        raise ValueError(
            f"the judge is {'right' if judge_right else 'wrong'} about none of {names}"
        )
    of = [unit for unit, here in zip(units(row, names), asked, strict=True) if here]
    return _share(right(row, names)[asked], of)


def turned(row: Row) -> Share:
    """How often a reward's preference turns round when the instruction is turned round.

    Of the answers that stand under an instruction and under its negation. Who does not read the
    prompt never turns; who turns at random does so half of the time.

    Args:
        row: as for ``margins``; pairs that one of the two sets lacks are left out.
    """
    before, after = (
        dict(zip(units(row, [name]), np.sign(margins(row, [name])), strict=True))
        for name in CONTROL
    )
    both = [unit for unit in before if unit in after]
    # The chosen answer of the one set is the rejected one of the other.
    return _share(np.array([(1 + before[unit] * after[unit]) / 2 for unit in both]), both)


def _share(values: np.ndarray, of: Sequence[Hashable]) -> Share:
    low, high = cluster_interval(values.tolist(), of)
    return Share(float(values.mean()), low, high, len(values))
