"""Grids of item, wording and side: rewrites that the data has, or that were made.

Given ones: rows with two more columns. All rows with one value of the item column are one
comparison; its chosen answers all say the same in other words, and so do its rejected ones. The
wording column says in which words (or the file does, where each wording has a file of its own):

    {"prompt": "2 + 2? ", "chosen": "4", "rejected": "5", "id": 7, "how": "digits"}
    {"prompt": "2 + 2? ", "chosen": "four", "rejected": "five", "id": 7, "how": "words"}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from minirm import metrics

LEAST = 3
"""Drawing fewer items again with replacement says nothing of how far others are from them."""


@dataclass(frozen=True)
class Grid:
    """Which pair is which item in which wording.

    Attributes:
        wordings: their names, P of them.
        places: [N, P], places of pairs.
        incomplete: items that lack a wording and were left out.
    """

    wordings: list[str]
    places: np.ndarray
    incomplete: int = 0


def grid(items: Sequence[Any], wordings: Sequence[Any], origins: Sequence[str | None]) -> Grid:
    """Sort pairs into a grid.

    Args:
        items: [B], what tells comparisons apart.
        wordings: [B], in which wording each row has it.
        origins: [B], where each comes from, for errors.

    Raises:
        ValueError: there is one wording only, an item has one twice, or none has them all.

    >>> grid([7, 7, 8], ["digits", "words", "words"], ["a", "b", "c"])
    Grid(wordings=['digits', 'words'], places=array([[0, 1]]), incomplete=1)
    """
    names = [str(name) for name in dict.fromkeys(wordings)]
    if len(names) < 2:
        raise ValueError(f"all rows have one wording, {names[0]!r}: a meaning share needs two")
    found: dict[Any, dict[str, int]] = {}
    for place, (item, name) in enumerate(zip(items, map(str, wordings), strict=True)):
        cells = found.setdefault(item, {})
        if name in cells:
            raise ValueError(
                f"{origins[place]} and {origins[cells[name]]} are both item {item!r:.60} in "
                f"wording {name!r}: one row each is needed"
            )
        cells[name] = place
    whole = [
        [cells[name] for name in names] for cells in found.values() if len(cells) == len(names)
    ]
    if not whole:
        raise ValueError(f"no item has all {len(names)} wordings ({', '.join(names)})")
    return Grid(names, np.array(whole), len(found) - len(whole))


def shares(rewards: np.ndarray, lengths: np.ndarray, wordings: Sequence[str]) -> Mapping[str, Any]:
    """What of a grid's rewards is which answer it is, and what is its wording.

    Args:
        rewards: [N, P, 2], of items, wordings, chosen and rejected; an item with a NaN is left out.
        lengths: the same shape, in words and marks.
        wordings: [P], their names.

    Returns:
        ``meaning_share`` by its names (its opening is "wording" here), "length" and the other parts
        of ``wording_share``, and "accuracies" [P, P], as ``opening_accuracies``; or "reason" alone,
        where there is nothing to split. Of fewer than ``LEAST`` items there is no "interval" (None)
        and there are no "part_intervals" ({}).
    """
    whole = ~np.isnan(rewards).any((1, 2))
    items = int(whole.sum())
    about = {"wordings": list(wordings), "items": items, "of": len(rewards)}
    if not whole.any():
        return about | {"reason": "no item could be read in every wording"}
    cells, right = rewards[whole], [True, False]
    try:
        found = metrics.meaning_share(cells, right)
        parts = metrics.wording_share(cells, lengths[whole])
    except ValueError as error:
        return about | {"reason": str(error)}
    enough = items >= LEAST
    return about | {
        "meaning": found.meaning,
        "interval": found.interval if enough else None,
        "wording": found.opening,
        "interaction": found.interaction,
        "noise": found.noise,
        "gap": found.gap,
        "right": found.right,
        "parts": {k: v for k, v in asdict(parts).items() if k not in ("intervals", "prompts")},
        "part_intervals": parts.intervals if enough else {},
        "accuracies": metrics.opening_accuracies(cells, right).tolist(),
    }
