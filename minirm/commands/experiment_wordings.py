"""``minirm experiment wordings``."""

from __future__ import annotations

import argparse

from minirm.commands.experiment_runs import add_run_arguments, measure_all, some_of
from minirm.commands.shared import count


def add(names: argparse._SubParsersAction) -> None:
    wordings = names.add_parser(
        "wordings",
        help="how much the collapse's numbers depend on the openings and phrases asked about",
        description="Train reward models as the experiment controls does, and ask them in new "
        "openings and in those of the small world, with the paper's phrases and with all others.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add, several = wordings.add_argument, {"nargs": "+", "metavar": "NAME"}
    add("--bases", default=["seed-0"], help="language models", **several)
    add("--designs", default=["paper"], help="as for the experiment controls", **several)
    add("--rewards", default=["explicit", "implicit"], help="likewise", **several)
    add("--seeds", type=count, default=1, metavar="N", help="how many seeds, from 0 on")
    add_run_arguments(wordings)
    wordings.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from minirm.experiments import wordings
    from minirm.experiments.designs import DESIGNS
    from minirm.experiments.rungs import RUNGS
    from minirm.experiments.runner import grid
    from minirm.models.bases import resolve

    for base in options.bases:
        resolve(base)
    runs = grid(
        wordings.Run,
        seed=range(options.seeds),
        base=options.bases,
        design=some_of("--designs", options.designs, DESIGNS),
        reward=some_of("--rewards", options.rewards, RUNGS),
    )
    print(wordings.table(measure_all("wordings", wordings.measure, runs, options)))
    if options.output is not None:
        print(f"written: {options.output}")
