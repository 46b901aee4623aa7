"""The collapse against training steps: is a reward without meaning a failure, or a stopping time?

The runs are those of ``minirm.experiments.real`` (the one with a look on the way) on the small
world's bases and in plain text. Settings are the other chapters': AdamW without decay, a constant
learning rate. Nothing else differs from ``minirm.experiments.controls`` but that training goes on,
and that ten test questions are asked of the forty, so that looks cost little against the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minirm.experiments import grids
from minirm.experiments.controls import WORLDS
from minirm.experiments.results import load_results
from minirm.worlds.persona import OPENINGS

FILES = ("steps", "steps-explicit")


def load_looks() -> list[dict[str, Any]]:
    """The book's looks, of all its files, one row each, with two columns more.

    "world" says in words where the base comes from. "spread" is the standard deviation of the mean
    rewards of the twenty ``persona.OPENINGS``, as in ``minirm.experiments.wordings``.
    """
    rows = [row for name in FILES for row in load_results(f"results/{name}.json")[1]]
    return [{**row, "world": WORLDS[row["base"]], "spread": _spread(row["means"])} for row in rows]


def _spread(means: Sequence[float]) -> float:
    by_opening = np.reshape(means, (len(grids.ALL_OPENINGS), len(grids.PHRASES))).mean(axis=1)
    return float(by_opening[: len(OPENINGS)].std())
