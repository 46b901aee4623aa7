"""Checking against finding. Train both rewards on Hamiltonian cycles, and make one generate.

The paper's set-up (section 3.2) on a model that is trained from scratch in minutes, with what the
headline needs beside it: how often a sample is well-formed at all, what happens when nothing but
orders of the vertices can be said, harder negatives, the model's own mistakes as negatives, and the
exact probability of a correct answer next to those of two blind generators.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from minirm.distributed import processes
from minirm.experiments import runner
from minirm.experiments.generation import (
    Figure,
    OrdersRM,
    Sample,
    against,
    blind,
    correct_mass,
    generating,
    moves,
    sample,
    scores,
    share,
)
from minirm.experiments.results import Row
from minirm.models.bases import ASSETS, load_base
from minirm.progress import quiet_transformers
from minirm.reward_model import RewardModel
from minirm.rewards import ExplicitRM, ImplicitRM
from minirm.training.trainer import Trainer
from minirm.worlds import hamiltonian as world
from minirm.worlds import language_model
from minirm.worlds.hamiltonian import Puzzle

CHECKPOINTS = ASSETS / "hamiltonian"
"""Three folders: the language model of seed 0 at n = 10, and the two rewards trained from it."""
N_TEST, N_WATCHED = 1000, 20  # graphs: accuracy and samples, curves


@dataclass(frozen=True)
class Run:
    """One training run.

    Args:
        reward: "implicit" or "explicit".
        negatives: how the wrong answers are made.
        orders_only: the implicit reward's policy can say nothing but an order of the vertices.
        beta: of the implicit reward.
        pairs: graphs to train on.
        epochs: how often each is met.
        batch_size: pairs a step.
        lr: learning rate after a short rise; it falls to 0.
        n: vertices of a graph.
        seed: of the graphs, the explicit head's start and the batch order.
    """

    reward: str = "implicit"
    negatives: world.Negatives = "random"
    orders_only: bool = False
    beta: float = 0.01
    pairs: int = 12_800
    epochs: int = 1
    batch_size: int = 32
    lr: float = 1e-3
    n: int = world.N
    seed: int = 0


EXPLICIT, NEAR = {"reward": "explicit", "pairs": 24_000, "epochs": 4}, {"negatives": "near miss"}
RUNS: dict[str, dict[str, Any]] = {
    "implicit": {},
    "explicit": EXPLICIT,
    "orders-only": {"orders_only": True, "pairs": 9_600},
    "beta-1": {"beta": 1.0, "pairs": 9_600},
    "implicit-near-miss": NEAR,
    "explicit-near-miss": EXPLICIT | NEAR,
}


@dataclass(frozen=True)
class Trial:
    """Runs that are measured together, for one judges what another says: those of one seed.

    Args:
        seed: of the language model and of every run.
        runs: which of ``RUNS``.
        model: a base, as for ``load_base``, instead of one pretrained here.
        n: vertices of a graph.
        pairs: in place of each run's own number; ``epochs`` and ``lr`` likewise.
        epochs: passes over the pairs.
        lr: learning rate.
        save: a folder for the language model and the rewards trained from it.
    """

    seed: int = 0
    runs: tuple[str, ...] = ("implicit", "explicit")
    model: str | None = None
    n: int = world.N
    pairs: int | None = None
    epochs: int | None = None
    lr: float | None = None
    save: str | None = None


# ------------------------------------------------------------------------------------ training


def run_of(trial: Trial, key: str) -> Run:
    """One of ``RUNS`` with the trial's seed and whatever the trial says otherwise."""
    changes = {k: v for k in ("pairs", "epochs", "lr") if (v := getattr(trial, k)) is not None}
    return Run(**({"n": trial.n, "seed": trial.seed} | RUNS[key] | changes))


def reference(trial: Trial) -> tuple[Any, Any]:
    """The language model that a trial's runs start from, on their device, and its tokenizer."""
    base, tokenizer = load_base(trial.model) if trial.model else pretrain(trial.seed, trial.n)
    return base.to(processes().device), tokenizer


def pretrain(seed: int, n: int = world.N, steps: int = 1500) -> tuple[Any, Any]:
    """A small language model that writes well-formed answers and knows none (0.16 M parameters)."""
    tokenizer = world.build_tokenizer(n)
    rng = random.Random(f"pretraining:{seed}")

    def draw() -> list[tuple[list[int], int]]:
        documents = [world.document(rng, n) for _ in range(48)]
        prompts, texts = zip(*documents, strict=True)
        read, said = (tokenizer(list(part))["input_ids"] for part in (prompts, texts))
        eos = tokenizer.eos_token_id
        return [([*x, *y, eos], len(x)) for x, y in zip(read, said, strict=True)]

    with language_model.one_thread():
        model = language_model.new_model(len(tokenizer), seed, hidden_size=64)
        language_model.fit(model, draw, steps, peak_lr=3e-3)
    return model, tokenizer


