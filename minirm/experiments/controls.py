"""The collapse taken apart: one design of the training pairs, one rung of the ladder, one base.

Training and questions are those of ``minirm.experiments.persona``'s default run. Afterwards the
reward is asked about every held-out answer (``minirm.experiments.grids``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from minirm.evaluation import evaluate
from minirm.experiments import grids, persona, rungs, runner
from minirm.experiments.designs import DESIGNS
from minirm.experiments.results import Row, load_results
from minirm.models.bases import MAIN, NO_FACTS, RARE, load_base
from minirm.reward_model import RewardModel
from minirm.training.trainer import Trainer
from minirm.worlds.language_model import new_model
from minirm.worlds.persona import training_pairs, world_questions

ZERO_AT_START = tuple(
    rung
    for rung in rungs.RUNGS
    if rung.endswith("zero head")
    or (rung.startswith("implicit") and rung != "implicit, no reference")
)
"""Rewards that are 0 for every answer until they are trained."""

FILES = (
    "ladder", "beside", "agreement", "counterbalanced", "rare", "no-facts", "controls", "shuffled",
    "random", "untrained", "no-softmax", "crossed-eos",
)  # fmt: skip
WORLDS: Mapping[str, str] = {
    **dict.fromkeys(MAIN, "main world"),
    **dict.fromkeys(NO_FACTS, "no facts"),
    **dict.fromkeys(RARE, "rare openings"),
}
DOSES: Mapping[str, float] = {
    name: DESIGNS[name].agreement
    for name in ("all prefixes", "agreement .75", "agreement .9", "agreement .99", "paper")
}


@dataclass(frozen=True)
class Run:
    """One training run.

    Args:
        base: a language model, as for ``load_base``, or "random": the small world's architecture
            with weights that were never trained, drawn from the seed.
        design: a key of ``DESIGNS``, or "untrained" for a reward that has not been trained.
        reward: one of ``rungs.RUNGS``.
        seed: draws the questions, the wordings, a head's start and the batch order.
    """

    base: str = "seed-0"
    design: str = "paper"
    reward: str = "implicit"
    seed: int = 0


def train(run: Run) -> RewardModel:
    """The reward model of a run, trained."""
    base, tokenizer = _base(run)
    model = rungs.new_model(run.reward, base, tokenizer, run.seed)
    if run.design == "untrained":
        return model
    plain = persona.Run
    pairs = DESIGNS[run.design].training_pairs(world_questions(run.seed).train, run.seed)
    Trainer(
        model, pairs, lr=rungs.learning_rate(run.reward), epochs=plain.epochs,
        batch_size=plain.batch_size, seed=run.seed, progress=False,
    ).fit()  # fmt: skip
    return model


def measure(run: Run) -> list[dict[str, Any]]:
    """Train, and return one row: all that ``grids.described`` says, on 40 test prompts.

    Before it stand "trained", the accuracy on the run's own training pairs, and "original", that
    on test questions in the paper's wording.
    """
    model, questions = train(run), world_questions(run.seed)
    design = DESIGNS["paper" if run.design == "untrained" else run.design]
    sets = {
        "trained": design.training_pairs(questions.train, run.seed),
        "original": training_pairs(questions.test, run.seed + 1),
    }
    own = {name: evaluate(model, pairs)["accuracy"] for name, pairs in sets.items()}
    return [{**asdict(run), **own, **grids.described(grids.reward_grid(model, questions.test))}]


def runs(
    bases: Sequence[str], designs: Sequence[str], rewards: Sequence[str], seeds: int
) -> list[Run]:
    """Every combination, but for what has nothing to say: an untrained log-ratio is 0."""
    every = runner.grid(Run, base=bases, design=designs, reward=rewards, seed=range(seeds))
    return [r for r in every if not (r.design == "untrained" and r.reward in ZERO_AT_START)]


def _base(run: Run) -> tuple[Any, Any]:
    if run.base != "random":
        return load_base(run.base)
    _, tokenizer = load_base()
    return new_model(len(tokenizer), run.seed), tokenizer


def table(rows: Sequence[Row]) -> str:
    """Shares and accuracies of each reward by base and design, as text; intervals over seeds."""
    values = ("meaning", "opening", "paraphrase", "swapped", "accuracy")
    return runner.table(rows, by=("base", "design"), line="reward", values=values)


def load_runs() -> list[dict[str, Any]]:
    """The book's runs, of all its files, with two columns more.

    "world" says in words where the base comes from. "agreement" is the share of training responses
    that open in a prefix of their own side, where all four prefixes of the paper are in use; else
    None.
    """
    rows = [row for name in FILES for row in load_results(f"results/{name}.json")[1]]
    return [
        {
            **row,
            "world": WORLDS.get(row["base"], row["base"]),
            "agreement": DOSES.get(row["design"]),
        }
        for row in rows
    ]
