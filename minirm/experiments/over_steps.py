"""The collapse against training steps: is a reward without meaning a failure, or a stopping time?

The runs are those of ``minirm.experiments.real`` (the one with a look on the way) on the small
world's bases and in plain text. Settings are the other chapters': AdamW without decay, a constant
learning rate. Nothing else differs from ``minirm.experiments.controls`` but that training goes on,
and that ten test questions are asked of the forty, so that looks cost little against the steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minirm.experiments.controls import WORLDS
from minirm.experiments.results import Row, load_results

FILES = ("steps", "steps-no-facts", "steps-explicit")


def load_looks() -> list[dict[str, Any]]:
    """The book's looks, of all its files, one row each, with "world" as one column more."""
    rows = [row for name in FILES for row in load_results(f"results/{name}.json")[1]]
    return [{**row, "world": WORLDS[row["base"]]} for row in rows]


def turning(rows: Iterable[Row], *, share: float = 0.5) -> list[dict[str, Any]]:
    """When each run has learned its training pairs, and when it has come to mean something.

    Args:
        rows: looks of any number of runs.
        share: of meaning, which counts as having come.

    Returns:
        a row a run: "world", "base", "design", "reward", "seed"; "learned", the first look at which
        all training pairs are ranked rightly; "meant", the first at which the share of meaning is
        at least ``share`` (None where no look has it); "then", the share at "learned"; and of the
        last look the "step" and the share, "last".
    """
    runs: dict[tuple[Any, ...], list[Row]] = {}
    names = ("world", "base", "design", "reward", "seed")
    for row in rows:
        runs.setdefault(tuple(row[name] for name in names), []).append(row)
    found = []
    for key, unsorted in runs.items():
        looks = sorted(unsorted, key=lambda row: row["step"])
        learned = next((row for row in looks if row["trained"] == 1), None)
        meant = next((row for row in looks if row["meaning"] >= share), None)
        found.append(
            {
                **dict(zip(names, key, strict=True)),
                "learned": learned and learned["step"],
                "meant": meant and meant["step"],
                "then": learned and learned["meaning"],
                "step": looks[-1]["step"],
                "last": looks[-1]["meaning"],
            }
        )
    return found
