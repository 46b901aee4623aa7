"""How surprising the experiment's openings are to each language model, before any reward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from minirm.experiments import runner
from minirm.experiments.results import Row
from minirm.models.bases import load_base
from minirm.worlds.familiarity import familiarity
from minirm.worlds.persona import CHOSEN, OPENINGS, REJECTED, world_questions

PROMPTS = 5
ASKED = (*CHOSEN.prefixes, *REJECTED.prefixes, *OPENINGS)


@dataclass(frozen=True)
class Run:
    """One language model, as for ``load_base``, read as plain text."""

    base: str


def measure(run: Run) -> list[dict[str, Any]]:
    """One row an opening: "total" and "least" (nats), means over questions of the small world."""
    found = familiarity(*load_base(run.base), ASKED, world_questions(0).test[:PROMPTS])
    return [
        {**asdict(run), "opening": f.opening, "total": f.total, "least": f.least} for f in found
    ]


def table(rows: Sequence[Row]) -> str:
    """The totals, as text: a mean over the openings for each base."""
    return runner.table(rows, by=(), line="base", values=("total", "least"), unit="opening")
