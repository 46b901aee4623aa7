"""The pictures of a results file of ``minirm experiment real``, whoever made it.

A file may hold several models, formats and learning rates: each combination is a setting, and a
picture has a panel or a group of bars for each. ``last_looks`` names them in the column "setting";
to draw one alone, hand over its rows.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from minirm.experiments.controls import DOSES
from minirm.experiments.grids import ALL_OPENINGS, PHRASES, RIGHT
from minirm.experiments.results import load_results
from minirm.experiments.rungs import BETA
from minirm.figures.real import plot_doses_beside, plot_falls
from minirm.figures.shares import plot_pairs_distribution, plot_shares, summary
from minirm.worlds.persona import OPENINGS

CUES = {"paper": "prefix = label", "all prefixes": "no cue"}
"""Designs by what a prefix says in them; others go by their own name."""
SETTINGS = ("base", "data", "chat", "lr", "epochs", "batch_size", "precision", "lora")
FORMS = {
    "lr": "lr {:g}", "epochs": "{} epochs", "batch_size": "{} pairs a step",
    "lora": "adapters of rank {:g}",
}  # fmt: skip


def last_looks(*paths: str | os.PathLike[str]) -> pd.DataFrame:
    """The last row of each run of one or several files.

    Args:
        paths: results files, as for ``load_results``; older ones may lack a setting.

    Returns:
        their columns, with "agreement" (of prefix and label, where the design is a dose) and
        "setting": in words, what tells the runs' settings apart, "" where they all share one.

    Raises:
        ValueError: a file has no shares of a reward, so that it is another experiment's.
    """
    frames = []
    for path in paths:
        header, rows = load_results(path)
        frame = pd.DataFrame(rows)
        if missing := {"design", "reward", "meaning", "means", "histogram"} - set(frame):
            raise ValueError(
                f"{os.fspath(path)} has no {', '.join(sorted(missing))}: it was written by "
                f"{header['command']!r}, expected a file of `minirm experiment real`"
            )
        frames.append(frame)
    looks = pd.concat(frames, ignore_index=True).astype(object)
    for name in set(SETTINGS) - set(looks):
        looks[name] = None
    run = [*SETTINGS, "design", "reward", "seed"]
    last = looks.groupby(run, dropna=False, sort=False)["step"].transform("max")
    looks = looks[looks["step"] == last].infer_objects()
    several = [name for name in SETTINGS if looks[name].nunique(dropna=False) > 1]
    told = [
        ", ".join(_told(name, value) for name, value in zip(several, values, strict=True))
        for values in looks[several].itertuples(index=False, name=None)
    ]
    return looks.assign(agreement=looks["design"].map(DOSES), setting=told)


def plot_run_doses(looks: pd.DataFrame, *, title: str) -> Figure:
    """The share of each reward that is meaning against the agreement: a panel a setting.

    Args:
        looks: of ``last_looks``; designs that are no doses are left out.
        title: what was found.
    """
    doses = looks[looks["agreement"].notna()]
    panels = {}
    for setting, runs in doses.groupby("setting", sort=False):
        lines = summary(runs, ["reward", "agreement"]).rename(columns={"meaning": "mean"})
        panels[setting] = lines.to_dict("records")
    return plot_doses_beside(panels, title=title)


def plot_run_shares(looks: pd.DataFrame, *, title: str) -> Figure:
    """What each reward goes by: a bar a reward, design and setting.

    Args:
        looks: of ``last_looks``.
        title: what was found.
    """
    bars = summary(looks, ["setting", "design", "reward"]).to_dict("records")
    settings = list(looks["setting"].unique())
    bars.sort(key=lambda bar: (settings.index(bar["setting"]), _cue(bar["design"])))
    return plot_shares({_label(bar["reward"], bar): bar for bar in bars}, title=title)


def plot_run_pairs(looks: pd.DataFrame, *, title: str, design: str = "paper") -> Figure:
    """Accuracy over all ordered pairs of openings: a panel a reward and setting.

    Args:
        looks: of ``last_looks``.
        title: what was found.
        design: of the training pairs.
    """
    mine = looks[looks["design"] == design]
    groups = mine.groupby(["setting", "reward"], sort=False)
    panels = {", ".join(filter(None, key[::-1])): rows for key, rows in groups}
    return plot_pairs_distribution(panels, title=title)


def nats(looks: pd.DataFrame) -> pd.DataFrame:
    """The change of ln pi of each held-out answer under the implicit reward, mean over runs.

    Returns:
        [P, W], by opening (rows) and phrase (columns).
    """
    means = np.array(looks[looks["reward"] == "implicit"]["means"].tolist())
    table = means.reshape(len(means), len(ALL_OPENINGS), -1).mean(0) / BETA
    return pd.DataFrame(table, ALL_OPENINGS, PHRASES).loc[list(OPENINGS)]


def plot_run_falls(looks: pd.DataFrame, *, title: str, designs: Sequence[str] = ()) -> Figure:
    """How many nats each answer gained under the implicit reward: a panel a design and setting.

    Args:
        looks: of ``last_looks``.
        title: what was found.
        designs: of the training pairs, in this order; none given: those of ``CUES`` that are there.
    """
    mine = looks[looks["reward"] == "implicit"]
    panels = {
        _label("", {"design": design, "setting": setting}): nats(rows)
        for design in designs or CUES
        for setting, rows in mine[mine["design"] == design].groupby("setting", sort=False)
    }
    return plot_falls(panels, RIGHT, title=title)


def _label(reward: str, group: dict[str, str]) -> str:
    named = CUES.get(group["design"], group["design"])
    return ", ".join(filter(None, [reward, named, group["setting"]]))


def _cue(design: str) -> int:
    return [*CUES, design].index(design)


def _told(name: str, value: Any) -> str:
    """One setting in words.

    >>> _told("chat", False), _told("lr", 3e-06), _told("lora", None), _told("epochs", 5)
    ('plain text', 'lr 3e-06', 'all weights', '5 epochs')
    """
    if pd.isna(value):
        return {"data": "the small world’s questions", "lora": "all weights"}.get(
            name, f"no {name}"
        )
    if name == "chat":
        return "chat" if value else "plain text"
    if (name, value) == ("precision", "no"):
        return "float32"
    return FORMS.get(name, "{}").format(value)
