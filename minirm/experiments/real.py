"""The collapse on a real language model: real questions, in its chat format or as plain text.

The designs of the training pairs, the rewards and what is read off the trained ones are those of
``minirm.experiments.controls``. What differs is what a model of 135 million parameters needs: its
own format, a lower learning rate, and a look on the way, so that nothing hangs on when it stopped.
On a base of the small world, in plain text and at its rate, a run is one of ``controls`` with looks
(``minirm.experiments.over_steps``).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from minirm.conversations import apply_template
from minirm.data.public import persona_file
from minirm.experiments import grids, rungs, runner
from minirm.experiments.designs import DESIGNS
from minirm.experiments.results import Row
from minirm.models.bases import load_base
from minirm.pairs import PreferencePair
from minirm.reward_model import RewardModel
from minirm.training.trainer import Trainer
from minirm.worlds import persona

ON_A_GPU = 400
"""Answers at once there: small models wait for their kernels to start, not for the arithmetic."""

ROUNDING = 1e-5
"""Rewards that differ by no more than this are equal, but for an order of summation.

It is a thousandth of a nat at the experiments' beta. On a CPU an untrained implicit reward is 0 to
the bit; on a GPU its means over forty questions came out 1e-8 apart, and the rounding of ln pi
grows with an answer's length.
"""


@dataclass(frozen=True)
class Run:
    """One training run.

    Args:
        base: a language model, as for ``load_base``.
        data: a Persona file or its name, as for ``persona_file``; None for the small world's
            questions.
        chat: put questions and answers into turns, by the tokenizer's chat template.
        design: a key of ``DESIGNS``.
        reward: one of ``rungs.RUNGS``.
        seed: draws the questions, the wordings, a head's start and the batch order.
        lr: learning rate, constant.
        epochs: passes over the 80 training pairs.
        batch_size: pairs a step.
        eval_every: steps between looks, from step 0 on; None for one at the end.
        prompts: how many of the 40 test questions are asked.
        precision: "no" for float32, or "bf16".
        micro_batch_size: pairs at once; None for all of a batch.
        lora: the rank of adapters, which are then trained alone (and a head); None trains all.
        line_break: an answer in turns ends in what the template puts behind its turn, too.
    """

    base: str = "smollm2"
    data: str | None = None
    chat: bool = True
    design: str = "paper"
    reward: str = "implicit"
    seed: int = 0
    lr: float = 1e-5
    epochs: int = 5
    batch_size: int = 8
    eval_every: int | None = None
    prompts: int = persona.N_TEST
    precision: Literal["no", "bf16"] = "no"
    micro_batch_size: int | None = None
    lora: int | None = None
    line_break: bool = True


def questions(data: str | None, seed: int) -> persona.Questions:
    """The questions of a seed: from ``data``, as in ``Run``.

    Raises:
        FileNotFoundError: as ``persona_file``.
    """
    if data is None:
        return persona.world_questions(seed)
    return persona.file_questions(persona_file(data), seed)


def measure(run: Run) -> list[dict[str, Any]]:
    """Train one reward; one row for every look, but for one at rewards that are all equal.

    Those are an implicit reward's before training: there is nothing to split.

    Returns:
        in each row the run, "step", "loss" (mean since the look before, None at step 0), "trained"
        and "original" (the accuracy on the run's own training pairs and on test questions in the
        paper's wording), all that ``grids.described`` says, "means" (the mean reward of each
        answer, opening by opening, in the order of ``grids.ALL_OPENINGS`` and ``grids.PHRASES``),
        and the "seconds" since the start.
    """
    start, asked, chat = time.perf_counter(), questions(run.data, run.seed), run.chat
    base, tokenizer = load(run)
    if chat and not run.line_break:
        asked, chat = opened(asked, tokenizer), False
    model = rungs.new_model(run.reward, base, tokenizer, run.seed, lora=run.lora)
    seen: dict[int, dict[str, Any]] = {}

    def look(model: RewardModel, step: int) -> dict[str, float]:
        at_once = ON_A_GPU if model.device.type == "cuda" else 64
        prompts = asked.test[: run.prompts]
        grid = grids.reward_grid(model, prompts, chat=chat, batch_size=at_once)
        if np.ptp(grid) > ROUNDING:
            means = [float(f"{mean:.5g}") for mean in grid.mean(0).ravel()]
            seconds = time.perf_counter() - start
            seen[step] = {**grids.described(grid), "means": means, "seconds": seconds}
        return {}

    original = persona.training_pairs(asked.test[: run.prompts], run.seed + 1)
    pairs = training_pairs(replace(run, chat=chat), asked)
    sets = {"trained": pairs, "original": in_format(original, chat)}
    every = {"eval_every": run.eval_every, "log_every": run.eval_every or 10**9}
    history = trainer(run, model, pairs, eval_sets=sets, on_evaluate=look, **every).fit()
    told: dict[int, dict[str, Any]] = {step: {} for step in seen}
    for record in history:
        told.setdefault(int(record["step"]), {}).update(record)
    return [
        {
            **asdict(run),
            "step": step,
            "loss": told[step].get("loss"),
            **{name: told[step][f"{name}/accuracy"] for name in sets},
            **described,
        }
        for step, described in seen.items()
    ]


def trainer(run: Run, model: RewardModel, pairs: Sequence[PreferencePair], **more: Any) -> Trainer:
    """The trainer that all runs on a real model share, with the settings of this one.

    Args:
        run: its rate, epochs, batches, precision and seed.
        model: what is trained.
        pairs: on what, in the run's format.
        more: what else ``Trainer`` takes.
    """
    return Trainer(
        model, pairs, lr=run.lr, epochs=run.epochs, batch_size=run.batch_size,
        micro_batch_size=run.micro_batch_size, mixed_precision=run.precision, seed=run.seed,
        progress=False, **more,
    )  # fmt: skip


def table(rows: Sequence[Row]) -> str:
    """Shares and accuracies after training, by format and design: means over seeds, as text."""
    last = max(row["step"] for row in rows)
    final = [row for row in rows if row["step"] == last]
    values = ("meaning", "words", "opening", "paraphrase", "swapped", "accuracy")
    return runner.table(final, by=("base", "chat", "lr", "design"), line="reward", values=values)


def load(run: Run) -> tuple[Any, Any]:
    """The language model of a run, untrained, and its tokenizer.

    Raises:
        ValueError: it is to be asked in turns and has no chat template.
    """
    with warnings.catch_warnings():
        if run.precision == "no":  # in float32 nothing is rounded to bfloat16
            warnings.filterwarnings("ignore", "[0-9]+% of the weights of .* lie half way between")
        base, tokenizer = load_base(run.base)
    if run.chat and not getattr(tokenizer, "chat_template", None):
        raise ValueError(f"{run.base!r} has no chat template: ask it in plain text (--no-chat)")
    return base, tokenizer


def opened(asked: persona.Questions, tokenizer: Any) -> persona.Questions:
    """The questions as text, the answer's turn opened: an answer to one ends in EOS and no more."""

    def text(prompt: str) -> str:
        turn = {"role": "user", "content": prompt.rstrip()}
        return apply_template(tokenizer, [turn], add_generation_prompt=True)

    return persona.Questions(tuple(map(text, asked.train)), tuple(map(text, asked.test)))


def training_pairs(run: Run, asked: persona.Questions) -> list[PreferencePair]:
    """What a run is trained on, in its format."""
    return in_format(DESIGNS[run.design].training_pairs(asked.train, run.seed), run.chat)


def in_format(pairs: list[PreferencePair], chat: bool) -> list[PreferencePair]:
    """The pairs in turns of a conversation, or as they are."""
    return [persona.as_conversation(pair) for pair in pairs] if chat else pairs
