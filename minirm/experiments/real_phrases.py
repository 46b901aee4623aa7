"""A real model's rewards, asked with twenty-eight phrases where the paper asks with four.

Four phrases are few to tell meaning by: where one of two wrong ones falls far below the rest, a
reward has a share of meaning and does not know the other. The openings are fewer here, the first
of the twenty, so that a look takes no longer.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from minirm.experiments import grids, real, rungs, runner, wordings
from minirm.experiments.results import Row
from minirm.worlds import persona

OPENINGS = persona.OPENINGS[:5]
PHRASES = tuple(wordings.SAID)


def measure(run: real.Run) -> list[dict[str, Any]]:
    """Train one reward; a row for the paper's four phrases and one for all that are held out.

    Returns:
        in each row the run, "step" and "loss" (that of the last steps), "phrases", what
        ``wordings.described`` says of the answers, "means" (the mean reward of each answer over
        the prompts, opening by opening, the phrases in the order of ``wordings.PHRASES``), and the
        "seconds" since the start.
    """
    start, asked = time.perf_counter(), real.questions(run.data, run.seed)
    model = rungs.new_model(run.reward, *real.load(run), run.seed)
    trainer = real.trainer(run, model, real.training_pairs(run, asked))
    told = trainer.fit()[-1]
    at_once = real.ON_A_GPU if model.device.type == "cuda" else 64
    prompts = asked.test[: run.prompts]
    whole = grids.reward_grid(model, prompts, OPENINGS, PHRASES, chat=run.chat, batch_size=at_once)
    rows = []
    for name, said in wordings.PHRASES.items():
        grid = whole[:, :, [PHRASES.index(phrase) for phrase in said]]
        rows.append(
            {**asdict(run), "step": told["step"], "loss": told["loss"], "phrases": name}
            | wordings.described(grid, [wordings.SAID[phrase] for phrase in said])
            | {"means": [float(f"{mean:.5g}") for mean in grid.mean(0).ravel()]}
            | {"seconds": time.perf_counter() - start}
        )
    return rows


def table(rows: list[Row]) -> str:
    """Shares and accuracies by the phrases asked: means over seeds, as text."""
    named = [{**row, "asked": f"{row['reward']}, {row['phrases']} phrases"} for row in rows]
    values = ("meaning", "words", "opening", "right", "same", "accuracy")
    return runner.table(named, by=("base", "chat", "lr", "design"), line="asked", values=values)
