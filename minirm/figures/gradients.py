"""Figures of the one-step dynamics, live and still; numbers from ``minirm.dynamics``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from minirm import dynamics
from minirm.figures.live import LiveFigure
from minirm.figures.style import COLOURS, FAINT, IMPLICIT, MARKERS, NEUTRAL
from minirm.pairs import PreferencePair, Text
from minirm.rewards import ExplicitRM, ImplicitRM

MOVED: dict[str, dynamics.Parameters] = {"alone": "last", "everything": "all"}
"""Which weights take the step: the head alone, or everything."""

Answer = tuple[str, str]  # prompt and response


class RhoExplorer(LiveFigure):
    """Two next-token distributions, two tokens, the four terms of rho (paper, Eq. 5).

    ``data["words"]``: the vocabulary; the last word stands for all others and has logit 0.
    """

    module = "rho.js"

    @staticmethod
    def compute(data: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, float]:
        y, v = int(state["y"]), int(state["v"])
        logits = ([*(state[f"{s}{i}"] for i in range(len(data["words"]) - 1)), 0] for s in "pq")
        p, q = (torch.tensor(side, dtype=torch.float64).softmax(0) for side in logits)
        every = torch.arange(len(p))
        of_all = dynamics.rho(p.expand(len(p), -1), every, q[None], torch.tensor([v]))[:, 0]
        return {
            "rho": of_all[y].item(),
            "match": float(y == v),
            "minus_q_y": -q[y].item(),
            "minus_p_v": -p[v].item(),
            "overlap": (p @ q).item(),
            "mean": (p @ of_all).item(),
        }


class StepFigure(LiveFigure):
    """One step on an explicit reward, foretold by the kernel and taken; ``step_data``."""

    module = "step.js"

    @staticmethod
    def compute(data: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, float]:
        pair, probe, head, step = (int(state[k]) for k in ("pair", "probe", "head", "step"))
        return {
            "up": data["up"][pair][probe],
            "down": data["down"][pair][probe],
            "g": data["g"][head][pair],
            "predicted": data["slope"][head][pair][probe] * data["lrs"][step],
            "alone": data["alone"][head][pair][probe][step],
            "everything": data["everything"][head][pair][probe][step],
        }


def step_data(
    models: Mapping[str, ExplicitRM],
    pairs: Sequence[PreferencePair],
    probes: Sequence[Answer],
    lrs: Sequence[float],
) -> dict[str, Any]:
    """Kernels, predictions and measured changes for every model, pair, probe and step size.

    Args:
        models: by name, all on one base, so that they share their states.
        pairs: what is trained, one at a time.
        probes: the answers that are watched.
        lrs: step sizes.
    """
    x, y = map(list, zip(*probes, strict=True))
    prompts, ups, downs = zip(*((p.prompt, p.chosen, p.rejected) for p in pairs), strict=True)
    model = next(iter(models.values()))
    h, up, down = (model.features(*texts) for texts in ((x, y), (prompts, ups), (prompts, downs)))
    data: dict[str, Any] = {"up": (up @ h.T).tolist(), "down": (down @ h.T).tolist()}
    data |= {"pairs": [f"{a} > {b}" for a, b in zip(ups, downs, strict=True)], "probes": y}
    data |= {"heads": list(models), "lrs": list(lrs)}
    data |= {name: [] for name in ("g", "slope", "alone", "everything")}
    for model in models.values():
        before = model.score(x, y)
        margins = model.score(prompts, ups) - model.score(prompts, downs)
        data["g"].append(torch.sigmoid(-margins).tolist())
        slopes = [[dynamics.predicted_change(model, p, *a, 1.0) for a in probes] for p in pairs]
        data["slope"].append(slopes)
        for name, parameters in MOVED.items():
            changes = []
            for pair in pairs:
                taken = []
                for lr in lrs:
                    with dynamics.one_step(model, [pair], lr, parameters=parameters):
                        taken.append(model.score(x, y) - before)
                changes.append(torch.stack(taken, -1).tolist())
            data[name].append(changes)
    return data


class PushFigure(LiveFigure):
    """rho * <h, h'> of every two tokens, from rho = 1 to the full rho; ``push_data``."""

    module = "push.js"

    @staticmethod
    def compute(data: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, float]:
        example = data["tables"][int(state["pair"])][int(state["probe"])]
        totals = {}
        for side in ("chosen", "rejected"):
            rho, kernel = (np.array(example[side][k]) for k in ("rho", "kernel"))
            totals[side] = float(((1 - state["gate"] + state["gate"] * rho) * kernel).sum())
        return totals | {"total": totals["chosen"] - totals["rejected"]}


def push_data(
    model: ImplicitRM, pairs: Sequence[PreferencePair], probes: Sequence[Answer]
) -> dict[str, Any]:
    """``dynamics.coupling`` of every probe with both sides of every pair, and their tokens."""

    def words(prompt: Text, response: Text) -> list[str]:
        tokens = model.encode(prompt, response).response
        return [model.tokenizer.decode([t]).strip() for t in tokens]

    def table(pair: PreferencePair, prompt: str, response: str) -> dict[str, Any]:
        entry: dict[str, Any] = {"tokens": words(prompt, response)}
        for side in ("chosen", "rejected"):
            trained = getattr(pair, side)
            c = dynamics.coupling(model, prompt, response, pair.prompt, trained)
            entry[side] = {"rho": c.rho.tolist(), "kernel": c.kernel.tolist()}
            entry[side]["tokens"] = words(pair.prompt, trained)
        return entry

    return {
        "pairs": [f"{p.chosen} > {p.rejected}" for p in pairs],
        "probes": [response for _, response in probes],
        "tables": [[table(pair, *probe) for probe in probes] for pair in pairs],
    }


