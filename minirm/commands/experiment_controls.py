"""``minirm experiment controls``."""

from __future__ import annotations

import argparse

from minirm.commands.experiment_runs import add_run_arguments, measure_all
from minirm.commands.shared import count


def add(names: argparse._SubParsersAction) -> None:
    from minirm.experiments.designs import DESIGNS
    from minirm.experiments.rungs import RUNGS
    from minirm.models.bases import COMMON

    controls = names.add_parser(
        "controls",
        help="the paraphrase collapse taken apart: designs of training, rungs of the ladder",
        description="Train reward models on Persona pairs worded in different ways, and ask them "
        "about every held-out answer in twenty openings: accuracy by condition and over all pairs "
        "of openings, and the share of the reward that is meaning.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    several = {"nargs": "+", "metavar": "NAME"}
    controls.add_argument(
        "--bases", default=COMMON, help="language models; random: untrained", **several
    )
    controls.add_argument(
        "--designs", default=["paper", "one prefix"], choices=[*DESIGNS, "untrained"],
        help=f"how training pairs are worded: {', '.join(DESIGNS)}; untrained: not at all",
        **several,
    )  # fmt: skip
    controls.add_argument(
        "--rewards", default=["explicit", "implicit"], choices=RUNGS,
        help=f"rungs of the ladder: {'; '.join(RUNGS)}", **several,
    )  # fmt: skip
    controls.add_argument(
        "--seeds", type=count, default=1, metavar="N", help="how many seeds, from 0 on"
    )
    add_run_arguments(controls)
    controls.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from minirm.experiments import controls

    runs = controls.runs(options.bases, options.designs, options.rewards, options.seeds)
    print(controls.table(measure_all("controls", controls.measure, runs, options)))
    if options.output is not None:
        print(f"written: {options.output}")
