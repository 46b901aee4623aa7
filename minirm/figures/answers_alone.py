"""Pictures of the chapter "Read the benchmark before the model"."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from minirm.figures.shares import head
from minirm.figures.style import FAINT

Share = tuple[float, float, float]
"""A share and the two ends of its interval."""
LOOKS = {
    "longest": ("#000000", "o"),
    "shortest": ("#000000", "P"),
    "one word": ("#CC79A7", "s"),
    "unigram cues": ("#009E73", "^"),
    "TF-IDF": ("#E69F00", "D"),
    "memory": ("#56B4E9", "v"),
}
"""Colour and mark of each judge; none is a reward model's."""
CHANCE = 0.5


def plot_judges(groups: Mapping[str, Mapping[str, Share]], *, title: str) -> Figure:
    """How often several judges are right: a group of lines a set, a mark a judge.

    Args:
        groups: by set, by judge (of ``LOOKS``, the same ones in each), share and interval.
        title: what was found.
    """
    judges = list(next(iter(groups.values())))
    step = 1 / (len(judges) + 1)
    fig, ax = plt.subplots(figsize=(7.0, 0.27 * len(groups) * (len(judges) + 1) + 1.5))
    ax.axvline(CHANCE, color=FAINT, linewidth=1.2, zorder=0)
    for i in range(1, len(groups)):
        ax.axhline(i - 0.5, color=FAINT, linewidth=0.6, zorder=0)
    for i, judge in enumerate(judges):
        colour, mark = LOOKS[judge]
        found = np.array([groups[name][judge] for name in groups])
        places = np.arange(len(groups)) + (i - (len(judges) - 1) / 2) * step
        ends = np.abs(found[:, 1:].T - found[:, 0])
        ax.errorbar(
            found[:, 0], places, xerr=ends, fmt=mark, color=colour, capsize=3, linewidth=1.2,
            label=judge,
        )  # fmt: skip
    ax.set_yticks(range(len(groups)), list(groups))
    ax.set_ylim(len(groups) - 0.5, -0.5)
    ax.set_xlim(-0.03, 1.03)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.set_xlabel(
        "pairs ranked right; the line is a coin's half\nbars: 95 % intervals over prompts"
    )
    head(fig, title, ncols=len(judges))
    return fig


def plot_removed(lines: Mapping[str, Mapping[int, Share]], *, title: str) -> Figure:
    """How often judges are right after the most telling words were taken out of the answers.

    Args:
        lines: by judge (of ``LOOKS``), by how many words were taken out, share and interval.
        title: what was found.
    """
    fig, ax = plt.subplots(figsize=(7.0, 3.4))
    ax.axhline(CHANCE, color=FAINT, linewidth=1.2, zorder=0)
    for judge, line in lines.items():
        colour, mark = LOOKS[judge]
        places = np.arange(len(line))
        found = np.array(list(line.values()))
        ends = np.abs(found[:, 1:].T - found[:, 0])
        ax.errorbar(
            places, found[:, 0], yerr=ends, fmt=f"-{mark}", color=colour, capsize=3, label=judge
        )
        ax.set_xticks(places, [str(n) for n in line])
    ax.set_ylim(0.36, 1.03)
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.set_xlabel("words taken out, the most telling first; bars: 95 % intervals over prompts")
    ax.set_ylabel("pairs ranked right")
    head(fig, title, ncols=len(lines))
    return fig
