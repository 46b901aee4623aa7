"""``minirm experiment foretold``."""

from __future__ import annotations

import argparse

from minirm.commands.experiment_runs import add_run_arguments, measure_all
from minirm.commands.shared import BadCall, count


def add(names: argparse._SubParsersAction) -> None:
    foretold = names.add_parser(
        "foretold",
        help="what one step foretells of a training, against its outcome",
        description="Foretell, from the gradient at the start, how training on Persona pairs "
        "changes the rewards of answers in 20 held-out openings; train; and compare over all 380 "
        "ordered pairs of openings, in sign and in size.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    option = foretold.add_argument
    option("--seeds", type=count, default=1, metavar="N", help="how many seeds, from 0 on")
    option("--bases", nargs="+", metavar="BASE", help="language models; left out: four of ours")
    option(
        "--designs",
        nargs="+",
        metavar="DESIGN",
        help="how the training pairs are worded; left out: those of the book",
    )
    option(
        "--tokens",
        action="store_true",
        help="ask for the paper's two answers instead, token by token, of the implicit reward",
    )
    add_run_arguments(foretold)
    foretold.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from minirm.experiments import foretold, foretold_tokens
    from minirm.experiments.designs import DESIGNS

    if unknown := [name for name in options.designs or () if name not in DESIGNS]:
        raise BadCall(f"no design is called {unknown[0]!r}; there are {', '.join(DESIGNS)}")
    experiment = foretold_tokens if options.tokens else foretold
    name = "foretold, tokens" if options.tokens else "foretold"
    chosen = {"bases": options.bases, "designs": options.designs}
    runs = experiment.runs(options.seeds, **{k: v for k, v in chosen.items() if v})
    print(experiment.table(measure_all(name, experiment.measure, runs, options)))
    if options.output is not None:
        print(f"written: {options.output}")
