"""How long the runs on a real model will take here, and in how much memory: two steps say it."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass

import torch

from minirm.experiments import grids, real, rungs
from minirm.training.trainer import Trainer

WARM_UP, TIMED = 1, 2
"""Steps; a first one also builds what the later ones use."""


@dataclass(frozen=True)
class Forecast:
    """What a run will take on this machine.

    Args:
        device: where it runs, "cpu" or "cuda".
        steps: of training.
        looks: how often the grid of answers is scored.
        step: seconds a step.
        look: seconds a look.
        gigabytes: the most memory that was held: of the process, or on the GPU.
    """

    device: str
    steps: int
    looks: int
    step: float
    look: float
    gigabytes: float

    @property
    def seconds(self) -> float:
        """Of the whole run, but for opening the model."""
        return self.steps * self.step + self.looks * self.look

    def said(self, runs: int = 1) -> str:
        """In one line, for so many runs one after another.

        >>> Forecast("cpu", 50, 1, 4.0, 40.0, 3.5).said(runs=4)
        '4 runs of 50 steps on cpu: 4 min each, 16 min in all, 3.5 GB'
        """
        each, whole = (f"{math.ceil(n * self.seconds / 60)} min" for n in (1, runs))
        return (
            f"{runs} run{'s' * (runs > 1)} of {self.steps} steps on {self.device}: {each} each, "
            f"{whole} in all, {self.gigabytes:.1f} GB"
        )


def forecast(run: real.Run) -> Forecast:
    """Take a few steps of a run and score the answers to one question; nothing is kept."""
    asked = real.questions(run.data, run.seed)
    model = rungs.new_model(run.reward, *real.load(run), run.seed)
    pairs = real.training_pairs(run, asked)

    def train(steps: int) -> float:
        some = pairs[: steps * run.batch_size]
        trainer = Trainer(
            model, some, lr=run.lr, epochs=1, batch_size=run.batch_size,
            mixed_precision=run.precision, seed=run.seed, progress=False,
        )  # fmt: skip
        start = time.perf_counter()
        trainer.fit()
        return (time.perf_counter() - start) / trainer.total_steps

    train(WARM_UP)
    step, start = train(TIMED), time.perf_counter()
    grids.reward_grid(model, asked.test[:1], chat=run.chat)
    look = run.prompts * (time.perf_counter() - start)
    steps = run.epochs * math.ceil(len(pairs) / run.batch_size)
    looks = 1 if run.eval_every is None else 1 + math.ceil(steps / run.eval_every)
    return Forecast(model.device.type, steps, looks, step, look, _gigabytes(model.device))


def _gigabytes(device: torch.device) -> float:
    """The most memory held so far: on a GPU, or by this process (not known on Windows)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    if sys.platform == "win32":
        return math.nan
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9
