"""How every plot looks. One colour for one model, whatever the chapter."""

from __future__ import annotations

import matplotlib as mpl
import seaborn as sns

# Okabe and Ito's colours: told apart by colour-blind readers, and by lightness in greyscale.
EXPLICIT, IMPLICIT, GENERATIVE = "#0072B2", "#D55E00", "#009E73"
NEUTRAL, FAINT = "#4D4D4D", "#BBBBBB"
COLOURS = {"explicit": EXPLICIT, "implicit": IMPLICIT, "generative": GENERATIVE}
MARKERS = {"explicit": "o", "implicit": "s", "generative": "^"}
LABELS = {"explicit": "explicit (EX-RM)", "implicit": "implicit (IM-RM)",
          "generative": "generative (EX-GRM)"}  # fmt: skip


def use_style() -> None:
    """Set the book's style for all plots that follow.

    Plots keep a white ground of their own, so that they read the same on a dark page.
    """
    sns.set_theme(style="ticks", context="notebook")
    mpl.rcParams.update(
        {
            "figure.figsize": (7.0, 3.6),
            "figure.dpi": 100,
            "savefig.dpi": 160,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "axes.titlelocation": "left",
            "axes.titlesize": "medium",
            "axes.titleweight": "bold",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "figure.constrained_layout.use": True,
            "legend.frameon": False,
            "font.family": "DejaVu Sans",
        }
    )
