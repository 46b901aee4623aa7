"""How much of a reward is meaning, look by look, while it is trained."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from minirm.figures.style import EXPLICIT, IMPLICIT, NEUTRAL

DESIGNS: dict[str, dict[str, Any]] = {
    "one prefix": {"color": IMPLICIT, "marker": "o", "linestyle": "-"},
    "counterbalanced": {"color": "#7A3500", "marker": "s", "linestyle": "--"},
    "paper": {"color": "#E0803C", "marker": "^", "linestyle": ":"},
}
"""Of the implicit reward: darker and lighter than its colour, and each with its own line."""


def plot_over_steps(looks: pd.DataFrame, *, title: str) -> Figure:
    """The share of meaning against steps, one panel a world, one line a design.

    A thin line is a base model, the mean over its seeds; the thick one is the mean over bases. A
    mark is full where all runs rank all of their training pairs rightly. The explicit reward of
    the last state, where there is one, stands behind in blue: a line a design, the mean over its
    bases.

    Args:
        looks: rows of ``minirm.experiments.over_steps.load_looks``; worlds in the order in which
            they come.
        title: what was found.
    """
    worlds = list(looks["world"].unique())
    fig, axes = plt.subplots(
        len(worlds), 1, figsize=(5.6, 1.85 * len(worlds) + 1.2),
        sharex=True, sharey=True, squeeze=False,
    )  # fmt: skip
    for ax, world in zip(axes[:, 0], worlds, strict=True):
        here = looks[looks["world"] == world]
        for design, style in DESIGNS.items():
            _explicit(ax, here[(here["design"] == design) & (here["reward"] == "explicit")])
            _implicit(ax, here[(here["design"] == design) & (here["reward"] == "implicit")], style)
        ax.set_title(world, fontsize="small", weight="normal")
    last = max(looks["step"])
    axes[-1, 0].set(
        xlabel="training steps", xlim=(0, 1.03 * last), ylim=(-4, 104), yticks=[0, 50, 100],
        xticks=sorted({0, *looks["step"]}),
    )  # fmt: skip
    fig.supylabel("share that is meaning, %", fontsize="medium")
    fig.legend(
        loc="outside upper left", title=title, alignment="left", fontsize="small", ncols=2,
        handles=_handles(), handlelength=3, title_fontproperties={"weight": "bold", "size": 10},
    )  # fmt: skip
    return fig


def _implicit(ax: Axes, rows: pd.DataFrame, style: dict[str, Any]) -> None:
    bases = 100 * rows.groupby(["step", "base"])["meaning"].mean().unstack()
    for base in bases:
        ax.plot(bases.index, bases[base], linewidth=0.8, alpha=0.6, **style | {"marker": ""})
    mean = bases.mean(axis=1)
    ax.plot(mean.index, mean, linewidth=2.4, zorder=3, **style | {"marker": ""})
    learned = rows.groupby("step")["trained"].min() == 1
    for step, value in mean.items():
        face = style["color"] if learned[step] else "white"
        look = {"markerfacecolor": face, "markersize": 6.5, "linestyle": "none", "zorder": 4}
        ax.plot([step], [value], **style | look)


def _explicit(ax: Axes, rows: pd.DataFrame) -> None:
    mean = 100 * rows.groupby(["step", "base"])["meaning"].mean().groupby("step").mean()
    ax.plot(mean.index, mean, color=EXPLICIT, linewidth=1.5, alpha=0.4, zorder=1)


def _handles() -> list[Line2D]:
    designs = [
        Line2D([], [], linewidth=2.2, markersize=6, label=f"implicit, {design}", **style)
        for design, style in DESIGNS.items()
    ]
    plain: dict[str, Any] = {"marker": "o", "linestyle": "none", "color": NEUTRAL}
    return [
        *designs,
        Line2D(
            [], [], color=EXPLICIT, linewidth=1.5, alpha=0.4, label="explicit, at the last state"
        ),
        Line2D([], [], **plain, label="all training pairs right"),
        Line2D([], [], **plain, markerfacecolor="white", label="not yet in every run"),
    ]
