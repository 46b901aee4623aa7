"""Checking against finding. Train both rewards on Hamiltonian cycles, and make one generate.

The paper's set-up (section 3.2) on a model that is trained from scratch in minutes, with what the
headline needs beside it: how often a sample is well-formed at all, what happens when nothing but
orders of the vertices can be said, harder negatives, the model's own mistakes as negatives, and the
exact probability of a correct answer next to those of two blind generators.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import median as median_of
from typing import Any

import torch
from scipy.stats import beta as beta_distribution

from minirm.distributed import processes
from minirm.experiments.generation import (
    OrdersRM,
    Sample,
    against,
    correct_mass,
    moves,
    sample,
    scores,
)
from minirm.metrics import bootstrap_interval
from minirm.models.bases import ASSETS, load_base
from minirm.progress import without_loading_bars
from minirm.reward_model import RewardModel
from minirm.rewards import ExplicitRM, ImplicitRM
from minirm.training.trainer import Trainer
from minirm.worlds import hamiltonian as world
from minirm.worlds import language_model
from minirm.worlds.hamiltonian import Puzzle

CHECKPOINTS = ASSETS / "hamiltonian"
"""Three folders: the language model of seed 0 at n = 10, and the two rewards trained from it."""
N_TEST, N_EXACT, N_WATCHED = 1000, 200, 20  # graphs: accuracy and samples, exact sums, curves


@dataclass(frozen=True)
class Run:
    """One training run on ``pairs`` graphs, each met ``epochs`` times."""

    reward: str = "implicit"
    negatives: world.Negatives = "random"
    orders_only: bool = False  # the policy can say nothing but an order of the vertices
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

Figure = dict[str, Any]  # value, low, high, cases


# ------------------------------------------------------------------------------------ training


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
    """Train one reward model; ``watch`` measures it and its policy nine times on the way."""
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
    trainer = _Watched(
        model, [puzzle.pair for puzzle in pairs], eval_sets=eval_sets,
        eval_every=max(1, steps // 8), max_grad_norm=1.0,
        lr=run.lr, schedule="linear", warmup_steps=min(50, steps // 4),
        epochs=run.epochs, batch_size=run.batch_size, seed=run.seed, progress=progress,
    )  # fmt: skip
    trainer.puzzles = tests.get("random", [])
    return model, trainer.fit()


class _Watched(Trainer):
    """A trainer that also looks at how the policy itself changes."""

    puzzles: Sequence[Puzzle] = ()

    def evaluate(self) -> dict[str, dict[str, float]]:
        results = super().evaluate()
        if isinstance(self.model, ImplicitRM):
            mass = torch.tensor(correct_mass(self.model, self.puzzles[:N_WATCHED]))
            correct, wrong = moves(self.model, self.puzzles[:400])
            numbers = {"P(correct)": mass, "correct": correct, "wrong": wrong}
            results["policy"] = {name: float(values.mean()) for name, values in numbers.items()}
        return results


@lru_cache
def evaluation_sets(n: int) -> dict[str, list[Puzzle]]:
    """Test graphs, the same for every run: with each kind of negatives, and of other families."""
    kinds: tuple[world.Negatives, ...] = ("random", "near miss", "two-opt")
    sets = {k: world.puzzles(N_TEST, random.Random("test"), n=n, negatives=k) for k in kinds}
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


def clopper_pearson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval for a proportion; it covers with at least ``confidence``."""
    tail = (1 - confidence) / 2
    low = beta_distribution.ppf(tail, k, n - k + 1) if k else 0.0
    return float(low), float(beta_distribution.ppf(1 - tail, k + 1, n - k) if k < n else 1.0)


def share(hits: Sequence[bool]) -> Figure:
    """A share of prompts, each with one answer, and its exact interval."""
    low, high = clopper_pearson(sum(hits), len(hits))
    return {"value": sum(hits) / len(hits), "low": low, "high": high, "cases": len(hits)}


def mean(values: Sequence[float]) -> Figure:
    """A mean over graphs and its bootstrap interval."""
    low, high = bootstrap_interval(values)
    return {"value": sum(values) / len(values), "low": low, "high": high, "cases": len(values)}


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


