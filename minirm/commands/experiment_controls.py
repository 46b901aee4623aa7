"""``minirm experiment controls``."""

from __future__ import annotations

import argparse

from minirm.commands.experiment_runs import add_run_arguments, measure_all, some_of
from minirm.commands.shared import BadCall, count


def add(names: argparse._SubParsersAction) -> None:
    controls = names.add_parser(
        "controls",
        help="the paraphrase collapse taken apart: designs of training, rungs of the ladder",
        description="Train reward models on Persona pairs worded in different ways, and ask them "
        "about every held-out answer in twenty openings: accuracy by condition and over all pairs "
        "of openings, and the share of the reward that is meaning.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = controls.add_argument
    several = {"nargs": "+", "metavar": "NAME"}
    add("--bases", default=["seed-0"], help="language models; random: one never trained", **several)
    add(
        "--designs",
        default=["paper", "one prefix"],
        help="how the training pairs are worded; all: every design; untrained: no training",
        **several,
    )
    add(
        "--rewards",
        default=["explicit", "implicit"],
        help="rungs of the ladder from the explicit to the implicit reward; all: every rung",
        **several,
    )
    add("--seeds", type=count, default=1, metavar="N", help="how many seeds, from 0 on")
    add_run_arguments(controls)
    controls.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from minirm.experiments import controls
    from minirm.experiments.designs import DESIGNS
    from minirm.experiments.rungs import RUNGS
    from minirm.models.bases import resolve

    designs = some_of("--designs", options.designs, DESIGNS, besides=["untrained"])
    rewards = some_of("--rewards", options.rewards, RUNGS)
    for base in options.bases:
        if base != "random":
            resolve(base)  # a folder that is not there shows now, not after the others' runs
    runs = controls.runs(options.bases, designs, rewards, options.seeds)
    if not runs:
        raise BadCall("an implicit reward is 0 for every answer until it is trained")
    print(controls.table(measure_all("controls", controls.measure, runs, options)))
    if options.output is not None:
        print(f"written: {options.output}")
