"""The paraphrase collapse. Train EX-RM and IM-RM on the Persona pairs, ask in new words.

The paper's set-up (section 5.1, and its published code: AdamW without decay, constant learning
rate, no clipping) with the controls that its headline number needs: see
``minirm.worlds.persona.CONDITIONS``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any

import torch

from minirm.metrics import accuracy_interval
from minirm.models.bases import load_base
from minirm.progress import progress_bar
from minirm.reward_model import RewardModel
from minirm.rewards import ExplicitRM, ImplicitRM
from minirm.training.trainer import Trainer
from minirm.worlds import persona

REWARDS = ("explicit", "implicit")


@dataclass(frozen=True)
class Run:
    """One training run. ``data`` is a Persona file, or None for the small world's questions.

    ``seed`` draws the questions, the wordings, the explicit head's start and the batch order.
    """

    base: str = "seed-0"
    reward: str = "implicit"
    seed: int = 0
    beta: float = 0.01
    lr: float = 3e-5
    epochs: int = 15
    batch_size: int = 8
    data: str | None = None
    eval_every: int | None = None


def train(run: Run, *, progress: bool | None = None) -> tuple[RewardModel, list[dict[str, float]]]:
    """Train one reward model; returns it with its history (evaluations included)."""
    base, tokenizer = load_base(run.base)
    if run.reward == "explicit":
        model: RewardModel = ExplicitRM(base, tokenizer, seed=run.seed, copy=False)
    else:
        model = ImplicitRM(base, tokenizer, beta=run.beta, copy=False)
    pairs, sets = _data(run, chat=bool(getattr(tokenizer, "chat_template", None)))
    trainer = Trainer(
        model,
        pairs,
        eval_sets=sets,
        lr=run.lr,
        epochs=run.epochs,
        batch_size=run.batch_size,
        eval_every=run.eval_every,
        seed=run.seed,
        progress=progress,
    )
    return model, trainer.fit()


def measure(run: Run, *, progress: bool | None = None) -> list[dict[str, Any]]:
    """Train, and return one row per evaluation set (and per evaluation, with ``eval_every``)."""
    _, history = train(run, progress=progress)
    rows = []
    for record in history:
        for name in record:
            if not name.endswith("/accuracy"):
                continue
            condition = name.removesuffix("/accuracy")
            rows.append(
                {
                    "base": run.base,
                    "reward": run.reward,
                    "seed": run.seed,
                    "beta": run.beta,
                    "lr": run.lr,
                    "step": record["step"],
                    "condition": condition,
                    "accuracy": record[name],
                    "margin": record[f"{condition}/margin"],
                    "normalised_margin": record[f"{condition}/normalised_margin"],
                }
            )
    return rows


def grid(
    bases: Iterable[str], seeds: Iterable[int], betas: Sequence[float], lrs: Sequence[float],
    rewards: Sequence[str] = REWARDS, **settings: Any,
) -> list[Run]:  # fmt: skip
    """Every combination once; an explicit reward has no beta, so it runs for the first only."""
    runs = []
    for base, seed, lr in itertools.product(bases, seeds, lrs):
        for reward in rewards:
            for beta in betas if reward == "implicit" else betas[:1]:
                run = Run(base=base, reward=reward, seed=seed, beta=beta, lr=lr)
                runs.append(replace(run, **settings))
    return runs


def measure_all(
    runs: Sequence[Run], *, jobs: int = 1, progress: bool | None = None
) -> list[dict[str, Any]]:
    """``measure`` every run, in order, in ``jobs`` processes of one thread each."""
    rows: list[dict[str, Any]] = []
    with progress_bar(total=len(runs), desc="runs", show=progress) as bar:
        if jobs == 1:
            for run in runs:
                rows += measure(run)
                bar.update()
            return rows
        with ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
            for result in pool.map(measure, runs):
                rows += result
                bar.update()
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Mean accuracy after training and its 95 % t interval over seeds, as text."""
    final: dict[tuple, dict[str, list[tuple[float, float]]]] = {}
    last = max(row["step"] for row in rows)
    for row in rows:
        if row["step"] == last:
            key = (row["base"], row["reward"], row["beta"], row["lr"])
            value = (row["accuracy"], row["normalised_margin"])
            final.setdefault(key, {}).setdefault(row["condition"], []).append(value)
    lines = []
    for (base, reward, beta, lr), conditions in final.items():
        setting = f"beta {beta:g}, lr {lr:g}" if reward == "implicit" else f"lr {lr:g}"
        n = len(next(iter(conditions.values())))
        lines.append(f"{reward} on {base} ({setting}, {n} seed{'s' * (n > 1)})")
        for condition, values in conditions.items():
            accuracies, margins = zip(*values, strict=True)
            low, high = accuracy_interval(accuracies)
            mean, margin = sum(accuracies) / n, sum(margins) / n
            lines.append(
                f"  {condition:22} accuracy {mean:.2f} [{low:.2f}, {high:.2f}]"
                f"   normalised margin {margin:.2f}"
            )
    return "\n".join(lines)


def _data(run: Run, *, chat: bool) -> tuple[list, dict[str, list]]:
    if run.data is None:
        questions = persona.world_questions(run.seed)
    else:
        questions = persona.file_questions(run.data, run.seed)
    sets = persona.evaluation_sets(questions, run.seed)
    if chat:
        sets = {name: [persona.as_conversation(p) for p in pairs] for name, pairs in sets.items()}
    return sets["original, train"], sets