def generating(model: ImplicitRM, samples: Sequence[Sample]) -> dict[str, Figure]:
    """What the policy says, and how far it is from where it started (KL: as far as it was cut)."""
    puzzles = [s.puzzle for s in samples]
    correct, wrong = moves(model, puzzles)
    said = model.score_encoded([s.tokens for s in samples]) / model.beta
    mass = correct_mass(model, puzzles[:N_EXACT])
    median = {"value": median_of(mass), "low": None, "high": None, "cases": len(mass)}
    return {
        "samples, correct": share([s.verdict.correct for s in samples]),
        "samples, well-formed": share([s.verdict.well_formed for s in samples]),
        "P(correct)": mean(mass),
        "P(correct), median graph": median,
        "KL": mean(said.tolist()),
        "change, correct": mean(correct.tolist()),
        "change, wrong": mean(wrong.tolist()),
    }


def blind(n: int) -> dict[str, Figure]:
    """P(correct) of an order drawn blindly, and of a self-avoiding random walk along edges."""
    graphs = [p.graph for p in evaluation_sets(n)["random"][:N_EXACT]]
    found = [(graph, world.cycles(graph)) for graph in graphs]
    walks = [sum(world.walk_probability(graph, c) for c in cycles) for graph, cycles in found]
    return {
        "P(correct), random order": mean([2 * n * len(c) / math.factorial(n) for _, c in found]),
        "P(correct), random walk": mean(walks),
    }


# ------------------------------------------------------------------------------- the whole table


def measure(
    seed: int, names: Sequence[str], *, model: str | None = None, n: int = world.N,
    save: Path | None = None, **changes: Any,
) -> list[dict[str, Any]]:  # fmt: skip
    """Every run of one seed, as rows of figures; step -1 is the end, measured on all test graphs.

    Args:
        names: which of ``RUNS``. model: a base instead of one pretrained here.
        save: a folder for the language model and the two rewards. changes: to fields of ``Run``.

    """
    base, tokenizer = load_base(model) if model else pretrain(seed, n)
    base, trained = base.to(processes().device), {}
    start = ImplicitRM(base, tokenizer)
    samples = {"reference": sample(start, evaluation_sets(n)["random"])}
    rows: list[dict[str, Any]] = []

    def add(run: str, step: int, results: Mapping[str, Figure]) -> None:
        for name, figure in results.items():
            rows.append({"seed": seed, "run": run, "step": step, "measure": name, **figure})

    add("blind", -1, blind(n))
    add("reference", -1, generating(start, samples["reference"]))
    for key in names:
        run = Run(**({"n": n, "seed": seed} | RUNS[key] | changes))
        trained[key], history = train(run, base, tokenizer, watch=True)
        for record in history:
            seen = {k: v for k, v in record.items() if k.endswith("/accuracy") or "policy/" in k}
            blank = {"low": None, "high": None, "cases": None}
            add(key, int(record["step"]), {k: {"value": v} | blank for k, v in seen.items()})
        known = {k: v for k, v in samples.items() if k in ("reference", "implicit")}
        if isinstance(trained[key], ImplicitRM):
            samples[key] = known[key] = sample(trained[key], evaluation_sets(n)["random"])
            add(key, -1, generating(trained[key], samples[key]))
        add(key, -1, judging(trained[key], n, known))
    if save is not None:
        for key, owner in {"reference": start, **trained}.items():
            with without_loading_bars():
                owner.model.save_pretrained(save / key)
            tokenizer.save_pretrained(save / key)
            (save / key / "model.safetensors").chmod(0o644)  # written for its owner alone
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Each figure at the end of training: its mean over seeds, and the least and the most."""
    final: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row["step"] == -1:
            final.setdefault((row["run"], row["measure"]), []).append(row["value"])
    lines = []
    for run, figures in itertools.groupby(final.items(), key=lambda item: item[0][0]):
        lines.append(run)
        for (_, name), values in figures:
            mean = sum(values) / len(values)
            lines.append(f"  {name:38} {mean:10.4g}   [{min(values):.4g}, {max(values):.4g}]")
    return "\n".join(lines)
