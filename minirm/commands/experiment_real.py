"""``minirm experiment real``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from minirm.commands.experiment_runs import (
    add_lora_argument,
    add_persona_argument,
    add_run_arguments,
    check_lora,
    measure_all,
    some_of,
)
from minirm.commands.presets import REAL, add_preset_argument, with_preset
from minirm.commands.shared import BadCall, count, positive

INSTEAD = {
    "tokens": "ask for the paper's two openings instead, token by token, of the implicit reward",
    "foretold": "train nothing: what the first step says that the training will do",
    "phrases": "ask twenty-eight phrases instead of the paper's four, in five of the openings",
}
"""What may be measured instead of the whole grid of answers, each in a module of its own."""


def add(names: argparse._SubParsersAction) -> None:
    real = names.add_parser(
        "real",
        help="the collapse, taken apart, on a real language model",
        description="Train reward models of a real language model on Persona pairs worded in "
        "different ways, and ask them about every held-out answer in twenty openings, as the "
        "experiment controls does. On a GPU where there is one; on one CPU core a run of SmolLM2 "
        "takes some minutes (--prompts 5 asks less). The small world's bases need --no-chat: then "
        "it is controls, look by look. Several values of an option are combined.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add_options(real)
    real.set_defaults(run=run)


def add_options(real: argparse.ArgumentParser) -> None:
    add = real.add_argument
    several: dict[str, Any] = {"nargs": "+", "metavar": "NAME"}
    add_preset_argument(real, REAL)
    add("--bases", "--model", default=["smollm2"], help="models' names or folders", **several)
    add_persona_argument(real)
    add("--chat", action=argparse.BooleanOptionalAction, default=True, help="in the model's turns")
    add(
        "--line-break",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="an answer in turns ends in what the template puts behind its turn, too",
    )
    add(
        "--designs",
        default=["paper", "all prefixes"],
        help="how the training pairs are worded; all: every design",
        **several,
    )
    add(
        "--rewards",
        default=["explicit", "implicit"],
        help="rungs of the ladder from the explicit to the implicit reward; all: every rung",
        **several,
    )
    add("--seeds", type=count, default=1, metavar="N", help="how many seeds, from 0 on")
    add("--lr", nargs="+", type=positive, default=[1e-5])
    add("--epochs", type=count, default=5)
    add("--batch-size", type=count, default=8)
    add("--eval-every", type=count, metavar="STEPS", help="look during training too")
    add("--prompts", type=count, default=40, metavar="N", help="test questions asked, of 40")
    add("--precision", default="no", choices=("no", "bf16"))
    add("--micro-batch-size", type=count, metavar="N", help="pairs at once, for memory's sake")
    add_lora_argument(real)
    instead = real.add_mutually_exclusive_group()
    for name, said in INSTEAD.items():
        instead.add_argument(f"--{name}", action="store_true", help=said)
    add(
        "--dry-run",
        action="store_true",
        help="take a few steps, say how long all runs would take here and in how much memory",
    )
    add_run_arguments(real)


def run(options: argparse.Namespace) -> None:
    from minirm.data.public import persona_file
    from minirm.experiments import real, real_forecast, real_foretold, real_phrases, real_tokens
    from minirm.experiments.designs import DESIGNS
    from minirm.experiments.rungs import RUNGS
    from minirm.experiments.runner import grid
    from minirm.models.bases import resolve

    if options.preset is not None:
        options = with_preset(options, add_options, REAL)
    designs = some_of("--designs", options.designs, DESIGNS)
    rewards = some_of("--rewards", options.rewards, RUNGS)
    asked = _asked_instead(options, rewards)
    check_lora(options, rewards)
    for base in options.bases:
        resolve(base)  # one that is not there shows now, not after the runs of the others
    if options.data is not None:
        persona_file(options.data)
    runs = grid(
        real.Run,
        base=options.bases,
        data=[options.data],
        chat=[options.chat],
        seed=range(options.seeds),
        lr=options.lr,
        design=designs,
        reward=rewards,
        epochs=[options.epochs],
        batch_size=[options.batch_size],
        eval_every=[options.eval_every],
        prompts=[options.prompts],
        precision=[options.precision],
        micro_batch_size=[options.micro_batch_size],
        lora=[options.lora],
        line_break=[options.line_break],
    )
    if options.dry_run:
        slowest = max(runs, key=lambda run: run.reward == "implicit")  # it asks a reference too
        print(real_forecast.forecast(slowest).said(len(runs)))
        return
    other: Mapping[str, Any] = {
        "tokens": real_tokens, "foretold": real_foretold, "phrases": real_phrases
    }  # fmt: skip
    experiment, title = (other[asked], f"real, {asked}") if asked else (real, "real")
    print(experiment.table(measure_all(title, experiment.measure, runs, options)))
    if options.output is not None:
        print(f"written: {options.output}")


def _asked_instead(options: argparse.Namespace, rewards: list[str]) -> str | None:
    """The name of what is measured instead of the grid, if anything is.

    Raises:
        BadCall: it cannot be, with the other options.
    """
    asked = next((name for name in INSTEAD if getattr(options, name)), None)
    if asked == "tokens" and rewards != ["implicit"]:
        raise BadCall("only an implicit reward is a sum over tokens: --tokens --rewards implicit")
    if asked and (options.lora or not options.line_break or options.eval_every):
        raise BadCall(
            f"--{asked} asks whole models and answers, at the end: leave --lora, --no-line-break "
            "and --eval-every out"
        )
    return asked
