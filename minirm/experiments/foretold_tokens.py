"""Predicted against trained change, token by token, of the two answers that the paper compares.

The implicit reward only: its change is beta times the change of ln pi, a sum over tokens. What the
first step foretells of each token shows where the theory sees the cause, and a training without
the token that the theory blames shows whether it is one.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from minirm.experiments import foretold, runner
from minirm.experiments.results import Row
from minirm.first_order import slopes
from minirm.models.bases import COMMON
from minirm.rewards import ImplicitRM
from minirm.worlds import opinions, persona

ANSWERS = (
    opinions.answer(persona.HELD_YES, persona.YES[0]),
    opinions.answer(persona.HELD_NO, persona.NO[1]),
)
"""The right one and the wrong one of one comparison."""
DESIGNS_ASKED = ("paper", "no My")
PREDICTED = tuple((step, part) for step in ("sgd", "adam") for part in ("last", "trunk"))


@dataclass(frozen=True)
class Run:
    """One training run of the implicit reward.

    Args:
        base: a language model, as for ``load_base``.
        design: a key of ``DESIGNS``.
        seed: draws the questions, the wordings and the batch order.
    """

    base: str = "seed-0"
    design: str = "paper"
    seed: int = 0


def runs(
    seeds: int, bases: Sequence[str] = COMMON, designs: Sequence[str] = DESIGNS_ASKED
) -> list[Run]:
    """Every design on every base, one seed after another."""
    return runner.grid(Run, seed=range(seeds), base=bases, design=designs)


def measure(run: Run) -> list[dict[str, Any]]:
    """One row a token: changes of ln pi in nats, the mean over the prompts.

    "sgd last" and the like are what first-order theory foretells of a step and a part of the
    weights, as ``foretold.directions`` has them; "trained" is what training did.
    """
    whole = foretold.Run(run.base, run.design, "implicit", run.seed)
    model, pairs, prompts = foretold.untrained(whole)
    assert isinstance(model, ImplicitRM)
    start = copy.deepcopy(model)
    steps = foretold.train(model, pairs, run.seed)
    ways = foretold.directions(start, model, pairs, steps)
    rows = []
    for answer in ANSWERS:
        tokens = start.encode(prompts[0], answer).response
        before = _logprobs(start, prompts, answer)
        predicted = slopes(start, before, [ways[kind] for kind in PREDICTED])
        with torch.no_grad():
            trained = _logprobs(model, prompts, answer) - before
        for place, (token, foreseen) in enumerate(zip(tokens, predicted.tolist(), strict=True)):
            named = {" ".join(k): v for k, v in zip(PREDICTED, foreseen, strict=True)}
            word = start.tokenizer.decode([token]).strip()
            rows.append(
                {**asdict(run), "answer": answer, "place": place, "token": word}
                | named
                | {"trained": trained[place].item()}
            )
    return rows


def table(rows: Sequence[Row]) -> str:
    """Changes in nats, token by token: seeds averaged, t intervals over bases."""
    named = [{**row, "word": f"{row['place']} {row['token']}"} for row in rows]
    values = (*map(" ".join, PREDICTED), "trained")
    return runner.table(named, by=("design", "answer"), line="word", values=values, unit="base")


def _logprobs(model: ImplicitRM, prompts: Sequence[str], answer: str) -> Tensor:
    """ln pi of each token of ``answer``, the mean over prompts: [K], with gradient."""
    rows = model.rows([model.encode(prompt, answer) for prompt in prompts])
    return model.token_logprobs(model.model, rows).reshape(len(prompts), -1).mean(0)
