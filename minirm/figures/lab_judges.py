"""Two trained judges for a page: the paper's experiment, kept as the way that every weight went.

A judge is the language model that the page has already, and what training added to it. Training
moves a weight by a few thousandths, and 127 steps up and as many down hold that: one byte a weight,
half of what the judge itself would take in half precision.

``python -m minirm.figures.lab_judges`` trains both again, in half a minute, and writes the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor

from minirm.experiments import persona
from minirm.experiments.results import origin
from minirm.figures import lab
from minirm.models.bases import ASSETS
from minirm.reward_model import RewardModel
from minirm.rewards import ExplicitRM, ImplicitRM

FILE = ASSETS / "lab-judges.safetensors"
COMMAND = "python -m minirm.figures.lab_judges"
RUNS = {reward: persona.Run(base=lab.BASE, reward=reward) for reward in persona.REWARDS}
"""The runs that made the judges: what ``minirm experiment persona`` does first."""
SCRIPTS = {reward: (reward, f"_static/lab-{reward}.js") for reward in RUNS}
"""Where a built page finds them, as ``lab.SCRIPT``."""
STEPS = 127  # to either side, in a byte


def placed(network: Any) -> Iterator[tuple[slice, Tensor]]:
    """Each weight of a reward's network, and where it lies among those of the engine.

    They lie in the order of ``lab.weights``, and the head comes last; a classifier leaves the
    place of the unembedding empty.
    """
    head = getattr(network, "score", None)
    at = 0
    for weight in lab.weights(network, unembedding=head is None):
        yield slice(at, at + weight.numel()), weight
        at += weight.numel()
    if head is not None:
        at += network.config.vocab_size * network.config.hidden_size
        yield slice(at, at + head.weight.numel()), head.weight


def untrained(reward: str) -> RewardModel:
    """A judge before its first step, on the base as the page has it."""
    run = RUNS[reward]
    base, tokenizer = lab.rounded_base(run.base)
    if reward == "explicit":
        return ExplicitRM(base, tokenizer, seed=run.seed, copy=False)
    return ImplicitRM(base, tokenizer, beta=run.beta)


def trained(reward: str) -> RewardModel:
    """The judge that the page has, from the file."""
    return judge(reward, *stored(reward))


def judge(reward: str, moves: Tensor, step: float) -> RewardModel:
    """A judge whose training moved its weights so far: [weights] int8, in steps of ``step``."""
    model = untrained(reward)
    with torch.no_grad():
        for place, weight in placed(model.model):
            weight += (moves[place].double() * step).float().view_as(weight)
    return model.eval()


@cache
def stored(reward: str, file: Path = FILE) -> tuple[Tensor, float]:
    """How far training moved every weight: [weights] int8, and what one of these steps is."""
    tensors = safetensors.torch.load_file(file)
    return tensors[reward], tensors[f"{reward} step"].item()


def record() -> dict[str, Any]:
    """Where the file comes from: command, date, versions, machine."""
    with safe_open(FILE, framework="pt") as file:
        return json.loads(file.metadata()["record"])


def script(reward: str) -> str:
    """The moves of one judge, for a page to load beside the base."""
    return lab.bytes_script(SCRIPTS[reward][0], stored(reward)[0].numpy().tobytes())


def train(reward: str, *, progress: bool | None = None) -> tuple[Tensor, float]:
    """Train a judge; what ``stored`` gives.

    Args:
        reward: a key of ``RUNS``.
        progress: as for ``minirm.experiments.persona.train``.
    """
    model, _ = persona.train(RUNS[reward], progress=progress)
    after, before = (list(placed(each.model)) for each in (model, untrained(reward)))
    moves = torch.zeros(after[-1][0].stop, dtype=torch.float64)
    for (place, end), (_, start) in zip(after, before, strict=True):
        moves[place] = (end.detach() - start.detach()).double().flatten()
    step = (moves.abs().max() / STEPS).item()
    return (moves / step).round().to(torch.int8), step


def main(path: Path = FILE) -> None:
    """Train both judges and write the file."""
    tensors: dict[str, Tensor] = {}
    for reward in RUNS:
        moves, step = train(reward)
        tensors |= {reward: moves, f"{reward} step": torch.tensor(step, dtype=torch.float64)}
    metadata = {"record": json.dumps({"command": COMMAND, **origin()})}
    safetensors.torch.save_file(tensors, path, metadata=metadata)
    path.chmod(0o644)  # written for its owner alone, shipped to all


if __name__ == "__main__":
    main()
