"""Pictures of a results file of ``minirm experiment shifts``, whoever made it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from minirm.experiments.results import load_results
from minirm.experiments.shift_sets import WORDINGS
from minirm.figures.shares import head, look
from minirm.figures.style import FAINT, NEUTRAL

NAMES = {
    "ultrafeedback": "UltraFeedback",
    "paraphrase": "paraphrased",
    "french": "in French",
    "spanish": "in Spanish",
    "math": "RewardBench math",
    "code": "RewardBench code",
    "rewardmath": "RewardMATH",
}
"""The seven test sets as a reader knows them."""
OTHERS: Mapping[str, Mapping[str, Any]] = {
    "longer": {"color": "#000000", "marker": "P"},
    "shorter": {"color": "#000000", "marker": "X"},
    "unigram cues": {"color": "#009E73", "marker": "^"},
    "TF-IDF": {"color": "#E69F00", "marker": "D"},
    "ln pi_ref": {"color": "#CC79A7", "marker": "v"},
    "ln pi_ref per token": {"color": "#CC79A7", "marker": "<"},
}
"""Colour and mark of what was not trained as a reward."""
PARTS = {"content": "content", "wording": "wording", "rest": "rest"}
_FILLS: Mapping[str, Mapping[str, Any]] = {
    "length": {"facecolor": "#BBBBBB", "hatch": "...."},
    "content": {"facecolor": "#5B3A9E"},
    "wording": {"facecolor": "#F0E442"},
    "rest": {"facecolor": "#F4F4F4", "hatch": "////"},
}
_EDGE: Mapping[str, Any] = {"edgecolor": NEUTRAL, "linewidth": 0.6}


def last_rows(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The last row of each run of a results file, a baseline's included.

    Args:
        path: as for ``load_results``.

    Raises:
        ValueError: it is another experiment's file.
    """
    header, rows = load_results(path)
    frame = pd.DataFrame(rows)
    if missing := {"reward", "units", "content beyond length", "math accuracy"} - set(frame):
        raise ValueError(
            f"{os.fspath(path)} has no {', '.join(sorted(missing))}: it was written by "
            f"{header['command']!r}, expected a file of `minirm experiment shifts`"
        )
    return frame[frame["rewards"].notna()].reset_index(drop=True)


