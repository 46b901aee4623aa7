"""The schematic of what each reward model reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minirm.figures.style import COLOURS, FAINT, LABELS, NEUTRAL

TOKEN, STATE, LOGPROB, SUM = 0.0, 1.2, 2.4, 3.25  # heights of the rows, from the words upwards


def plot_reading(
    tokens: Sequence[str], n_prompt: int, *, explicit: int, implicit: Iterable[int], title: str
) -> Figure:
    """Tokens in boxes, their states above, and which states each reward is read from.

    Above the states the implicit reward, one log-probability a token, added up; at the right the
    explicit reward, from one state; faint, the explicit reward averaged over the response.

    Args:
        tokens: prompt and response, one after the other.
        n_prompt: how many of them are the prompt.
        explicit: the place of the state that the explicit reward reads.
        implicit: the places of the states that the implicit reward reads; the one at place t
            predicts token t + 1.
        title: what there is to see.
    """
    fig, ax = plt.subplots(figsize=(9.6, 3.9))
    end = len(tokens)
    _draw_tokens(ax, tokens, n_prompt)
    _draw_explicit(ax, range(n_prompt, end), explicit, at=end + 0.15)
    _draw_implicit(ax, tokens, sorted(implicit), at=end + 0.15)
    for height, words in ((TOKEN, "tokens"), (STATE, "states $h$")):
        ax.text(-0.75, height, words, ha="right", va="center", color=NEUTRAL)
    ax.text(-0.75, LOGPROB, "$\\ln\\,\\pi$ of the token", ha="right", va="center", color=NEUTRAL)
    ax.set(xlim=(-2.5, end + 2.0), ylim=(-0.5, SUM + 0.45), title=title)
    ax.axis("off")
    return fig


def _box(ax: Axes, x: float, y: float, text: str, colour: str, **look: Any) -> None:
    box = {"boxstyle": "round,pad=0.35", "edgecolor": colour, "facecolor": "white"}
    ax.text(x, y, text, ha="center", va="center", fontsize=9, bbox=box | look, zorder=3)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    look = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.6, "shrinkA": 9, "shrinkB": 9}
    ax.annotate("", xy=end, xytext=start, arrowprops=look, zorder=2)


def _draw_tokens(ax: Axes, tokens: Sequence[str], n_prompt: int) -> None:
    for place, token in enumerate(tokens):
        ground = "#EEEEEE" if place < n_prompt else "white"
        _box(ax, place, TOKEN, token.strip(), NEUTRAL, facecolor=ground)
        ax.plot([place] * 2, [TOKEN + 0.3, STATE - 0.16], color=FAINT, linewidth=1, zorder=0)
        ax.plot(place, STATE, "o", markersize=13, color="white", markeredgecolor=NEUTRAL, zorder=3)


def _draw_explicit(ax: Axes, response: range, last: int, *, at: float) -> None:
    colour = COLOURS["explicit"]
    for place in response[:-1]:  # the mean over positions: faint, from below
        bend = {"arrowstyle": "-", "color": colour, "alpha": 0.35, "linewidth": 1,
                "connectionstyle": "arc3,rad=0.16", "shrinkA": 8, "shrinkB": 12}  # fmt: skip
        ax.annotate("", xy=(at, STATE - 0.12), xytext=(place, STATE), arrowprops=bend, zorder=1)
    ax.plot(last, STATE, "o", markersize=13, color=colour, zorder=4)
    _arrow(ax, (last, STATE), (at, STATE), colour)
    _box(ax, at, STATE, "$u$", colour)
    ax.text(at + 0.35, STATE, LABELS["explicit"], color=colour, va="center", weight="bold")
    ax.text(at + 0.35, STATE - 0.5, "faint: the mean over\nall positions", color=colour,
            va="center", fontsize="small")  # fmt: skip


def _draw_implicit(ax: Axes, tokens: Sequence[str], places: Sequence[int], *, at: float) -> None:
    colour = COLOURS["implicit"]
    for place in places:
        ax.plot(place, STATE, "s", markersize=10, color=colour, zorder=4)
        _arrow(ax, (place, STATE), (place + 1, LOGPROB), colour)
        _box(ax, place + 1, LOGPROB, tokens[place + 1].strip(), colour)
        ax.plot([place + 1] * 2, [LOGPROB + 0.16, SUM], color=colour, linewidth=1.2, zorder=0)
    ax.plot([places[0] + 1, at - 0.25], [SUM] * 2, color=colour, linewidth=1.2, zorder=0)
    _box(ax, at, SUM, "$+$", colour)
    ax.text(at + 0.35, SUM, LABELS["implicit"], color=colour, va="center", weight="bold")
    ax.text(at + 0.35, SUM - 0.5, "times β, less the\nsame of the reference", color=colour,
            va="center", fontsize="small")  # fmt: skip
