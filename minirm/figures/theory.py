"""Figures of the two theorems and of the shortcut; numbers from ``minirm.theory``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from minirm.figures.live import LiveFigure
from minirm.figures.style import EXPLICIT, FAINT, IMPLICIT, NEUTRAL
from minirm.theory.shortcut import share_of_meaning
from minirm.theory.unseen_tokens import head_step, max_margin_direction
from minirm.theory.verification import tilt_numbers


class TiltFigure(LiveFigure):
    """Theorem 1 with sliders: margin, probability of a correct answer, bound, leak.

    ``data["garbage"]``: what the reference gives to the string that the leak goes to.
    """

    module = "tilt.js"

    @staticmethod
    def compute(data: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, float]:
        c, beta, delta = (10.0 ** state[name] for name in ("log_c", "log_beta", "log_delta"))
        leak, garbage = state["leak"], data["garbage"]
        numbers = tilt_numbers(c, beta, delta, amount=leak, garbage=garbage)
        return {
            "compared": delta,
            "margin": numbers.margin.item(),
            "p_correct": numbers.log_correct.exp().item(),
            "log_correct": numbers.log_correct.item(),
            "bound": numbers.log_bound.exp().item(),
            "kl": numbers.kl.item(),
            "lead": numbers.garbage_lead.item(),
        }


class UnseenFigure(LiveFigure):
    """Theorem 2 in the plane: a head that turns, and the gaps of seen and unseen pairs.

    ``data``: "points" [4, 2], the differences of the seen pairs, the first of which the reader
    moves; "unseen" [2]; "words" [4, 6], what the implicit reward sees of the seen pairs, one-hot;
    "plain" and "normalised", the two learning rates.
    """

    module = "unseen.js"

    @staticmethod
    def compute(data: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, float]:
        moved = [state["x"], state["y"]]
        points, unseen, words = (
            torch.tensor(rows, dtype=torch.float64)
            for rows in ([moved, *data["points"][1:]], data["unseen"], data["words"])
        )
        head, unembedding = torch.zeros(2).double(), torch.zeros(words.shape[1]).double()
        unembedding[-2] = state["start"]  # the unseen chosen word's row, against the last one's
        how = {"lr": data[state["rule"]], "normalised": state["rule"] == "normalised"}
        for _ in range(math.floor(10.0 ** state["log_step"] + 0.5)):
            head = head_step(head, points, **how)
            unembedding = head_step(unembedding, words, **how)
        best = max_margin_direction(points)
        return {
            "angle": math.degrees(math.atan2(torch.stack([best, head]).det().abs(), best @ head)),
            "ex_seen": (points @ head).min().item(),
            "ex_unseen": (unseen @ head).item(),
            "im_seen": (words @ unembedding).min().item(),
            "im_unseen": (unembedding[-2] - unembedding[-1]).item(),
            "condition": (unseen @ best).item(),
        }


def tilt_picture(c: float, beta: float) -> Figure:
    """P(correct) of the tilt and Theorem 1's bound against the margin."""
    delta = torch.logspace(-4, 1, 300, dtype=torch.float64)
    numbers = tilt_numbers(c, beta, delta)
    fig, ax = plt.subplots(figsize=(7, 3.4))
    ax.axvspan(beta * math.log(1 / c), 10, color=FAINT, alpha=0.4, label="the bound says nothing")
    ax.loglog(delta, numbers.log_bound.exp(), "--", color=NEUTRAL, label="bound of Theorem 1")
    ax.loglog(delta, numbers.log_correct.exp(), color=IMPLICIT, label="P(correct) of the tilt")
    ax.axhline(c, color=NEUTRAL, ls=":", label="P(correct) of the reference")
    ax.set(xlabel="margin δ", ylabel="probability", xlim=(1e-4, 10))
    ax.set_title(f"A small margin asks for no generation (β = {beta:g})")
    ax.legend(loc="center left")
    return fig


def unseen_picture(data: Mapping[str, Any]) -> Figure:
    """The points of ``UnseenFigure``, the first direction of the head and its limit."""
    points = torch.tensor(data["points"], dtype=torch.float64)
    first, best = (2 * v / v.norm() for v in (points.sum(0), max_margin_direction(points)))
    fig, ax = plt.subplots(figsize=(7, 3.6))
    ax.scatter(*points.T, color=EXPLICIT, label="seen pairs")
    ax.scatter(*data["unseen"], marker="s", fc="none", ec=EXPLICIT, s=60, label="unseen pair")
    ax.plot([0, first[0]], [0, first[1]], color=EXPLICIT, lw=3, label="u after one step")
    ax.plot([0, best[0]], [0, best[1]], "--", color=NEUTRAL, label="max-margin direction u*")
    ax.set(aspect="equal", title="The head turns until the unseen pair is on its side")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return fig


def dose_picture(ratios: Sequence[float], gaps: Sequence[float]) -> Figure:
    """Share of meaning against the agreement of prefix and label, from the first step to the limit.

    Args:
        ratios: |p| / |mu|, the prefix's cue over the word's: a panel each.
        gaps: how far the words have come apart, in nats: a line each between the two ends.
    """
    agreement = torch.linspace(0.5, 1, 101, dtype=torch.float64)
    fig, axes = plt.subplots(1, len(ratios), figsize=(8.4, 3.2), sharey=True)
    for ax, ratio in zip(axes, ratios, strict=True):
        ax.plot(agreement, share_of_meaning(agreement, ratio), color=EXPLICIT, lw=2.6,
                label="first step")  # fmt: skip
        for gap, style in zip(gaps, ("--", ":", "-."), strict=False):
            ax.plot(agreement, share_of_meaning(agreement, ratio, gap), style, color=EXPLICIT,
                    label=f"words {gap:g} nats apart")  # fmt: skip
        limit = share_of_meaning(agreement, ratio, math.inf)
        ax.plot(agreement[:-1], limit[:-1], color=NEUTRAL, lw=1, label="max margin")
        ax.plot(agreement[-1], limit[-1], "D", color=NEUTRAL, ms=7, clip_on=False)
        ax.set(ylim=(0, 1.03), xticks=(0.5, 0.75, 1))
        ax.set_title(f"|p| / |μ| = {ratio:g}", fontweight="normal")
    axes[0].set_ylabel("share of meaning")
    axes[-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    fig.supxlabel("agreement of prefix and label", fontsize="medium")
    fig.suptitle(
        "A prefix that can fail is outgrown, one that cannot is not", x=0.01, ha="left",
        fontsize="medium", fontweight="bold",
    )  # fmt: skip
    return fig
