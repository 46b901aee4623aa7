"""Foretold against trained: every pair of openings, and token by token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from minirm.figures.style import COLOURS, FAINT, LABELS, MARKERS, NEUTRAL

LINE = {"color": FAINT, "linewidth": 1, "zorder": 0}


def plot_foretold(
    panels: Mapping[str, tuple[Any, Any]], *, reward: str = "implicit", title: str
) -> Figure:
    """Trained against foretold margins of all ordered pairs of openings, one panel a theory.

    A pair whose sign was foretold is filled, another one is a grey ring; the first pair, the
    paper's, is ringed and named. The dashed line is the best scale, without an offset.

    Args:
        panels: label -> (foretold, trained) margins, [P (P - 1)] each, as
            ``experiments.foretold.pair_margins`` gives them.
        reward: which colour and mark.
        title: what was found.
    """
    fig, axes = plt.subplots(
        1, len(panels), figsize=(3.6 * len(panels) + 0.4, 4.2), sharey=True, squeeze=False
    )
    for ax, (label, margins) in zip(axes[0], panels.items(), strict=True):
        foretold, trained = (np.asarray(m, dtype=float) for m in margins)
        agree = np.sign(foretold) == np.sign(trained)
        ax.axhline(0, **LINE)
        ax.axvline(0, **LINE)
        edge = 1.05 * np.array([foretold.min(), foretold.max()])
        scale = foretold @ trained / (foretold @ foretold)
        ax.plot(edge, scale * edge, "--", color=NEUTRAL, linewidth=1, label=f"scale {scale:.2g}")
        mark = {"marker": MARKERS[reward], "s": 14}
        ax.scatter(
            foretold[agree], trained[agree], color=COLOURS[reward], alpha=0.55, linewidth=0,
            label=f"sign foretold ({agree.mean():.0%})", **mark,
        )  # fmt: skip
        ax.scatter(
            foretold[~agree], trained[~agree], facecolor="none", edgecolor=NEUTRAL, alpha=0.8,
            label=f"sign missed ({(~agree).mean():.0%})", **mark,
        )  # fmt: skip
        ax.scatter(
            foretold[:1], trained[:1], s=110, facecolor="none", edgecolor="black", linewidth=1.6,
            label="the paper's pair",
        )  # fmt: skip
        ax.set(xlabel="foretold margin", title=label)
        ax.locator_params(axis="x", nbins=5)
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "ncols": 2}
        ax.legend(fontsize="x-small", handletextpad=0.3, columnspacing=1, **below)
    axes[0, 0].set_ylabel(f"trained margin, {LABELS[reward]}")
    fig.suptitle(title, x=0.01, ha="left", weight="bold", fontsize="medium")
    return fig


def plot_token_changes(
    data: pd.DataFrame, foretold: Mapping[str, str], *, title: str, unit: str = "base"
) -> Figure:
    """Change of ln pi, foretold and trained, a bar a token: one panel an answer.

    The bar is the mean over units, and a point is one of them: a base, the mean over its seeds.

    Args:
        data: rows of ``experiments.foretold_tokens`` of one design, with "base", "answer",
            "place", "token", "trained" and what is foretold.
        foretold: columns to set beside "trained", each with its label.
        title: what was found.
        unit: the column whose values are drawn apart, "base" or "seed".
    """
    columns = {**foretold, "trained": "trained"}
    colours = [*plt.get_cmap("Greys")(np.linspace(0.35, 0.65, len(foretold)))]
    colours.append(COLOURS["implicit"])
    answers = data.groupby("answer", sort=False)
    sizes = [part["place"].nunique() for _, part in answers]
    fig, axes = plt.subplots(
        1, len(sizes), figsize=(9.0, 0.5 * max(sizes) + 1.3), sharex=True, squeeze=False
    )
    thick = 0.8 / len(columns)
    for ax, (answer, part) in zip(axes[0], answers, strict=True):
        for row, (column, label) in enumerate(columns.items()):
            units = part.groupby(["place", unit])[column].mean().unstack()
            places = units.index + (row - (len(columns) - 1) / 2) * thick
            ax.barh(places, units.mean(axis=1), thick, color=colours[row], label=label)
            for _, values in units.items():
                ax.scatter(values, places, s=7, color="black", alpha=0.6, linewidth=0, zorder=3)
        words = part.drop_duplicates("place").set_index("place")["token"]
        ax.axvline(0, color=NEUTRAL, linewidth=1)
        ax.set_yticks(words.index, words)
        ax.invert_yaxis()
        ax.set(xlabel="change of ln π (nats)", title=answer)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(columns), fontsize="small")
    fig.suptitle(title, x=0.01, ha="left", weight="bold", fontsize="medium")
    return fig