def train(
    run: Run, base: Any, tokenizer: Any, *, watch: bool = False, progress: bool | None = None
) -> tuple[RewardModel, list[dict[str, float]]]:
    """Train one reward model; returns it with its history.

    Args:
        run: its settings.
        base: the language model that it starts from; left as it is.
        tokenizer: the base's.
        watch: measure the model and its policy nine times on the way.
        progress: True or False; None shows a bar where somebody can watch.
    """
    rng = random.Random(f"pairs:{run.seed}")
    pairs = world.puzzles(run.pairs, rng, n=run.n, negatives=run.negatives)
    if run.reward == "explicit":
        model: RewardModel = ExplicitRM(base, tokenizer, seed=run.seed)
    else:
        kind = OrdersRM if run.orders_only else ImplicitRM
        model = kind(base, tokenizer, beta=run.beta)
    steps = run.epochs * math.ceil(run.pairs / run.batch_size)
    tests = evaluation_sets(run.n) if watch else {}
    eval_sets = {k: [p.pair for p in tests[k][:400]] for k in ("random", "near miss") if watch}
    trainer = Trainer(
        model, [puzzle.pair for puzzle in pairs], eval_sets=eval_sets,
        on_evaluate=_policy(tests["random"]) if watch and run.reward == "implicit" else None,
        eval_every=max(1, steps // 8), max_grad_norm=1.0,
        lr=run.lr, schedule="linear", warmup_steps=min(50, steps // 4),
        epochs=run.epochs, batch_size=run.batch_size, seed=run.seed, progress=progress,
    )  # fmt: skip
    return model, trainer.fit()


def _policy(puzzles: Sequence[Puzzle]) -> Callable[[Any, int], dict[str, float]]:
    """Looks, whenever the reward is evaluated, at how its policy has changed."""

    def numbers(model: ImplicitRM, step: int) -> dict[str, float]:
        mass = torch.tensor(correct_mass(model, puzzles[:N_WATCHED]))
        correct, wrong = moves(model, puzzles[:400])
        means = {"P(correct)": mass, "correct": correct, "wrong": wrong}
        return {f"policy/{name}": float(values.mean()) for name, values in means.items()}

    return numbers


@lru_cache
def evaluation_sets(n: int) -> dict[str, list[Puzzle]]:
    """Test graphs, the same for every run: with each kind of negatives, and of other families."""
    kinds: tuple[world.Negatives, ...] = ("random", "near miss", "two-opt")
    sets: dict[str, list[Puzzle]] = {
        k: world.puzzles(N_TEST, random.Random("test"), n=n, negatives=k) for k in kinds
    }
    for family in ("sparser", "denser"):
        p = world.FAMILIES[family][1]
        sets[family] = world.puzzles(N_TEST, random.Random(family), n=n, p=p)
    return sets


def shipped() -> tuple[Any, Any, dict[str, RewardModel]]:
    """The checkpoints: the language model, its tokenizer, and "implicit" and "explicit" rewards."""
    base, tokenizer = load_base(CHECKPOINTS / "reference")
    policy, _ = load_base(CHECKPOINTS / "implicit")
    implicit = ImplicitRM(policy, tokenizer, reference=base, copy=False)
    explicit = ExplicitRM.from_pretrained(CHECKPOINTS / "explicit")
    return base, tokenizer, {"implicit": implicit, "explicit": explicit}


# ----------------------------------------------------------------------------------- measuring


def judging(
    model: RewardModel, n: int, samples: Mapping[str, Sequence[Sample]]
) -> dict[str, Figure]:
    """Accuracy on every test set, and against the wrong samples of each policy."""
    results = {}
    for name, puzzles in evaluation_sets(n).items():
        chosen, rejected = scores(model, puzzles)
        results[f"accuracy, {name}"] = share((chosen > rejected).tolist())
    for whose, drawn in samples.items():
        wrong = [s for s in drawn if not s.verdict.correct]
        formed = [s for s in wrong if s.verdict.well_formed]
        if formed:
            results[f"accuracy, well-formed by {whose}"] = share(against(model, formed))
        if wrong and not isinstance(model, OrdersRM):  # which gives other strings no probability
            results[f"accuracy, said by {whose}"] = share(against(model, wrong))
    return results


# ------------------------------------------------------------------------------- the whole table


def measure(trial: Trial) -> list[dict[str, Any]]:
    """Every run of one seed, as rows of figures; step -1 is the end, measured on all test graphs.

    Args:
        trial: the seed, the runs and what they start from.
    """
    seed, n = trial.seed, trial.n
    base, tokenizer = reference(trial)
    start = ImplicitRM(base, tokenizer)
    trained: dict[str, RewardModel] = {"reference": start}
    samples = {"reference": sample(start, evaluation_sets(n)["random"])}
    rows: list[dict[str, Any]] = []

    def add(run: str, step: int, results: Mapping[str, Figure]) -> None:
        for name, figure in results.items():
            rows.append({"seed": seed, "run": run, "step": step, "measure": name, **figure})

    add("blind", -1, blind(evaluation_sets(n)["random"]))
    add("reference", -1, generating(start, samples["reference"]))
    for key in trial.runs:
        model, history = train(run_of(trial, key), base, tokenizer, watch=True)
        trained[key] = model
        for record in history:
            seen = {k: v for k, v in record.items() if k.endswith("/accuracy") or "policy/" in k}
            blank = {"low": None, "high": None, "cases": None}
            add(key, int(record["step"]), {k: {"value": v} | blank for k, v in seen.items()})
        known = {k: v for k, v in samples.items() if k in ("reference", "implicit")}
        if isinstance(model, ImplicitRM):
            samples[key] = known[key] = sample(model, evaluation_sets(n)["random"])
            add(key, -1, generating(model, samples[key]))
        add(key, -1, judging(model, n, known))
    if trial.save is not None:
        _save(Path(trial.save), trained)
    return rows


def table(rows: Sequence[Row]) -> str:
    """Each figure at the end of training: its mean over seeds, as text."""
    final = [row for row in rows if row["step"] == -1]
    return runner.table(final, by=("run",), line="measure", values=("value",))


def _save(folder: Path, models: Mapping[str, RewardModel]) -> None:
    for name, owner in models.items():
        if isinstance(owner, ExplicitRM):
            owner.save_pretrained(folder / name)
        else:  # the policy alone: the reference is there once for all
            with quiet_transformers():
                owner.model.save_pretrained(folder / name)
            owner.tokenizer.save_pretrained(folder / name)
        (folder / name / "model.safetensors").chmod(0o644)  # written for its owner alone
