"""How the tokens of a pair lie in a row, and who sees whom."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from minirm.batches import Rows
from minirm.figures.style import NEUTRAL

PARTS = {"prompt": "#CCCCCC", "chosen": "#56B4E9", "rejected": "#7B3294"}  # no model's colours


def plot_mask(rows: Rows, words: Sequence[str], *, title: str) -> Figure:
    """The attention mask of one shared row, tokens by tokens, with each token's position above.

    Args:
        rows: a single shared row of a pair, without padding.
        words: of its T tokens.
        title: what is to be seen.

    Raises:
        ValueError: the row is not shared, so that it has no mask of its own, or not alone.
    """
    mask = rows.attention_mask
    if mask is None or len(mask) != 1 or rows.segment is None or rows.position_ids is None:
        raise ValueError(f"expected one shared row, got {len(rows.input_ids)} rows, or a plain one")
    segment, places = rows.segment[0].numpy(), range(len(words))
    fig, ax = plt.subplots(figsize=(7.2, 6.6))
    ax.pcolormesh(
        np.where(mask[0, 0].numpy(), segment[None] + 1, 0),
        cmap=ListedColormap(["white", *PARTS.values()]),
        vmin=-0.5, vmax=3.5, edgecolors="#E4E4E4", linewidth=0.5,
    )  # fmt: skip
    for edge in np.flatnonzero(np.diff(segment)) + 1:
        ax.axhline(edge, color="black", lw=1)
        ax.axvline(edge, color="black", lw=1)
    ax.set_xticks([p + 0.5 for p in places], words, rotation=90, size="small")
    ax.set_yticks([p + 0.5 for p in places], words, size="small")
    above = {"size": "small", "color": NEUTRAL, "va": "bottom"}
    for place, position in zip(places, rows.position_ids[0].tolist(), strict=True):
        ax.text(place + 0.5, -0.35, position, ha="center", **above)
    ax.text(len(words) + 0.3, -0.35, "position", **above)
    ax.invert_yaxis()
    ax.set(xlabel="looks at", ylabel="token", aspect="equal")
    ax.set_title(title, pad=24)
    ax.tick_params(length=0)
    for name, colour in PARTS.items():
        ax.plot([], [], "s", color=colour, label=name, markersize=9)
    ax.legend(loc="upper right", bbox_to_anchor=(1.0, 0.98), fontsize="small")
    return fig
