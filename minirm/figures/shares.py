"""The book's own picture of a reward: what part of it is meaning, and what the rest is.

A bar has the four parts of ``minirm.metrics.meaning_share``. Its colours are of no model, and dark,
middle and light tell the first three apart in grey.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from minirm.figures.style import EXPLICIT, GENERATIVE, IMPLICIT, MARKERS, NEUTRAL
from minirm.metrics import accuracy_interval

PARTS = {
    "meaning": "meaning",
    "words": "words beyond meaning",
    "opening": "opening",
    "interaction": "interaction",
}
"""The parts of a bar from left to right, by the fields of ``MeaningShare``, and their names."""

BINS = 20  # of a histogram of accuracies, as in the rows of minirm.experiments.controls
LIGHTER = "#669FCE"  # of the explicit model's blue, for an explicit reward that sums over positions
_FILLS: dict[str, dict[str, Any]] = {
    "meaning": {"facecolor": "#5B3A9E"},
    "words": {"facecolor": "#CC79A7"},
    "opening": {"facecolor": "#F0E442"},
    "interaction": {"facecolor": "#F4F4F4", "hatch": "////"},
}
_EDGE: dict[str, Any] = {"edgecolor": NEUTRAL, "linewidth": 0.6}


def look(reward: str) -> dict[str, Any]:
    """Colour, line and mark of a reward by its name.

    Explicit rewards are blue and implicit ones vermillion. An explicit "mean" is lighter and
    dashed, a head started at "zero" dotted, an implicit reward with "no reference" dashed.
    """
    words = reward.lower()
    kinds = {"explicit": ("explicit", "ex"), "implicit": ("implicit", "im")}
    kinds = {"generative": ("generative", "ex-grm"), **kinds}  # before "ex"
    kind = next((k for k, starts in kinds.items() if words.startswith(starts)), "")
    colours = {"explicit": EXPLICIT, "implicit": IMPLICIT, "generative": GENERATIVE}
    plain = {"color": colours.get(kind, NEUTRAL), "marker": MARKERS.get(kind, "d")}
    if "zero" in words:
        lighter = {"color": LIGHTER, "marker": "v"} if "mean" in words else {"marker": "P"}
        return plain | {"linestyle": ":"} | lighter
    if "mean" in words:
        return plain | {"color": LIGHTER, "marker": "D", "linestyle": "--"}
    return plain | ({"marker": "X", "linestyle": "--"} if "no ref" in words else {})


def summary(rows: pd.DataFrame, by: Sequence[str], *, more: Sequence[str] = ()) -> pd.DataFrame:
    """Mean shares of the rewards of several runs, with a 95 % t interval of the meaning share.

    The interval is over base models where there are several, else over runs, and it is cut at 0
    and at 1. A share that is not a number, of a reward that never changes, makes the mean one too.

    Args:
        rows: one a run, with the four shares, "accuracy", "right", "base", and what ``by`` names.
        by: what tells the groups apart, such as "reward" and "agreement".
        more: further columns to average.

    Returns:
        a row a group: ``by``, the means, "low" and "high", and "bases", how many base models.
    """
    found = []
    for key, group in rows.groupby(list(by), sort=False):
        values = group[[*PARTS, "accuracy", "right", *more]].mean(skipna=False)
        by_base = group.groupby("base")["meaning"].mean()
        units = by_base if len(by_base) > 1 else group["meaning"]
        known = group["meaning"].notna().all()
        low, high = accuracy_interval(units) if known else (math.nan, math.nan)
        names = dict(zip(by, key, strict=True))
        found.append({**names, **values, "low": low, "high": high, "bases": len(by_base)})
    return pd.DataFrame(found)


def plot_shares(shares: Mapping[str, Any], *, title: str) -> Figure:
    """One bar a reward: meaning, words beyond meaning, opening and interaction.

    Beside each bar stand the accuracy and the share of prompts on which meaning has the right sign,
    where they are given.

    Args:
        shares: label -> a ``MeaningShare``, a row of ``summary`` or any mapping with its fields:
            "meaning", "words", "opening", "interaction", and perhaps "interval" (or "low" and
            "high") of the meaning share, "accuracy" and "right".
        title: what was found.
    """
    beside = {"accuracy": 1.1, "right": 1.24}
    rows = [{n: _field(s, n) for n in (*PARTS, *beside)} for s in shares.values()]
    beside = {n: x for n, x in beside.items() if any(row[n] is not None for row in rows)}
    fig, ax = plt.subplots(figsize=(7.6, 0.44 * len(shares) + 1.5))
    for y, (row, share) in enumerate(zip(rows, shares.values(), strict=True)):
        draw_bar(ax, y, row, interval=_interval(share))
        for name, x in beside.items():
            if row[name] is not None:
                ax.text(x, y, f"{row[name]:.2f}", ha="center", va="center", fontsize="small")
    for name, x in beside.items():
        said = "sign\nright" if name == "right" else name
        ax.text(x, -0.5, said, ha="center", va="bottom", fontsize="x-small")
    edge = 1.3 if beside else 1.02
    ax.set(xlim=(0, edge), ylim=(len(shares) - 0.5, -0.6))
    ax.set_yticks(range(len(shares)), list(shares))
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    ax.set_xlabel("share of the reward’s variance", x=0.5 / edge)
    ax.tick_params(axis="y", length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    head(fig, title, handles=part_handles(), ncols=4)
    return fig


def draw_bar(
    ax: Axes,
    y: float,
    shares: Mapping[str, Any],
    *,
    height: float = 0.62,
    interval: tuple[float, float] | None = None,
) -> None:
    """The four parts of one reward as a bar from 0 to 1, with percentages where there is room.

    Args:
        ax: drawn on.
        y: height of the bar's middle.
        shares: the four parts, adding up to 1; not numbers where the reward never changes.
        height: of the bar.
        interval: of the meaning share, a thin line.
    """
    values = [float(shares[name]) for name in PARTS]
    if not all(map(math.isfinite, values)):
        ax.text(0.01, y, "this reward never changes", va="center", fontsize="small")
        return
    left = 0.0
    for name, width in zip(PARTS, values, strict=True):
        ax.barh(y, width, height, left=left, **_FILLS[name], **_EDGE)
        if width >= 0.06:
            inside: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": "small"}
            box = {"fc": "#F4F4F4", "ec": "none", "pad": 1} if name == "interaction" else None
            ink = "white" if name == "meaning" else "black"
            where = left + width / 2
            ax.text(where, y, f"{100 * width:.0f}", **inside, color=ink, bbox=box)
        left += width
    if interval is not None and all(map(math.isfinite, interval)):
        rim = y + height / 2  # below the number, along the lower rim
        ax.plot(interval, [rim, rim], color="black", linewidth=1.4, solid_capstyle="butt")
        for end in interval:
            ax.plot([end, end], [rim - 0.1, rim + 0.1], color="black", linewidth=1.4)


def part_handles() -> list[Patch]:
    """What the legend of such bars shows."""
    return [Patch(**_FILLS[name], **_EDGE, label=word) for name, word in PARTS.items()]


def plot_dose(table: Iterable[Mapping[str, Any]], *, title: str) -> Figure:
    """The share of a reward that is meaning, against the agreement of prefix and label.

    Args:
        table: "reward", "agreement" (0.5 to 1), "mean", "low" and "high"; the order of the lines is
            that of their first rows. ``look`` says what a line looks like.
        title: what was found.
    """
    fig, ax = plt.subplots(figsize=(7.6, 3.9))
    draw_doses(ax, table)
    ax.set_ylabel("share that is meaning, %")
    ax.set_xlabel("answers whose prefix agrees with the label, %  (50: no cue, 100: always)")
    head(fig, title, ncols=3, handlelength=3.2)
    return fig


def draw_doses(ax: Axes, table: Iterable[Mapping[str, Any]]) -> None:
    """The lines of ``plot_dose``, with their intervals as bands.

    Args:
        ax: drawn on.
        table: as for ``plot_dose``.
    """
    data = pd.DataFrame(list(table))
    for reward, rows in data.groupby("reward", sort=False):
        points = rows.sort_values("agreement")
        x = 100 * points["agreement"]
        style = look(str(reward))
        low, high = (points[end].astype(float) for end in ("low", "high"))
        ax.fill_between(x, 100 * low, 100 * high, color=style["color"], alpha=0.15, linewidth=0)
        ax.plot(x, 100 * points["mean"], linewidth=2.2, markersize=6, label=reward, **style)
    doses = sorted(set(data["agreement"]))
    labels = ax.set_xticks([100 * d for d in doses], [f"{100 * d:g}" for d in doses])
    for i in range(1, len(doses)):
        if doses[i] - doses[i - 1] < 0.03:  # their labels would touch
            labels[i - 1].label1.set_horizontalalignment("right")
            labels[i].label1.set_horizontalalignment("left")
    ax.set(xlim=(49, 101), ylim=(-3, 103))


def plot_pairs_distribution(
    accuracies: Mapping[str, Any], *, title: str, pair: tuple[int, int] = (0, 1)
) -> Figure:
    """How accuracy is spread over all ordered pairs of different openings, one panel a reward.

    One pair of openings is one point of it, and exchanging the two gives another: both are marked.

    Args:
        accuracies: reward -> rows of ``minirm.experiments.controls``, a frame with "histogram",
            "paraphrase" and "swapped"; or [P, P] of one run or [R, P, P] of R, accuracy by the
            opening of the right phrases (rows) and that of the wrong ones. Pairs of all runs are
            counted, and the marks stand at the means over runs.
        title: what was found.
        pair: the places of the two openings that the paper takes, among the P.
    """
    fig, axes = plt.subplots(
        len(accuracies), 1, figsize=(7.2, 1.45 * len(accuracies) + 0.9), sharex=True, squeeze=False
    )
    for ax, (reward, given) in zip(axes[:, 0], accuracies.items(), strict=True):
        counts, paper, swap = _spread(given, pair)
        parts = 100 * counts / counts.sum()
        edges = np.linspace(0, 1, BINS + 1)
        ax.bar(edges[:-1], parts, 1 / BINS, align="edge", color=look(reward)["color"])
        _mark(ax, {"the paper’s pair": paper, "the same, swapped": swap})
        ax.set_ylabel("% of pairs")
        ax.set_title(
            f"{reward}: below .1 on {parts[: BINS // 10].sum():.0f} % of the pairs, at least .9 on "
            f"{parts[-BINS // 10 :].sum():.0f} %", loc="left", fontsize="small", weight="normal",
        )  # fmt: skip
    axes[-1, 0].set(xlabel="accuracy on one ordered pair of openings", xlim=(-0.02, 1.02))
    fig.suptitle(title, x=0.01, ha="left", weight="bold", fontsize="medium")
    return fig


def _spread(given: Any, pair: tuple[int, int]) -> tuple[np.ndarray, float, float]:
    """How many pairs lie in each twentieth, [BINS], and the accuracy of the pair and its swap."""
    if isinstance(given, pd.DataFrame):
        counts = np.array(given["histogram"].tolist()).sum(0)
        return counts, given["paraphrase"].mean(), given["swapped"].mean()
    runs = np.asarray(given, dtype=float)
    runs = runs.reshape(-1, *runs.shape[-2:])  # [R, P, P]
    different = ~np.eye(runs.shape[-1], dtype=bool)
    counts, _ = np.histogram(runs[:, different], bins=BINS, range=(0, 1))
    return counts, runs[:, *pair].mean(), runs[:, *pair[::-1]].mean()


def _mark(ax: Axes, places: Mapping[str, float]) -> None:
    """Labelled ticks above a histogram; names of places that are close share one."""
    top = ax.get_ylim()[1]
    ax.set_ylim(0, 1.42 * top)
    first, second = places.values()
    if abs(first - second) < 0.02:
        places = {"the paper’s pair, and swapped": (first + second) / 2}
    crowded = abs(first - second) < 0.6
    to_the_left = {n: (first + second if crowded else 2 * x) > 1 for n, x in places.items()}
    # A text that runs over a line stands above its end.
    order = sorted(places, key=lambda n: places[n] if to_the_left[n] else -places[n])
    for i, name in enumerate(order):
        x, height = places[name], top * (1.32 if crowded and i else 1.12)
        ax.plot([x, x], [0, height], color="black", linewidth=1.4)
        words = f" {name}: {x:.2f} "
        side = "right" if to_the_left[name] else "left"
        ax.text(x, height, words, ha=side, va="center", fontsize="small")


def head(fig: Figure, title: str, **legend: Any) -> None:
    """Title and legend above the picture, one below the other.

    Args:
        fig: with labelled lines, where no handles are given.
        title: what was found.
        legend: further options of matplotlib's legend.
    """
    fig.legend(
        loc="outside upper left", title=title, alignment="left", fontsize="small",
        title_fontproperties={"weight": "bold", "size": "medium"}, **legend,
    )  # fmt: skip


def _field(shares: Any, name: str) -> Any:
    """A field of a ``MeaningShare``, or of a mapping; None where there is none."""
    if isinstance(shares, Mapping | pd.Series):
        return shares.get(name)
    return getattr(shares, name, None)


def _interval(shares: Any) -> tuple[float, float] | None:
    if (given := _field(shares, "interval")) is not None:
        return tuple(given)
    low, high = _field(shares, "low"), _field(shares, "high")
    return None if low is None or high is None else (low, high)
