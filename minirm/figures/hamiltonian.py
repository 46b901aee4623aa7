"""Pictures of Hamiltonian cycles: graphs and orders, the hunt by hand, curves of training."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import matplotlib.pyplot as plt
import networkx as nx
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minirm.figures.live import LiveFigure
from minirm.figures.style import COLOURS, MARKERS, NEUTRAL
from minirm.worlds import hamiltonian as world


def draw_order(ax: Axes, graph: nx.Graph, order: Sequence[int] = (), *, title: str = "") -> None:
    """A graph on a circle; on it an order of its vertices, its missing edges dashed and crossed."""
    n = len(graph)
    place = {v: (math.sin(2 * math.pi * v / n), math.cos(2 * math.pi * v / n)) for v in graph}
    for a, b in graph.edges:
        ax.plot(*zip(place[a], place[b], strict=True), color=NEUTRAL, linewidth=0.7, zorder=1)
    for a, b in world.closed(order) if order else []:
        line = zip(place[a], place[b], strict=True)
        if graph.has_edge(a, b):
            ax.plot(*line, color=NEUTRAL, linewidth=3, zorder=2)
        else:
            ax.plot(*line, color="black", linewidth=1.6, linestyle=(0, (3, 3)), zorder=2)
            ax.plot(
                *[(x + y) / 2 for x, y in zip(place[a], place[b], strict=True)],
                "x", color="black", markersize=9, markeredgewidth=2.5, zorder=3,
            )  # fmt: skip
    for v, (x, y) in place.items():
        ax.plot(x, y, "o", markersize=17, color="white", markeredgecolor=NEUTRAL, zorder=4)
        ax.text(x, y, str(v), ha="center", va="center", zorder=5)
    ax.set(aspect="equal", xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), title=title)
    ax.axis("off")


def in_words(graph: nx.Graph, order: Sequence[int]) -> str:
    """The same as text: the neighbours of each vertex, and which steps of the order are missing."""
    lines = [f"{v} is joined to {', '.join(map(str, sorted(graph[v])))}" for v in sorted(graph)]
    missing = world.missing_edges(graph, order)
    steps = [f"{a}-{b}{' (no edge)' if (a, b) in missing else ''}" for a, b in world.closed(order)]
    return "\n".join([*lines, "steps: " + ", ".join(steps)])


class HuntFigure(LiveFigure):
    """Hunt for a Hamiltonian cycle by hand, or judge an order that is given.

    ``data``: "graphs", a list of {"n", "edges", "candidates": [order, order]}.
    """

    module = "hunt.js"

    @staticmethod
    def compute(data: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, float]:
        puzzle = data["graphs"][int(state["graph"])]
        graph = nx.from_edgelist(map(tuple, puzzle["edges"]))
        hunt = state.get("hunts", {}).get(state["graph"], {"path": [], "tries": 0})
        own, answered = state["order"] == "own", f"{state['graph']} {state['order']}"
        order = hunt["path"] if own else puzzle["candidates"][int(state["order"])]
        missing = math.nan  # a secret until the reader has judged
        if own and len(order) < puzzle["n"]:
            missing = sum(not graph.has_edge(a, b) for a, b in itertools.pairwise(order))
        elif own or answered in state.get("answers", {}):
            missing = len(world.missing_edges(graph, order))
        return {
            "edges": graph.number_of_edges(),
            "visited": len(order),
            "missing": missing,
            "tries": hunt["tries"],
        }


def plot_training(
    curves: pd.DataFrame,
    measures: Mapping[str, str],
    *,
    title: str,
    ylabel: str,
    lines: Mapping[str, float] | None = None,
    log: bool = False,
) -> Figure:
    """Measures of implicit rewards against training steps: one panel a run, thin lines seeds.

    Args:
        curves: "run", "seed", "step", "measure" and "value".
        measures: names in ``curves`` and what to call them, at most two.
        title: what was found.
        ylabel: what both panels measure, with its unit.
        lines: levels to mark, by name.
        log: a logarithmic axis.
    """
    panels = list(dict.fromkeys(curves["run"]))
    fig, axes = plt.subplots(1, len(panels), figsize=(8.6, 4.2), sharey=True, squeeze=False)
    looks = list(zip(measures.items(), ("-", "--"), "so", strict=True))
    for ax, panel in zip(axes[0], panels, strict=True):
        shown = curves[curves["run"] == panel]
        for (measure, name), line, mark in looks:
            runs = shown[shown["measure"] == measure].pivot(
                index="step", columns="seed", values="value"
            )
            colour = {"color": COLOURS["implicit"], "linestyle": line}
            ax.plot(runs, **colour, alpha=0.3, linewidth=0.9)
            ax.plot(runs.median(axis=1), **colour, marker=mark, linewidth=2.2, label=name)
        for height in (lines or {}).values():
            ax.axhline(height, color=NEUTRAL, linestyle=":", linewidth=1.2)
        ax.set(yscale="log" if log else "linear", xlabel="training steps", title=panel)
    by_height = sorted((lines or {}).items(), key=lambda line: line[1])
    for i, (name, height) in enumerate(by_height):  # the lowest name below its line, the next above
        axes[0][-1].annotate(
            name, (1.01, height), xycoords=("axes fraction", "data"), fontsize="small",
            va="bottom" if i % 2 else "top",
        )  # fmt: skip
    axes[0][0].set_ylabel(ylabel)
    axes[0][0].legend(loc="lower left")
    fig.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize="medium")
    return fig


def plot_by_graph(
    policy: Sequence[float], rivals: Mapping[str, Sequence[float]], *, title: str
) -> Figure:
    """P(correct) of a policy against that of others, a point a graph, on logarithmic axes.

    Above the diagonal the policy is right more often. Where a rival cannot be right its point lies
    on the left edge; what a policy says less than once in a million times, on the lower one.

    Args:
        policy: [G], P(correct) on each graph.
        rivals: by name, [G] each: one panel a rival.
        title: what was found.
    """
    fig, axes = plt.subplots(1, len(rivals), figsize=(8.6, 4.3), sharey=True, squeeze=False)
    least = 10 ** math.floor(math.log10(max(1e-6, min(policy))))
    for ax, (name, other) in zip(axes[0], rivals.items(), strict=True):
        left = 10 ** math.floor(math.log10(min(x for x in other if x > 0)))
        ax.scatter(
            [max(x, left) for x in other], [max(y, least) for y in policy],
            color=COLOURS["implicit"], marker=MARKERS["implicit"], s=10, alpha=0.35, linewidth=0,
        )  # fmt: skip
        ax.plot([least, 1], [least, 1], color=NEUTRAL, linewidth=1)
        ax.plot(median(other), median(policy), "+", color="black", markersize=14, markeredgewidth=2)
        ax.set(xscale="log", yscale="log", xlim=(0.9 * left, 1.1), ylim=(0.7 * least, 1.3))
        ax.set_xlabel(f"P(correct) of {name}")
    axes[0][0].set_ylabel("P(correct) of the policy")
    axes[0][0].text(
        0.97, 0.02, "+ medians", transform=axes[0][0].transAxes, ha="right", va="bottom"
    )
    fig.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize="medium")
    return fig
