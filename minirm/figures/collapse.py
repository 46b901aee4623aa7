"""The plots of the paraphrase collapse. Rows of ``minirm.experiments.persona`` come in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minirm.figures.style import COLOURS, FAINT, LABELS, MARKERS, NEUTRAL
from minirm.metrics import accuracy_interval

CHANCE = {"color": NEUTRAL, "linestyle": ":", "linewidth": 1, "zorder": 0}


def plot_conditions(data: pd.DataFrame, conditions: Sequence[str], *, title: str) -> Figure:
    """Accuracy by condition: one small mark a run, the mean and its 95 % t interval.

    The interval is over base models where there are several, else over runs, and it is cut at 0
    and at 1, for no accuracy lies beyond.

    Args:
        data: rows after training, with "condition", "accuracy", "reward", and "base" where runs
            were made on several.
        conditions: which, in which order.
        title: what was found.
    """
    fig, ax = plt.subplots(figsize=(7.2, 0.62 * len(conditions) + 1.3))
    shown = units = data[data["condition"].isin(conditions)]
    if "base" in shown and shown["base"].nunique() > 1:
        units = shown.groupby(["condition", "reward", "base"], as_index=False)["accuracy"].mean()
    rewards = [r for r in COLOURS if r in set(shown["reward"])]
    shared: dict[str, Any] = {"y": "condition", "x": "accuracy", "order": conditions}
    shared |= {"hue": "reward", "hue_order": rewards, "palette": COLOURS, "ax": ax}
    sns.stripplot(data=shown, **shared, dodge=True, jitter=0.12, alpha=0.35, size=4, legend=False)
    sns.pointplot(
        data=units, **shared, dodge=0.4, linestyle="none", errorbar=accuracy_interval,
        markers=[MARKERS[r] for r in rewards], markersize=7, err_kws={"linewidth": 2},
    )  # fmt: skip
    ax.axvline(0.5, **CHANCE)
    ax.text(0.51, 0.02, "guessing", transform=ax.get_xaxis_transform(), fontsize="small")
    ax.set(xlim=(-0.03, 1.03), xlabel="accuracy", ylabel="", title=title)
    _name_rewards(ax)
    sns.move_legend(ax, "upper left", bbox_to_anchor=(1.0, 1.0), title="")
    return fig


def plot_curves(data: pd.DataFrame, conditions: Sequence[str], *, title: str) -> Figure:
    """Accuracy against training steps: one panel a condition, one thin line a run, the mean thick.

    Args:
        data: rows with "step", "condition", "accuracy", "reward", "base" and "seed".
        conditions: which, in which order.
        title: what was found.
    """
    fig, axes = plt.subplots(
        1, len(conditions), figsize=(3.1 * len(conditions), 3.0), sharey=True, squeeze=False
    )
    for ax, condition in zip(axes[0], conditions, strict=True):
        part = data[data["condition"] == condition]
        for (reward, _, _), run in part.groupby(["reward", "base", "seed"]):
            ax.plot(run["step"], run["accuracy"], color=COLOURS[reward], alpha=0.25, linewidth=0.8)
        for reward, runs in part.groupby("reward"):
            mean = runs.groupby("step")["accuracy"].mean()
            ax.plot(
                mean.index, mean, color=COLOURS[reward], linewidth=2.4, label=LABELS[reward],
                marker=MARKERS[reward], markevery=max(1, len(mean) // 8),
            )  # fmt: skip
        ax.axhline(0.5, **CHANCE)
        ax.set(xlabel="step", ylim=(-0.03, 1.03), title=condition)
    axes[0, 0].set_ylabel("accuracy")
    axes[0, -1].legend(loc="lower right", fontsize="small")
    fig.suptitle(title, x=0.01, ha="left", weight="bold", fontsize="medium")
    return fig


def plot_grid(data: pd.DataFrame, *, title: str) -> Figure:
    """Mean accuracy of IM-RM for every learning rate and beta, with the spread over runs.

    Args:
        data: rows of one condition after training, with "beta", "lr" and "accuracy".
        title: what was found.
    """
    cells = data.groupby(["beta", "lr"])["accuracy"]
    mean, low, high = (cells.agg(f).unstack() for f in ("mean", "min", "max"))
    words = mean.copy().astype(object)
    for b in mean.index:
        for lr in mean.columns:
            words.loc[b, lr] = (
                f"{mean.loc[b, lr]:.2f}\n[{low.loc[b, lr]:.2f}, {high.loc[b, lr]:.2f}]"
            )
    fig, ax = plt.subplots(figsize=(7.0, 3.2))
    sns.heatmap(
        mean, annot=words, fmt="", vmin=0, vmax=1, cmap="cividis", ax=ax, linewidths=1,
        annot_kws={"fontsize": 9}, cbar_kws={"label": "accuracy"},
    )  # fmt: skip
    ax.set(xlabel="learning rate", ylabel="β", title=title)
    ax.set_xticklabels([f"{lr:g}" for lr in mean.columns])
    ax.set_yticklabels([f"{b:g}" for b in mean.index], rotation=0)
    return fig


def plot_phrases(rewards: dict[str, pd.DataFrame], *, titles: Sequence[str]) -> Figure:
    """Rewards of each answer over the test prompts, one panel a model.

    Args:
        rewards: reward kind -> a table with "answer", "reward" and "side" ("chosen" or
            "rejected"), one row an answer and prompt.
        titles: one a panel, what was found.
    """
    fig, axes = plt.subplots(1, len(rewards), figsize=(9.6, 3.2), sharey=True)
    for ax, (kind, table), title in zip(axes, rewards.items(), titles, strict=True):
        sns.stripplot(
            data=table, y="answer", x="reward", hue="side", ax=ax, legend=False, alpha=0.6,
            jitter=0.25, size=4,
            palette={"chosen": COLOURS[kind], "rejected": NEUTRAL},
        )  # fmt: skip
        for row, (_, values) in enumerate(table.groupby("answer", sort=False)["reward"]):
            ax.plot([values.mean()] * 2, [row - 0.35, row + 0.35], color="black", linewidth=2)
        ax.set(xlabel="reward", ylabel="", title=title)
    return fig


def plot_tokens(
    tokens: Sequence[tuple[str, list[str], Any]], *, colours: Sequence[str], title: str
) -> Figure:
    """How much each token adds to an implicit reward: one panel a response.

    Args:
        tokens: (label, the response's tokens, their rewards) for each response.
        colours: one a panel.
        title: what was found.
    """
    fig, axes = plt.subplots(
        1, len(tokens), figsize=(9.6, 0.34 * max(len(t) for _, t, _ in tokens) + 1.2), sharex=True
    )
    for ax, (label, words, values), colour in zip(axes, tokens, colours, strict=True):
        places = np.arange(len(words))
        ax.barh(places, np.asarray(values), color=colour)
        ax.axvline(0, color=FAINT, linewidth=1)
        ax.set_yticks(places, [w.strip() or repr(w) for w in words])
        ax.invert_yaxis()
        ax.set(xlabel="share of the reward", title=label)
    fig.suptitle(title, x=0.01, ha="left", weight="bold", fontsize="medium")
    return fig


def _name_rewards(ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles, [LABELS.get(label, label) for label in labels])
