"""``minirm pretrain``."""

from __future__ import annotations

import argparse
from pathlib import Path

from minirm.commands.shared import count


def add(commands: argparse._SubParsersAction) -> None:
    pretrain = commands.add_parser(
        "pretrain",
        help="train the tiny language model of the small world",
        description="Train a base language model on the world of opinions and write it as a "
        "folder that --model takes; minutes on a laptop, the same bits on the same machine.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = pretrain.add_argument
    add("output", type=Path, metavar="FOLDER", help="a new or empty folder")
    add("--seed", type=int, default=0)
    add("--no-facts", action="store_true", help="the world in which nothing foretells an answer")
    add(
        "--openings",
        choices=("common", "rare"),
        default="common",
        help="how answers begin: in 42 ways; or now and then in any way that their words allow",
    )
    add("--steps", type=count, help="of 48 documents each (default: as the bundled models)")
    pretrain.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from minirm.worlds import pretraining

    record = pretraining.pretrain(
        options.output,
        seed=options.seed,
        facts=not options.no_facts,
        rare=options.openings == "rare",
        steps=options.steps or pretraining.STEPS,
    )
    for name, value in record["gate"].items():
        print(f"{name:16} {value:.4f}" if isinstance(value, float) else f"{name:16} {value}")
    if not record["gate"]["passed"]:
        raise ValueError(f"{options.output} is written, but does not pass the gate")
