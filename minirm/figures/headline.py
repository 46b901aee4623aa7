"""The book's first picture: how much of three rewards is meaning, against what a prefix is worth.

``python -m minirm.figures.headline PICTURE`` draws it for the README.
"""

from __future__ import annotations

import sys
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from minirm.experiments.controls import load_runs
from minirm.figures.shares import summary
from minirm.figures.style import use_style
from minirm.figures.taken_apart import dose_data, dose_picture

WORLD = "main world"
LINES = {
    "explicit": "explicit",
    "explicit, mean": "explicit, mean over positions",
    "implicit": "implicit",
}
"""Rungs of the ladder, and what they are called here."""


def headline_data() -> dict[str, Any]:
    """What ``DoseFigure`` shows: three rewards in the small world, all bases and seeds."""
    runs = pd.DataFrame(load_runs())
    runs = runs[(runs["world"] == WORLD) & runs["agreement"].notna()]
    runs = runs[runs["reward"].isin(list(LINES))].replace({"reward": LINES})
    return dose_data(summary(runs, ["world", "reward", "agreement"]))


def headline_picture(data: dict[str, Any]) -> Figure:
    """The same as a still picture."""
    return dose_picture(
        data, title="Where prefixes foretell the label, the implicit judge goes by them"
    )


def main() -> None:
    """Draw the picture of the README."""
    (picture,) = sys.argv[1:]
    use_style()
    mpl.rcParams["svg.hashsalt"] = "minirm"  # the same bytes from the same results
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))  # or matplotlib signs the file
    headline_picture(headline_data()).savefig(picture, metadata=nothing)


if __name__ == "__main__":
    main()
