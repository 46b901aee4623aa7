"""``minirm experiment``: the book's experiments, each in a file of its own."""

from __future__ import annotations

import argparse

from minirm.commands import (
    experiment_answers_alone,
    experiment_controls,
    experiment_foretold,
    experiment_hamiltonian,
    experiment_openings,
    experiment_persona,
    experiment_real,
    experiment_separators,
    experiment_shifts,
    experiment_wordings,
)

IN_ORDER = (
    experiment_persona,
    experiment_controls,
    experiment_foretold,
    experiment_openings,
    experiment_wordings,
    experiment_separators,
    experiment_real,
    experiment_shifts,
    experiment_answers_alone,
    experiment_hamiltonian,
)


def add(commands: argparse._SubParsersAction) -> None:
    experiment = commands.add_parser("experiment", help="repeat one of the book's experiments")
    names = experiment.add_subparsers(metavar="NAME", required=True)
    for one in IN_ORDER:
        one.add(names)
