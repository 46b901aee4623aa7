"""``minirm experiment persona``."""

from __future__ import annotations

import argparse
from pathlib import Path

from minirm.commands.shared import count


def add(names: argparse._SubParsersAction) -> None:
    persona = names.add_parser(
        "persona",
        help="the paraphrase collapse (paper, section 5.1) with its controls",
        description="Train an explicit and an implicit reward model on the Persona pairs and ask "
        "them in wordings that they were not trained on. Several values of --model, --beta or "
        "--lr are all combined.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = persona.add_argument
    add(
        "--model",
        nargs="+",
        default=["seed-0"],
        metavar="NAME_OR_FOLDER",
        help="a bundled base, a local folder, or a causal LM on the hub",
    )
    add("--data", metavar="FILE", help="a Persona file (JSON lines); else the small world")
    add("--seeds", type=count, default=1, metavar="N", help="how many seeds, from 0 on")
    add("--reward", nargs="+", default=["explicit", "implicit"], choices=("explicit", "implicit"))
    add("--beta", nargs="+", type=float, default=[0.01])
    add("--lr", nargs="+", type=float, default=[3e-5])
    add("--epochs", type=count, default=15)
    add("--batch-size", type=count, default=8)
    add("--eval-every", type=count, metavar="STEPS", help="record accuracy during training too")
    add("--jobs", type=count, default=1, help="runs at once, one thread each")
    add("--output", type=Path, metavar="FILE", help="write a results file")
    persona.set_defaults(run=run)  # fmt: skip


def run(options: argparse.Namespace) -> None:
    from minirm.experiments import persona
    from minirm.experiments.results import save_results

    runs = persona.grid(
        options.model, range(options.seeds), options.beta, options.lr, options.reward,
        epochs=options.epochs, batch_size=options.batch_size, data=options.data,
        eval_every=options.eval_every,
    )  # fmt: skip
    rows = persona.measure_all(runs, jobs=options.jobs)
    print(persona.table(rows))
    if options.output is not None:
        save_results(options.output, options.command_line, rows)
        print(f"written: {options.output}")
