"""``minirm experiment openings``."""

from __future__ import annotations

import argparse

from minirm.commands.experiment_runs import add_run_arguments, measure_all


def add(names: argparse._SubParsersAction) -> None:
    openings = names.add_parser(
        "openings",
        help="how surprising the experiment's openings are to a language model",
        description="The log-probability of each training prefix and held-out opening of the "
        "Persona experiment, as the beginning of an answer to questions of the small world.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    openings.add_argument(
        "--bases", nargs="+", metavar="NAME", default=["seed-0"], help="language models"
    )
    add_run_arguments(openings)
    openings.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from minirm.experiments import known_openings
    from minirm.models.bases import resolve

    for base in options.bases:
        resolve(base)
    runs = [known_openings.Run(base) for base in dict.fromkeys(options.bases)]
    print(known_openings.table(measure_all("openings", known_openings.measure, runs, options)))
    if options.output is not None:
        print(f"written: {options.output}")
