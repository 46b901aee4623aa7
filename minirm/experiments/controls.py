"""The collapse's controls: one part of the training taken away, or of how a reward is read.

Everything else, the evaluation too, is as in ``minirm.experiments.persona``'s default run. Its
results file is written by ``python -m minirm.experiments.controls --output FILE``.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from minirm.evaluation import evaluate
from minirm.experiments.persona import Run
from minirm.experiments.results import save_results
from minirm.models.bases import BUNDLED, load_base
from minirm.progress import progress_bar
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

# The paper's design with the two plain models is persona.json.
RUNS = (
    ("paper", "explicit, mean"),
    ("paper", "implicit, no reference"),
    ("no My", "implicit"),
    ("no shared word", "implicit"),
    ("one prefix", "explicit, mean"),
    ("one prefix", "implicit"),
)
CONDITIONS = ("original", "paraphrase", "swapped", "same prefix", "bare")


def new_model(name: str, base: str, seed: int) -> RewardModel:
    """An untrained reward model, by its name in ``RUNS``."""
    given = load_base(base)
    if name == "explicit, mean":
        return ExplicitRM(*given, seed=seed, pooling="mean", copy=False)
    reference = "base" if name == "implicit" else None
    return ImplicitRM(*given, beta=Run.beta, reference=reference, copy=False)


def measure(base: str, seed: int, design: str, name: str) -> list[dict[str, Any]]:
    """Train one model; one row for each of ``CONDITIONS``, on 40 test prompts."""
    questions = persona.world_questions(seed)
    chosen, rejected = DESIGNS[design]
    pairs = persona.training_pairs(questions.train, seed, chosen=chosen, rejected=rejected)
    model = new_model(name, base, seed)
    Trainer(
        model, pairs, lr=Run.lr, epochs=Run.epochs, batch_size=Run.batch_size, seed=seed,
        progress=False,
    ).fit()  # fmt: skip
    sets = persona.evaluation_sets(questions, seed)
    run = {"base": base, "seed": seed, "design": design, "model": name}
    return [
        {**run, "condition": f"{c}, test", **evaluate(model, sets[f"{c}, test"])}
        for c in CONDITIONS
    ]


def main() -> None:
    """Every run on every bundled base with five seeds, some ten minutes of one core."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the results file to write")
    output = parser.parse_args().output
    torch.set_num_threads(1)
    runs = [(base, seed, *run) for base in BUNDLED for run in RUNS for seed in range(5)]
    rows: list[dict[str, Any]] = []
    with progress_bar(total=len(runs), desc="runs") as bar:
        for run in runs:
            rows += measure(*run)
            bar.update()
    command = f"python -m minirm.experiments.controls --output {shlex.quote(str(output))}"
    save_results(output, command, rows)


if __name__ == "__main__":
    main()
