"""The picture of what hidden states mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from minirm.figures.style import NEUTRAL

# Free of any model: Okabe and Ito's sky blue, and their orange so much darker that grey tells them.
YES, NO = "#56B4E9", "#9A6A00"


def meaning_plane(states: Tensor, shown: Tensor, means_yes: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates of states: along yes-minus-no of the shown answers, and the widest way across.

    Args:
        states: [B, D], one an answer.
        shown: [B] bool, whether a classifier may learn from it.
        means_yes: [B] bool.

    Returns:
        [B], [B]: the first is 0 half-way between the means of the shown yes and no answers and
        +-1 at them; the second is the first principal component of what is left.
    """
    yes, no = states[shown & means_yes].mean(0), states[shown & ~means_yes].mean(0)
    half = (yes - no) / 2
    along = (states - (yes + no) / 2) @ half / half.square().sum()
    rest = states - along[:, None] * half
    rest = rest - rest.mean(0)
    across = rest @ torch.linalg.svd(rest, full_matrices=False).Vh[0]
    return along, across / across.std()


def plot_meaning(
    planes: Mapping[str, tuple[Tensor, Tensor]], answers: pd.DataFrame, *, titles: Sequence[str]
) -> Figure:
    """Answers in the plane of ``meaning_plane``, one panel a model.

    Args:
        planes: model -> its two coordinates.
        answers: "means yes" and "shown", one row an answer.
        titles: one a panel, what was found.
    """
    fig, axes = plt.subplots(1, len(planes), figsize=(9.6, 3.6))
    yes, shown = (answers[name].to_numpy(copy=True) for name in ("means yes", "shown"))
    for ax, (along, across), title in zip(axes, planes.values(), titles, strict=True):
        for side, colour, mark, word in ((yes, YES, "o", "yes"), (~yes, NO, "s", "no")):
            ax.scatter(
                along[side], across[side], s=9, alpha=0.45, color=colour, marker=mark,
                linewidths=0, label=f"means {word}",
            )  # fmt: skip
        ax.scatter(
            along[shown], across[shown], s=46, facecolors="none", edgecolors="black",
            label="shown to the classifier",
        )  # fmt: skip
        ax.axvline(0, color=NEUTRAL, linestyle=":", linewidth=1, zorder=0)
        ax.set(xlabel="from no (−1) to yes (+1), as the shown answers say", title=title)
        ax.set_yticks([])
    axes[0].set_ylabel("widest other direction")
    handles, labels = axes[0].get_legend_handles_labels()
    legend = fig.legend(handles, labels, loc="outside lower center", ncols=3)
    for handle in legend.legend_handles:
        handle.set_sizes([40])
        handle.set_alpha(1)
    return fig
