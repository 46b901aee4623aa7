"""What the first step of training foretells of a real model's rewards, before anything is trained.

The theory (arXiv 2507.07981, section 4) speaks of one plain step of the unembedding. Here the step
is that or Adam's, and it moves the unembedding or a head, or all weights but those. In a model
whose unembedding is one matrix with its input embeddings the two could not be told apart, so that
steps are taken on a copy in which it is a matrix of its own.

``minirm.experiments.foretold`` asks the same of the small world, where the training itself and the
derivative along it cost seconds. Here the change is that of a step really taken, and what training
came to is in the file of a ``minirm experiment real`` with the same options.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import product
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from minirm import dynamics
from minirm.experiments import grids, real, rungs, runner
from minirm.experiments.results import Row
from minirm.pairs import PreferencePair
from minirm.reward_model import RewardModel
from minirm.worlds import persona

FORETOLD_FROM = 16
"""Training pairs whose gradient is the first step; all eighty at once would fill the memory."""
PARTS = ("last", "trunk")
"""The unembedding or the head, and all weights but that."""
PREDICTED = tuple(product(get_args(dynamics.Rule), PARTS))

Reading = Callable[[], Mapping[str, Tensor]]


def measure(run: real.Run) -> list[dict[str, Any]]:
    """Foretell one training; one row a kind of step. Nothing is trained.

    Returns:
        in each row the run, "foretold" ("sgd last" and the like: the rule, and the weights that
        moved), and "means": what the step adds to the reward of each answer, taken as often as
        there would be steps, the mean over the prompts; opening by opening, in the order of
        ``persona.OPENINGS`` and ``grids.PHRASES``. Plain gradient descent's step is made as long
        as Adam's.

    Raises:
        ValueError: adapters are to be trained.
    """
    if run.lora is not None:
        raise ValueError("the first step is foretold for all weights: leave lora out")
    asked = real.questions(run.data, run.seed)
    pairs, prompts = real.training_pairs(run, asked), asked.test[: run.prompts]
    base, tokenizer = real.load(run)
    model = rungs.new_model(run.reward, dynamics.untied(base), tokenizer, run.seed)

    def read() -> dict[str, Tensor]:
        grid = grids.reward_grid(model, prompts, persona.OPENINGS, chat=run.chat)
        return dict(zip(persona.OPENINGS, torch.tensor(grid).double().mean(0), strict=True))

    steps = run.epochs * math.ceil(len(pairs) / run.batch_size)
    return [
        {**asdict(run), "foretold": kind}
        | {"means": [float(f"{steps * v:.5g}") for row in step.values() for v in row.tolist()]}
        for kind, step in first_steps(model, run, pairs, read).items()
    ]


def first_steps(
    model: RewardModel, run: real.Run, pairs: Sequence[PreferencePair], read: Reading
) -> dict[str, dict[str, Tensor]]:
    """What one step on the first ``FORETOLD_FROM`` pairs changes in what is read off the model.

    Args:
        model: its last layer is a matrix of its own; steps are taken in place, and taken back.
        run: its learning rate.
        pairs: what is trained, in the run's format.
        read: reads the model as it stands; tensors by name.

    Returns:
        by the names of a rule and a part, what ``read`` gives after the step minus before it.
    """
    before, head = read(), dynamics.last_layer(model)
    last = {name for name, weight in model.named_parameters() if weight is head}
    few, adams = pairs[:FORETOLD_FROM], math.nan
    found: dict[str, dict[str, Tensor]] = {}
    for rule in reversed(get_args(dynamics.Rule)):  # Adam's first: the other is made as long
        way = dynamics.step_direction(model, few, rule=rule)
        length = math.sqrt(sum(step.square().sum().item() for step in way.values()))
        adams = length if rule == "adam" else adams
        for part in PARTS:
            moving = {name: d for name, d in way.items() if (name in last) == (part == "last")}
            with dynamics.moved(model, moving, run.lr * adams / length):
                after = read()
            found[f"{rule} {part}"] = {name: after[name] - before[name] for name in before}
    return {" ".join(kind): found[" ".join(kind)] for kind in PREDICTED}


def table(rows: Sequence[Row]) -> str:
    """How far a step moves openings and phrases apart, and the paper's pair: means over seeds."""
    described = [{**row, **_described(row["means"])} for row in rows]
    by, values = ("base", "chat", "lr", "design", "reward"), ("openings", "phrases", "paper's pair")
    return runner.table(described, by=by, line="foretold", values=values)


def by_meaning(means: Sequence[float]) -> Tensor:
    """The "means" of a row, here or of ``real.measure``, by right and wrong phrases: [20, 2].

    Those of ``real.measure`` begin with the same twenty openings.
    """
    grid = torch.tensor(means, dtype=torch.float64).reshape(-1, len(grids.PHRASES))
    right = torch.tensor(grids.RIGHT)
    grid = grid[: len(persona.OPENINGS)]
    return torch.stack([grid[:, right].mean(1), grid[:, ~right].mean(1)], 1)


def _described(means: Sequence[float]) -> dict[str, float]:
    """Standard deviations over openings and over phrases, and right minus wrong on the pair."""
    grid = np.reshape(means, (len(persona.OPENINGS), len(grids.PHRASES)))
    sides = by_meaning(means)
    yes, no = (persona.OPENINGS.index(o) for o in (persona.HELD_YES, persona.HELD_NO))
    return {
        "openings": float(grid.mean(1).std(ddof=1)),
        "phrases": float(grid.mean(0).std(ddof=1)),
        "paper's pair": (sides[yes, 0] - sides[no, 1]).item(),
    }
