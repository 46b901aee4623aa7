"""``minirm experiment controls``."""

from __future__ import annotations

import argparse

from minirm.commands.experiment_runs import add_run_arguments, measure_all
from minirm.commands.shared import count


def add(names: argparse._SubParsersAction) -> None:
    controls = names.add_parser(
        "controls",
        help="the paraphrase collapse with one part of it taken away",
        description="Train reward models on Persona pairs without the word My, with one prefix on "
        "both sides, with the mean over all positions or without a reference, on every bundled "
        "base, and ask them as in the experiment persona.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    controls.add_argument(
        "--seeds", type=count, default=1, metavar="N", help="how many seeds, from 0 on"
    )
    add_run_arguments(controls)
    controls.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from minirm.experiments import controls

    runs = controls.runs(options.seeds)
    print(controls.table(measure_all("controls", controls.measure, runs, options)))
    if options.output is not None:
        print(f"written: {options.output}")
