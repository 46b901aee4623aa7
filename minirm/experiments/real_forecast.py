"""How long the runs on a real model will take here, and in how much memory: two steps say it."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from minirm.evaluation import EvaluationSets
from minirm.experiments import grids, real, rungs, shift_sets, shifts
from minirm.pairs import PreferencePair
from minirm.training.trainer import Trainer

WARM_UP, TIMED = 1, 2
"""Steps; a first one also builds what the later ones use."""
ASKED = 2
"""Pairs of each test set."""


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
    model = rungs.new_model(run.reward, *real.load(run), run.seed, lora=run.lora)
    pairs = real.training_pairs(run, asked)
    _seconds(model, pairs[: WARM_UP * run.batch_size], run, run.batch_size)
    timed = pairs[: TIMED * run.batch_size]
    step = _seconds(model, timed, run, run.batch_size) / TIMED
    start = time.perf_counter()
    grids.reward_grid(model, asked.test[:1], chat=run.chat)
    look = run.prompts * (time.perf_counter() - start)
    steps, looks = _counts(run, len(pairs))
    return Forecast(model.device.type, steps, looks, step, look, _gigabytes(model.device))


def forecast_shifts(run: shifts.Run) -> Forecast:
    """The same for a run on real preferences, whose pairs differ in length.

    The longest pairs come first, for the memory; then time is taken on some of all lengths.
    """
    base, tokenizer = shifts.load(run)
    data = shift_sets.read(run.train, tokenizer, run.limits)
    model = rungs.new_model(run.reward, base, tokenizer, run.seed, lora=run.lora)
    pairs = [shift_sets.in_format(pair, chat=run.chat) for pair in data.train]
    by_length = sorted(pairs, key=lambda pair: -len(f"{pair.chosen}{pair.rejected}"))
    at_once = min(run.micro_batch_size or run.batch_size, len(pairs))
    _seconds(model, by_length[: WARM_UP * at_once], run, at_once)
    timed = by_length[:: max(1, len(pairs) // (TIMED * at_once))][: TIMED * at_once]
    pair = _seconds(model, timed, run, at_once) / len(timed)
    asked = shift_sets.Asked(data, model.encode, chat=run.chat, max_length=model.max_length).sets
    sample = {name: pairs[:: max(1, len(pairs) // ASKED)][:ASKED] for name, pairs in asked.items()}
    sets = EvaluationSets(model, sample, batch_size=shifts.at_once())
    sets.read_reference()
    start = time.perf_counter()
    sets.rewards()
    share = sum(map(len, sample.values())) / sum(map(len, asked.values()))
    look = (time.perf_counter() - start) / share
    steps, looks = _counts(run, len(pairs))
    looks += model.has_reference  # it reads all sets too, once
    step = pair * len(pairs) * run.epochs / steps
    return Forecast(model.device.type, steps, looks, step, look, _gigabytes(model.device))


def of_shifts(runs: Sequence[shifts.Run]) -> str:
    """What all these runs will take: of those that are trained in one line, then the others."""
    trained = [run for run in runs if run.reward not in shifts.BASELINES]
    if not trained:
        return f"{len(runs)} baselines: nothing is trained"
    slowest = max(trained, key=lambda run: run.reward == "implicit")  # it asks a reference too
    told = forecast_shifts(slowest)
    said = told.said(len(trained))
    if len(trained) < len(runs):
        minutes = math.ceil(told.look / 60)
        said += f"; {len(runs) - len(trained)} baselines besides, about {minutes} min in all"
    return said


def _seconds(model: Any, pairs: Sequence[PreferencePair], run: Any, batch_size: int) -> float:
    """How long it takes to train on some pairs once."""
    trainer = Trainer(
        model, pairs, lr=run.lr, epochs=1, batch_size=batch_size,
        micro_batch_size=run.micro_batch_size, seed=run.seed, progress=False,
        mixed_precision="bf16" if run.precision == "bf16" else "no",
    )  # fmt: skip
    start = time.perf_counter()
    trainer.fit()
    return time.perf_counter() - start


def _counts(run: Any, pairs: int) -> tuple[int, int]:
    """Steps and looks of a run on so many pairs."""
    steps = run.epochs * math.ceil(pairs / run.batch_size)
    return steps, 1 if run.eval_every is None else 1 + math.ceil(steps / run.eval_every)


def _gigabytes(device: torch.device) -> float:
    """The most memory held so far: on a GPU, or by this process (not known on Windows)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    if sys.platform == "win32":
        return math.nan
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9
