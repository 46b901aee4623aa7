"""Live figures of the one-step dynamics; numbers from ``minirm.dynamics``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from minirm import dynamics
from minirm.figures.live import LiveFigure
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