def plot_synonyms(phrases: Sequence[str], told: Tensor, untold: Tensor, *, n_yes: int) -> Figure:
    """rho of every phrase against one trained yes-phrase: those that mean yes, those that mean no.

    Args:
        phrases: the yes-phrases, the trained one first, then the no-phrases.
        told: [phrases], where the prompt foretells a yes.
        untold: [phrases], where it does not.
        n_yes: how many of the phrases mean yes.
    """
    fig, axes = plt.subplots(1, 2, figsize=(9.6, 4.6), sharex=True)
    for ax, which, title in (
        (axes[0], slice(1, n_yes), "A yes is foretold: its synonyms pay"),
        (axes[1], slice(n_yes, None), "... and the no-phrases are spared"),
    ):
        where = np.arange(len(phrases[which]))
        ax.barh(where - 0.2, told[which], 0.4, color=IMPLICIT, label="a yes was foretold")
        ax.barh(where + 0.2, untold[which], 0.4, color=FAINT, label="nothing was")
        ax.set_yticks(where, phrases[which], fontsize=9)
        ax.invert_yaxis()
        ax.axvline(0, color=NEUTRAL, lw=1)
        ax.set(xlabel=f"ρ against the trained “{phrases[0]}”", title=title)
    axes[1].legend(loc="lower left", fontsize="small")
    return fig


def plot_foretold(steps: pd.DataFrame, *, titles: Mapping[str, str]) -> Figure:
    """Actual against predicted change, one panel a reward, with the line where they are equal.

    Args:
        steps: "reward", "predicted" and "actual", one row a trained pair and watched answer.
        titles: kind of reward -> what was found.
    """
    fig, axes = plt.subplots(1, len(titles), figsize=(9.6, 3.8))
    for ax, (kind, title) in zip(axes, titles.items(), strict=True):
        part = steps[steps["reward"] == kind]
        look = {"color": COLOURS[kind], "marker": MARKERS[kind]}
        ax.scatter(part["predicted"], part["actual"], s=18, alpha=0.6, **look)
        ends = [part["predicted"].min(), part["predicted"].max()]
        ax.plot(ends, ends, color=NEUTRAL, lw=1, label="as foretold")
        ax.axhline(0, color=FAINT, lw=1)
        ax.axvline(0, color=FAINT, lw=1)
        ax.set(xlabel="predicted, states fixed", ylabel="actual, all parameters", title=title)
    axes[0].legend(loc="upper left")
    return fig


def plot_outcome(outcome: pd.DataFrame, parts: Mapping[str, str]) -> Figure:
    """Accuracy after training against the first step's push on the margins.

    One panel a part of the network; a mark a base model, its shape says the condition. Shaded:
    where the push has the sign that training comes to; clear misses bear their base's name.

    Args:
        outcome: "base", "condition" and "accuracy", and the mean push of each part (nats per unit
            of step size) in a column of its name.
        parts: column -> what was found.
    """
    fig, axes = plt.subplots(1, len(parts), figsize=(9.6, 3.8), sharey=True, sharex=True)
    conditions = list(dict.fromkeys(outcome["condition"]))
    for ax, (part, title) in zip(axes, parts.items(), strict=True):
        for place, condition in enumerate(conditions):
            rows = outcome[outcome["condition"] == condition]
            ax.scatter(
                rows[part], rows["accuracy"], s=52, marker="os^D"[place], alpha=0.75,
                facecolor=(IMPLICIT, IMPLICIT, "white", "white")[place], edgecolor=IMPLICIT,
                label=condition, zorder=3,
            )  # fmt: skip
        wrong = outcome[
            (outcome[part] * (outcome["accuracy"] - 0.5) < 0) & (outcome[part].abs() > 1)
        ]
        for _, row in wrong.iterrows():
            side = -8 if row["accuracy"] > 0.5 else 8
            where = {"xytext": (0, side), "textcoords": "offset points", "fontsize": "x-small"}
            look = {"ha": "center", "va": "top" if side < 0 else "bottom"}
            ax.annotate(row["base"], (row[part], row["accuracy"]), **where, **look)
        ax.set_xscale("symlog", linthresh=1)
        most = 2 * outcome[list(parts)].abs().max(axis=None)
        for x, y in (((-most, 0), (-0.08, 0.5)), ((0, most), (0.5, 1.08))):
            ax.fill_between(x, *y, color=FAINT, alpha=0.25, linewidth=0, zorder=0)
        ax.set_xticks([-100, -10, -1, 0, 1, 10, 100], ["−100", "−10", "−1", "0", "1", "10", "100"])
        ax.set(xlim=(-most, most), ylim=(-0.08, 1.08), title=title)
        ax.set_xlabel("push of the first step (nats per unit of step)")
    axes[0].set_ylabel("accuracy after training")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(conditions))
    return fig
