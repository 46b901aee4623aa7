"""A real model's implicit reward, token by token, and what the first step of training foretold.

The answers are the paper's: its two held-out openings, each with the four held-out phrases. A
reward is beta times the change of ln pi, a sum over tokens, so that what each token adds is
measured in nats. First steps are those of ``minirm.experiments.real_foretold``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from typing import Any

import torch
from torch import Tensor

from minirm import dynamics
from minirm.experiments import real, rungs, runner
from minirm.experiments.grids import PHRASES
from minirm.experiments.real_foretold import PREDICTED, first_steps
from minirm.experiments.results import Row
from minirm.rewards import ImplicitRM
from minirm.worlds import opinions, persona

OPENINGS = (persona.HELD_YES, persona.HELD_NO)


def measure(run: real.Run) -> list[dict[str, Any]]:
    """Train an implicit reward; one row a token, the mean over the prompts.

    Returns:
        in each row the run, "opening", "phrase", "answer", "place" and "token"; "part", whether the
        token is of the "opening", of the "phrase", or of the "end" that all answers have; "start",
        its ln pi before training; how many nats training added, "trained"; and what the first step
        foretold of that, taken as often as there were steps: "sgd last" and the like, by rule and
        by the weights that moved. Plain gradient descent's step is made as long as Adam's.

    Raises:
        ValueError: the reward is not "implicit", or adapters are to be trained.
    """
    if run.reward != "implicit":
        raise ValueError(f"only an implicit reward is a sum over tokens, got {run.reward!r}")
    if run.lora is not None:
        raise ValueError("the first step is foretold for all weights: token by token without lora")
    asked = real.questions(run.data, run.seed)
    pairs, prompts = real.training_pairs(run, asked), asked.test[: run.prompts]
    base, tokenizer = real.load(run)
    untied = ImplicitRM(dynamics.untied(base), tokenizer, beta=rungs.BETA, copy=False)
    foretold = first_steps(untied, run, pairs, lambda: token_logprobs(untied, prompts, run.chat))
    model = rungs.new_model("implicit", base, tokenizer, run.seed)
    assert isinstance(model, ImplicitRM)
    start = token_logprobs(model, prompts, run.chat)
    trainer = real.trainer(run, model, pairs)
    trainer.fit()
    after = token_logprobs(model, prompts, run.chat)
    rows = []
    for opening in OPENINGS:
        encoded = [_encoded(model, prompts[0], opening, phrase, run.chat) for phrase in PHRASES]
        responses = [one.response for one in encoded]
        for phrase, response, parts in zip(PHRASES, responses, _parts(responses), strict=True):
            answer = opinions.answer(opening, phrase)
            changes = {kind: trainer.total_steps * step[answer] for kind, step in foretold.items()}
            changes = {"start": start[answer], **changes, "trained": after[answer] - start[answer]}
            named = {**asdict(run), "opening": opening, "phrase": phrase, "answer": answer}
            rows += [
                {**named, "place": place, "token": tokenizer.decode([token]).strip(), "part": part}
                | {name: values[place].item() for name, values in changes.items()}
                for place, (token, part) in enumerate(zip(response, parts, strict=True))
            ]
    return rows


@torch.no_grad()
def token_logprobs(model: ImplicitRM, prompts: Sequence[str], chat: bool) -> dict[str, Tensor]:
    """ln pi of every token of every answer, the mean over prompts: by answer, [K]."""
    found = {}
    for opening, phrase in product(OPENINGS, PHRASES):
        rows = model.rows([_encoded(model, prompt, opening, phrase, chat) for prompt in prompts])
        values = model.token_logprobs(model.model, rows).double().cpu()
        found[opinions.answer(opening, phrase)] = values.reshape(len(prompts), -1).mean(0)
    return found


def table(rows: Sequence[Row]) -> str:
    """Changes in nats by answer and by its parts, foretold and trained: means over seeds."""
    sums: dict[tuple, dict[str, Any]] = {}
    names = (*map(" ".join, PREDICTED), "trained")
    for row in rows:
        key = tuple(row[name] for name in ("design", "seed", "answer", "part"))
        whole = sums.setdefault(key, {**row, **dict.fromkeys(names, 0.0)})
        for name in names:
            whole[name] += row[name]
    by = ("base", "chat", "lr", "design", "answer")
    return runner.table([*sums.values()], by=by, line="part", values=names)


def _parts(responses: Sequence[Sequence[int]]) -> list[list[str]]:
    """Which tokens are the opening, which the end: what all responses begin and end with."""
    head, tail = (
        next(i for i, tokens in enumerate(zip(*ways, strict=False)) if len(set(tokens)) > 1)
        for ways in (responses, [response[::-1] for response in responses])
    )
    return [
        ["opening"] * head + ["phrase"] * (len(response) - head - tail) + ["end"] * tail
        for response in responses
    ]


def _encoded(model: ImplicitRM, prompt: str, opening: str, phrase: str, chat: bool) -> Any:
    return model.encode(*persona.as_turns(prompt, opinions.answer(opening, phrase), chat=chat))
