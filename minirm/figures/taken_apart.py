"""Live figures of the part *Taken apart*: dose and response, two judges, design and world."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from minirm.figures.live import LiveFigure
from minirm.figures.shares import PARTS, plot_dose

MEASURED = (*PARTS, "low", "high", "accuracy")


class DoseFigure(LiveFigure):
    """How much of each reward is meaning when the reader drags the agreement; ``dose_data``.

    Between two measured doses the numbers are those of the straight line.
    """

    module = "dose.js"

    @staticmethod
    def compute(data: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, float]:
        lines, agreement = data["worlds"][state["world"]], state["agreement"]
        return {
            f"{reward}: {name}": _interpolate(lines[reward], name, agreement)
            for reward in data["rewards"]
            if reward in lines
            for name in MEASURED
        }


def dose_data(summary: pd.DataFrame) -> dict[str, Any]:
    """What ``DoseFigure`` draws.

    Args:
        summary: of ``minirm.figures.shares.summary`` by "world", "reward" and "agreement" (0.5 to
            1); worlds and rewards are shown in the order of their first rows, by these names.
    """
    worlds: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in summary.to_dict("records"):
        numbers = {name: _plain(row[name]) for name in ("agreement", *MEASURED)}
        worlds.setdefault(row["world"], {}).setdefault(row["reward"], []).append(numbers)
    return {"worlds": worlds, "rewards": list(dict.fromkeys(summary["reward"]))}


def dose_picture(data: Mapping[str, Any], *, title: str, world: str | None = None) -> Figure:
    """``plot_dose`` of one world of ``dose_data``, the first where none is named."""
    lines = data["worlds"][world or next(iter(data["worlds"]))]
    table = [
        {"reward": reward, **p, "mean": p["meaning"]}
        for reward in data["rewards"]
        for p in lines.get(reward, ())
    ]
    return plot_dose(table, title=title)


def _interpolate(points: list[Mapping[str, Any]], name: str, agreement: float) -> float:
    """A number at a dose: measured, or between two; not a number outside of them."""
    table = {p["agreement"]: math.nan if p[name] is None else p[name] for p in points}
    for dose, value in table.items():
        if math.isclose(dose, agreement, abs_tol=1e-9):
            return value
    for (below, low), (above, high) in pairwise(sorted(table.items())):
        if below < agreement < above:
            return low + (agreement - below) / (above - below) * (high - low)
    return math.nan


def _plain(value: Any) -> float | None:
    """A number as JSON has it, which knows no NaN."""
    return float(value) if value is not None and math.isfinite(value) else None
