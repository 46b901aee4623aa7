"""Every answer's reward, in and out of a results file, and what two rewards say of one answer.

All of it is over pairs: intervals are over prompts, so that a prompt in four wordings is one case.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from minirm.experiments.results import Row
from minirm.experiments.shift_sets import CONTROL
from minirm.metrics import cluster_interval, difference_interval, equally_long

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


def accuracy(row: Row, names: Sequence[str], among: np.ndarray | None = None) -> Share:
    """How often a reward is right.

    Args:
        row: the reward's.
        names: of the sets.
        among: [B], True for the pairs that count, in the order of ``margins``; None for all.

    Raises:
        ValueError: none counts.
    """
    return _share(right(row, names), units(row, names), among)


def agreement(
    first: Row, second: Row, names: Sequence[str], among: np.ndarray | None = None
) -> Share:
    """How often two rewards prefer the same answer of a pair; a tie agrees by one half.

    Args:
        first: one reward's row.
        second: another's, of the same sets.
        names: of the sets.
        among: as for ``accuracy``.

    Raises:
        ValueError: no pair counts.
    """
    alike = (1 + np.sign(margins(first, names)) * np.sign(margins(second, names))) / 2
    return _share(alike, units(first, names), among)


def about_as_long(longer: Row, names: Iterable[str]) -> np.ndarray:
    """Which pairs have answers of about one length: [B], in the order of ``margins``.

    Args:
        longer: the row of that baseline, whose rewards are the lengths in tokens.
        names: of the sets.
    """
    found = []
    for name in names:
        chosen, rejected = np.array(longer["rewards"][name], dtype=float)
        whole = ~np.isnan(chosen)
        found.append(equally_long(chosen[whole], rejected[whole]))
    return np.concatenate(found)


@dataclass(frozen=True)
class Turns:
    """What a reward does when an instruction is turned round.

    Attributes:
        share: how often its preference turns.
        rightly: pairs that turned and are ranked right under both instructions.
        wrongly: pairs that turned and are ranked wrong under both.
    """

    share: Share
    rightly: int
    wrongly: int


def turns(row: Row) -> Turns:
    """Whether a reward's preference turns round when the instruction is turned round.

    Of the answers that stand under an instruction and under its negation. Who does not read the
    prompt never turns; whose reward is noise turns half of the time, as often rightly as wrongly.

    Args:
        row: as for ``margins``; pairs that one of the two sets lacks are left out.
    """
    before, after = (
        dict(zip(units(row, [name]), np.sign(margins(row, [name])), strict=True))
        for name in CONTROL
    )
    both = [unit for unit in before if unit in after]
    signs = np.array([(before[unit], after[unit]) for unit in both])
    # The chosen answer of the one set is the rejected one of the other.
    share = _share((1 + signs.prod(1)) / 2, both)
    return Turns(share, int((signs == 1).all(1).sum()), int((signs == -1).all(1).sum()))


def _share(values: np.ndarray, of: Sequence[Hashable], among: np.ndarray | None = None) -> Share:
    if among is not None:
        values, of = values[among], [unit for unit, counts in zip(of, among, strict=True) if counts]
    if not len(values):
        raise ValueError("none of the pairs counts")
    low, high = cluster_interval(values.tolist(), of)
    return Share(float(values.mean()), low, high, len(values))
