"""The ladder from the explicit to the implicit reward: what each rung reads, and what it became."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minirm.figures.shares import draw_bar, part_handles
from minirm.figures.style import EXPLICIT, FAINT, IMPLICIT, NEUTRAL

_LOGITS = r"$\beta \sum_k \langle U_{y_k}, h_{<k} \rangle$"
READS: Mapping[str, tuple[str, str]] = {
    "explicit": ("last", r"$\langle u, h_{x,y} \rangle$"),
    "explicit, mean": ("at", r"$\frac{1}{|y|} \sum_k \langle u, h_{\leq k} \rangle$"),
    "explicit, sum": ("at", r"$\sum_k \langle u, h_{\leq k} \rangle$"),
    "explicit, states before": ("before", r"$\sum_k \langle u, h_{<k} \rangle$"),
    "vector a token": ("words", _LOGITS),
    "implicit, no reference": ("softmax", r"$\beta \sum_k \ln \pi(y_k)$"),
    "implicit, no softmax": ("difference", _LOGITS + " − start"),
    "implicit": ("both", r"$\beta \sum_k \ln \pi(y_k)$ − start"),
}
"""By rung: which states and vectors it reads, as ``plot_rungs`` draws them, and its formula."""

COLOURS = ("#56B4E9", "#CC79A7", "#F0E442", "#999999", "#009E73", "#7B3294")
"""Of tokens that have a vector of their own; of no model."""


def plot_rungs(tokens: Sequence[str], *, title: str) -> Figure:
    """One line a rung: the states of a response that it reads, and with which vectors.

    A circle is a state, and stands at its token; the first is the prompt's last. A filled one is
    read: blue with the one vector u, otherwise with the vector of the token that comes next, whose
    colour it has. A box around it is the softmax over all tokens, a shadow what is subtracted: the
    same before training.

    Args:
        tokens: of a response, up to six.
        title: what there is to see.
    """
    fig, ax = plt.subplots(figsize=(7.6, 0.52 * len(READS) + 1.2))
    end = len(tokens)
    for place, token in enumerate(("(prompt)", *tokens)):
        ax.text(place, -0.75, token, ha="center", va="center", fontsize="small", color=NEUTRAL)
    for y, (rung, (how, formula)) in enumerate(READS.items()):
        ax.text(-0.7, y, rung, ha="right", va="center", fontsize="small")
        ax.text(end + 0.6, y, formula, ha="left", va="center", fontsize="small")
        for place in range(end + 1):
            _state(ax, place, y, how, end)
    ax.set(xlim=(-4.1, end + 4.4), ylim=(len(READS) - 0.4, -1.1))
    ax.set_title(title)
    ax.axis("off")
    return fig


def _state(ax: Axes, place: int, y: float, how: str, end: int) -> None:
    """One state: empty, or filled by the vector with which ``how`` reads it."""
    if how in {"last", "at"}:
        read = place == end if how == "last" else place > 0
        colour = EXPLICIT
    else:
        read = place < end
        colour = EXPLICIT if how == "before" else COLOURS[place % len(COLOURS)]
    if read and how in {"difference", "both"}:
        ax.plot(place + 0.16, y + 0.14, "o", markersize=11, color=FAINT, zorder=1)
    if read and how in {"softmax", "both"}:
        ax.plot(place, y, "s", markersize=18, markerfacecolor="none", markeredgecolor=IMPLICIT)
    fill = colour if read else "white"
    ax.plot(place, y, "o", markersize=11, color=fill, markeredgecolor=NEUTRAL, zorder=3)


def plot_ladder(
    panels: Mapping[str, Mapping[str, Mapping[str, Any]]], *, columns: int, title: str
) -> Figure:
    """The parts of every rung's reward, one panel a design of the training pairs.

    The black line on a bar is the interval of its meaning; a number in brackets after a rung's bar
    is the share of prompts on which meaning has the right sign, where that is not all of them. A
    star marks a bar that rests on one base model.

    Args:
        panels: name of a panel -> rung -> a row of ``minirm.figures.shares.summary``. All panels
            have the same rungs.
        columns: panels side by side.
        title: what was found.
    """
    rungs = list(next(iter(panels.values())))
    lines = -(-len(panels) // columns)
    fig, axes = plt.subplots(
        lines, columns, figsize=(8.4, lines * (0.3 * len(rungs) + 0.45) + 1.0),
        sharex=True, sharey=True, squeeze=False,
    )  # fmt: skip
    for ax, (name, rows) in zip(axes.flat, panels.items(), strict=False):
        for y, rung in enumerate(rungs):
            row = rows[rung]
            draw_bar(ax, y, row, height=0.7, interval=(row["low"], row["high"]))
            notes = ["*"] if row["bases"] == 1 else []
            notes += [f"({row['right']:.2f})"] if row["right"] < 0.995 else []
            if notes:
                ax.text(1.03, y, " ".join(notes), va="center", fontsize="x-small")
        ax.set_title(name, fontsize="small", weight="normal")
        ax.set(xlim=(0, 1.2), ylim=(len(rungs) - 0.5, -0.5))
        ax.set_yticks(range(len(rungs)), rungs, fontsize="small")
        ax.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"], fontsize="small")
        ax.tick_params(axis="y", length=0)
        ax.spines[["left", "bottom"]].set_visible(False)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    fig.legend(
        loc="outside upper left", title=title, alignment="left", fontsize="small", ncols=4,
        handles=part_handles(), title_fontproperties={"weight": "bold", "size": "medium"},
    )  # fmt: skip
    return fig
