"""The collapse's controls: one part of the training taken away, or of how a reward is read.

Everything else, the evaluation too, is as in ``minirm.experiments.persona``'s default run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from minirm.evaluation import evaluate
from minirm.experiments import persona as experiment
from minirm.experiments import runner
from minirm.experiments.results import Row
from minirm.models.bases import COMMON, load_base
from minirm.reward_model import RewardModel
from minirm.rewards import ExplicitRM, ImplicitRM
from minirm.training.trainer import Trainer
from minirm.worlds import persona
from minirm.worlds.persona import CHOSEN, REJECTED, Wording

ONE = ("A truthful reply is",)
NO_MY = ("The judgement:", "Considering the statement, I say")
NO_SHARED = ("The judgement:", "Considering the statement, it seems")
DESIGNS: Mapping[str, tuple[Wording, Wording]] = {
    "paper": (CHOSEN, REJECTED),
    "no My": (CHOSEN, replace(REJECTED, prefixes=NO_MY)),
    "no shared word": (CHOSEN, replace(REJECTED, prefixes=NO_SHARED)),
    "one prefix": (replace(CHOSEN, prefixes=ONE), replace(REJECTED, prefixes=ONE)),
}
"""How the chosen and the rejected training responses are worded; the phrases never change.

"no shared word": no word of the paper's two held-out prefixes is in any training response. Only in
"one prefix" does the prefix not foretell which of the two a response is.
"""

CONTROLS = (
    ("paper", "explicit, mean"),
    ("paper", "implicit, no reference"),
    ("no My", "implicit"),
    ("no shared word", "implicit"),
    ("one prefix", "explicit, mean"),
    ("one prefix", "implicit"),
)
"""Design and model; the paper's design with the two plain models is the Persona experiment."""
CONDITIONS = ("original", "paraphrase", "swapped", "same prefix", "bare")


@dataclass(frozen=True)
class Run:
    """One training run of a control: a key of ``DESIGNS``, and a reward model by its name."""

    base: str
    seed: int
    design: str
    model: str


def runs(seeds: int, bases: Sequence[str] = COMMON) -> list[Run]:
    """Every control on every base."""
    return [Run(base, seed, *c) for base in bases for c in CONTROLS for seed in range(seeds)]


def new_model(name: str, base: str, seed: int) -> RewardModel:
    """An untrained reward model, by its name in ``CONTROLS``."""
    given = load_base(base)
    if name == "explicit, mean":
        return ExplicitRM(*given, seed=seed, pooling="mean", copy=False)
    reference = "base" if name == "implicit" else None
    return ImplicitRM(*given, beta=experiment.Run.beta, reference=reference, copy=False)


def measure(run: Run) -> list[dict[str, Any]]:
    """Train one model; one row for each of ``CONDITIONS``, on 40 test prompts."""
    questions = persona.world_questions(run.seed)
    chosen, rejected = DESIGNS[run.design]
    pairs = persona.training_pairs(questions.train, run.seed, chosen=chosen, rejected=rejected)
    model, plain = new_model(run.model, run.base, run.seed), experiment.Run
    Trainer(
        model, pairs, lr=plain.lr, epochs=plain.epochs, batch_size=plain.batch_size,
        seed=run.seed, progress=False,
    ).fit()  # fmt: skip
    sets = persona.evaluation_sets(questions, run.seed)
    return [
        {**asdict(run), "condition": f"{c}, test", **evaluate(model, sets[f"{c}, test"])}
        for c in CONDITIONS
    ]


def table(rows: Sequence[Row]) -> str:
    """Accuracy and normalised margin: means over seeds, as text."""
    by, values = ("base", "design", "model"), ("accuracy", "normalised_margin")
    return runner.table(rows, by=by, line="condition", values=values)