def plot_sets(rows: pd.DataFrame, rewards: Sequence[str], *, title: str) -> Figure:
    """How often each reward is right on each of the seven sets; a run has a mark of its own.

    Args:
        rows: of ``last_rows``, of one training set and one setting.
        rewards: which ones, from above to below; those that are not in the rows are passed over.
        title: what was found.
    """
    lines = [(reward, row) for reward in rewards for row in _of(rows, reward)]
    step = 1 / (len(lines) + 1.5)
    fig, ax = plt.subplots(figsize=(7.4, 0.13 * len(NAMES) * (len(lines) + 1.5) + 1.6))
    ax.axvline(0.5, color=FAINT, linewidth=1.2, zorder=0)
    for i, name in enumerate(NAMES):
        if i:
            strong = name in ("paraphrase", "math")  # where a kind of shift begins
            ax.axhline(i - 0.5, color=NEUTRAL if strong else FAINT, linewidth=0.8, zorder=0)
    for j, (reward, row) in enumerate(lines):
        places = np.arange(len(NAMES)) + (j - (len(lines) - 1) / 2) * step
        found = np.array([row[f"{name} accuracy"] for name in NAMES])
        ends = np.array([[row[f"{name} {end}"] for name in NAMES] for end in ("low", "high")])
        first = j == 0 or lines[j - 1][0] != reward
        ax.errorbar(
            found, places, xerr=np.abs(ends - found), **_look(reward), linestyle="none",
            markersize=5.5, elinewidth=1, label=_label(reward) if first else None,
        )  # fmt: skip
    ax.set_yticks(range(len(NAMES)), list(NAMES.values()))
    ax.set_ylim(len(NAMES) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.set_xlabel(
        "pairs ranked right; the line is a coin's half\n"
        "bars: 95 % intervals over prompts; a mark is a run"
    )
    head(fig, title, ncols=5)
    return fig


def plot_wordings(
    rows: pd.DataFrame, rewards: Sequence[str], *, title: str, beyond_length: bool = False
) -> Figure:
    """What the rewards of the same answers in four wordings go by, with the accuracies beside.

    Args:
        rows: of ``last_rows``, of one training set and one setting; runs are averaged.
        rewards: which ones, from above to below.
        title: what was found.
        beyond_length: with the answers' length as a part of its own.
    """
    kind = " beyond length" if beyond_length else ""
    parts = {"length share": "length"} if beyond_length else {}
    parts |= {f"{part}{kind}": part for part in PARTS}
    fig, ax = plt.subplots(figsize=(7.4, 0.46 * len(rewards) + 1.5))
    for y, reward in enumerate(rewards):
        mine = rows[rows["reward"] == reward]
        left = 0.0
        for column, part in parts.items():
            width = float(mine[column].astype(float).mean())
            ax.barh(y, width, 0.62, left=left, **_FILLS[part], **_EDGE)
            if width >= 0.06:
                _write(ax, left + width / 2, y, width, part)
            left += width
        told = [float(mine[f"{name} accuracy"].mean()) for name in WORDINGS]
        for x, value in zip((1.1, 1.3), (told[0], np.mean(told[1:])), strict=True):
            ax.text(x, y, f"{value:.2f}", ha="center", va="center", fontsize="small")
    for x, said in ((1.1, "accuracy,\noriginal"), (1.3, "accuracy,\nreworded")):
        ax.text(x, -0.5, said, ha="center", va="bottom", fontsize="x-small")
    ax.set(xlim=(0, 1.4), ylim=(len(rewards) - 0.5, -0.6))
    ax.set_yticks(range(len(rewards)), [_label(reward) for reward in rewards])
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    ax.set_xlabel("share of the reward’s variance within prompts", x=0.5 / 1.4)
    ax.tick_params(axis="y", length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    handles = [Patch(**_FILLS[part], **_EDGE, label=part) for part in parts.values()]
    head(fig, title, handles=handles, ncols=4)
    return fig


def plot_instructions(rows: pd.DataFrame, rewards: Sequence[str], *, title: str) -> Figure:
    """How often each reward is right under an instruction, and under the instruction's negation.

    Who does not read the prompt lies on the falling line, wherever on it; who lies on it need not
    have read the prompt.

    Args:
        rows: of ``last_rows``, of one training set and one setting; a run has a mark of its own.
        rewards: which ones; those that are not in the rows are passed over.
        title: what was found.
    """
    fig, ax = plt.subplots(figsize=(5.6, 4.9))
    ax.plot([0, 1], [1, 0], color=NEUTRAL, linewidth=1, zorder=0)
    ax.fill_between([0, 1], [1, 0], 1, color="#009E73", alpha=0.08, linewidth=0, zorder=0)
    ax.text(0.97, 0.97, "follows the instruction", ha="right", va="top", fontsize="small")
    ax.text(0.03, 0.03, "does the opposite", ha="left", va="bottom", fontsize="small")
    ax.text(
        0.2, 0.8, "need not read the prompt", ha="center", va="bottom", rotation=-45,
        fontsize="small", rotation_mode="anchor", transform_rotates_text=True,
    )  # fmt: skip
    for reward in rewards:
        for k, row in enumerate(_of(rows, reward)):
            drawn = {**_look(reward), "markersize": 8, "linestyle": "none"}
            x, y = row["normal accuracy"], row["negation accuracy"]
            ax.plot([x], [y], label=None if k else _label(reward), clip_on=False, **drawn)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    ax.set_xlabel("right under the instruction")
    ax.set_ylabel("right under its negation")
    head(fig, title, ncols=2)
    return fig


def _of(rows: pd.DataFrame, reward: str) -> list[dict[str, Any]]:
    return rows[rows["reward"] == reward].sort_values("seed").to_dict("records")


def _look(reward: str) -> dict[str, Any]:
    """Colour and mark; single marks have no line."""
    drawn = dict(OTHERS[reward] if reward in OTHERS else look(reward))
    drawn.pop("linestyle", None)
    return drawn


def _label(reward: str) -> str:
    """A reward's name in a picture.

    >>> _label("ln pi_ref per token")
    'ln π_ref per token'
    """
    return reward.replace("pi_ref", "π_ref")


def _write(ax: Axes, x: float, y: float, width: float, part: str) -> None:
    """A part's percentage inside its bar."""
    box = {"fc": "#F4F4F4", "ec": "none", "pad": 1} if part in ("rest", "length") else None
    ink = "white" if part == "content" else "black"
    ax.text(
        x, y, f"{100 * width:.0f}", ha="center", va="center", fontsize="small", color=ink, bbox=box
    )
