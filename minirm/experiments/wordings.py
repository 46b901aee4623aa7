"""How much the numbers of the collapse depend on which openings and phrases are asked about.

A reward is trained as in ``minirm.experiments.controls``, and asked in the twenty new openings of
that experiment and in the forty-two that the small world uses, each before the paper's four
held-out phrases and before all that were not trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from minirm import metrics
from minirm.experiments import controls, grids, runner
from minirm.experiments.results import Row
from minirm.worlds import opinions, persona

PROMPTS = 5
OPENINGS: Mapping[str, tuple[str, ...]] = {
    "new": persona.OPENINGS,
    "the world's": opinions.PREFIXES,
    "none": (opinions.BARE,),
}
TRAINED = (*persona.CHOSEN.phrases, *persona.REJECTED.phrases)
SAID: Mapping[str, bool] = {
    phrase: phrase in opinions.YES
    for phrase in (*opinions.YES, *opinions.NO)
    if phrase not in TRAINED
}
"""The twenty-eight phrases of the small world that are not trained on, and whether they say yes."""
PHRASES: Mapping[str, tuple[str, ...]] = {
    "the paper's": (*persona.YES, *persona.NO),
    "all held out": tuple(SAID),
}


@dataclass(frozen=True)
class Run:
    """One training run, as ``controls.Run``."""

    base: str = "seed-0"
    design: str = "paper"
    reward: str = "implicit"
    seed: int = 0


def measure(run: Run) -> list[dict[str, Any]]:
    """Train, and return one row for each set of openings with each set of phrases.

    Returns:
        in each row the run, "openings", "phrases", "same" (accuracy with the same opening on both
        sides), "spread" (standard deviation of the openings' mean rewards), and, but for bare
        phrases, the shares of ``metrics.meaning_share``, "gap", "right", and over all ordered pairs
        of openings "accuracy", "below" (share of pairs at most .1) and "above" (at least .9).
    """
    model = controls.train(controls.Run(**asdict(run)))
    prompts = persona.world_questions(run.seed).test[:PROMPTS]
    rows = []
    for (openings, asked), (phrases, said) in product(OPENINGS.items(), PHRASES.items()):
        grid = grids.reward_grid(model, prompts, asked, said)
        named = {**asdict(run), "openings": openings, "phrases": phrases}
        rows.append({**named, **described(grid, [SAID[w] for w in said])})
    return rows


def described(grid: np.ndarray, right: Sequence[bool]) -> dict[str, Any]:
    """The columns of a row that come from its grid [N, P, W]."""
    says = np.asarray(right)
    yes, no = grid[:, :, says, None], grid[:, :, None, ~says]
    row: dict[str, Any] = {
        "same": float(((yes > no) + 0.5 * (yes == no)).mean()),
        "spread": float(grid.mean(axis=(0, 2)).std()),
    }
    names = ("meaning", "words", "opening", "interaction", "gap", "right")
    if grid.shape[1] == 1:
        return row | dict.fromkeys((*names, "accuracy", "below", "above"))
    share = metrics.meaning_share(grid, right)
    table = metrics.opening_accuracies(grid, right)
    apart = table[~np.eye(len(table), dtype=bool)]
    return row | {
        **{name: getattr(share, name) for name in names},
        "accuracy": float(apart.mean()),
        "below": float((apart <= 0.1).mean()),
        "above": float((apart >= 0.9).mean()),
    }


def table(rows: Sequence[Row]) -> str:
    """Shares and accuracies by openings and phrases, as text; intervals over seeds."""
    asked = [
        {**row, "asked": f"{row['openings']} openings, {row['phrases']} phrases"}
        for row in rows
        if row["meaning"] is not None
    ]
    values = ("meaning", "accuracy", "same")
    return runner.table(asked, by=("base", "design", "reward"), line="asked", values=values)
