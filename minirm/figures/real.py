"""Pictures of the chapter on a real language model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minirm.figures.shares import draw_doses, head
from minirm.figures.style import NEUTRAL

PHRASE_MARKS = "os^D"


def plot_doses_beside(tables: Mapping[str, Iterable[Mapping[str, Any]]], *, title: str) -> Figure:
    """The share of each reward that is meaning against the agreement: a panel a model.

    Args:
        tables: by the panel's heading, the rows of one ``plot_dose``.
        title: what was found.
    """
    fig, axes = _panels(len(tables), 3.9)
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        draw_doses(ax, table)
        ax.set_title(name, loc="left", fontsize="small", weight="normal")
    axes[0].set_ylabel("share that is meaning, %")
    fig.supxlabel("agreement of prefix and label, %  (50: no cue, 100: always)", fontsize="medium")
    handles, labels = axes[0].get_legend_handles_labels()
    head(fig, title, handles=handles, labels=labels, ncols=3, handlelength=3.2)
    return fig


def plot_falls(panels: Mapping[str, pd.DataFrame], right: Iterable[bool], *, title: str) -> Figure:
    """How many nats each answer gained: a line an opening, a mark a phrase, a panel a design.

    Args:
        panels: by the panel's heading, [P, W]: nats by opening (rows) and phrase (columns).
        right: whether each of the W phrases is a right answer.
        title: what was found.
    """
    says = list(right)
    rows = max(map(len, panels.values()))
    fig, axes = _panels(len(panels), 0.24 * rows + 1.6)
    for ax, (name, table) in zip(axes, panels.items(), strict=True):
        places = range(len(table))
        ax.hlines(places, table.min(axis=1), table.max(axis=1), color=NEUTRAL, linewidth=0.8)
        for mark, phrase, good in zip(PHRASE_MARKS, table, says, strict=False):
            fill = "black" if good else "white"
            ax.plot(
                table[phrase], places, mark, color="black", markerfacecolor=fill, markersize=4.5,
                label=f"{phrase} ({'right' if good else 'wrong'})",
            )  # fmt: skip
        ax.axvline(0, color=NEUTRAL, linewidth=1)
        ax.set_yticks(places, list(table.index), fontsize="x-small")
        ax.set_title(name, loc="left", fontsize="small", weight="normal")
    axes[0].invert_yaxis()
    fig.supxlabel("change of ln π, nats", fontsize="medium")
    handles, labels = axes[0].get_legend_handles_labels()
    head(fig, title, handles=handles, labels=labels, ncols=4)
    return fig


def plot_phrases(
    panels: Mapping[str, pd.Series], right: Mapping[str, bool], *, title: str
) -> Figure:
    """Each phrase's mean reward, in order: a panel a reward, filled marks for right answers.

    Args:
        panels: by the panel's heading, a number for each phrase.
        right: whether a phrase is a right answer.
        title: what was found.
    """
    most = max(map(len, panels.values()))
    fig, axes = plt.subplots(1, len(panels), figsize=(7.6, 0.17 * most + 1.2), squeeze=False)
    for ax, (name, values) in zip(axes[0], panels.items(), strict=True):
        ordered = values.sort_values()
        places = pd.Series(range(len(ordered)), index=ordered.index)
        for says, said in ((True, "says yes (right)"), (False, "says no (wrong)")):
            mine = [phrase for phrase in ordered.index if right[phrase] is says]
            ax.plot(
                ordered[mine], places[mine], "o", color="black", label=said, markersize=4.5,
                markerfacecolor="black" if says else "white",
            )  # fmt: skip
        ax.set_yticks(places, list(ordered.index), fontsize="x-small")
        ax.set_title(name, loc="left", fontsize="small", weight="normal")
    fig.supxlabel("mean reward, in standard deviations", fontsize="medium")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    head(fig, title, handles=handles, labels=labels, ncols=2)
    return fig


def _panels(n: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with n panels that share their axes, two beside each other, each so many inches."""
    rows, columns = math.ceil(n / 2), min(n, 2)
    size = 7.6, rows * height
    fig, axes = plt.subplots(rows, columns, figsize=size, sharex=True, sharey=True, squeeze=False)
    for empty in axes.flat[n:]:
        empty.set_visible(False)
    return fig, list(axes.flat[:n])
