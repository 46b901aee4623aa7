"""Room: the command line. Arguments in, one line per error out; the work is done elsewhere."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from minirm import __version__
from minirm.commands import doctor, evaluate, grade, score, train
from minirm.commands.shared import BadCall
from minirm.commands.shared import count as _count

HAMILTONIAN_RUNS = (
    "implicit", "explicit", "orders-only", "beta-1", "implicit-near-miss", "explicit-near-miss",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 1 for a failed run, 2 for a bad call.

    A call is bad where its words alone show it; a file that is not there is a run that failed.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = build_parser()
    options = parser.parse_args(arguments)
    options.command_line = "minirm " + " ".join(arguments)
    try:
        options.run(options)
    except KeyboardInterrupt:
        return _failed("stopped", 1)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or closing it complains
        return 0
    except BadCall as error:
        return _failed(error, 2)
    except (OSError, ValueError, TypeError, ArithmeticError, RuntimeError, ImportError) as error:
        return _failed(error, 1)
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    return 0


def _failed(error: object, status: int) -> int:
    """Say in one line what went wrong; with MINIRM_TRACEBACK=1 show where."""
    if os.environ.get("MINIRM_TRACEBACK") == "1" and isinstance(error, BaseException):
        raise error
    print(f"minirm: {error}", file=sys.stderr)
    return status


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="minirm",
        description="Explicit and implicit reward models, side by side.",
        epilog="`minirm COMMAND --help` explains a command; start with `minirm doctor`.",
    )
    parser.add_argument("--version", action="version", version=f"minirm {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (train, evaluate, score, grade, doctor):
        command.add(commands)
    _add_experiment(commands)
    _add_pretrain(commands)
    return parser


def _add_experiment(commands: argparse._SubParsersAction) -> None:
    experiment = commands.add_parser("experiment", help="repeat one of the book's experiments")
    names = experiment.add_subparsers(metavar="NAME", required=True)
    _add_persona(names)
    _add_hamiltonian(names)


def _add_persona(names: argparse._SubParsersAction) -> None:
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
    add("--seeds", type=_count, default=1, metavar="N", help="how many seeds, from 0 on")
    add("--reward", nargs="+", default=["explicit", "implicit"], choices=("explicit", "implicit"))
    add("--beta", nargs="+", type=float, default=[0.01])
    add("--lr", nargs="+", type=float, default=[3e-5])
    add("--epochs", type=_count, default=15)
    add("--batch-size", type=_count, default=8)
    add("--eval-every", type=_count, metavar="STEPS", help="record accuracy during training too")
    add("--jobs", type=_count, default=1, help="runs at once, one thread each")
    add("--output", type=Path, metavar="FILE", help="write a results file")
    persona.set_defaults(run=_persona)  # fmt: skip


def _add_hamiltonian(names: argparse._SubParsersAction) -> None:
    hamiltonian = names.add_parser(
        "hamiltonian",
        help="checking Hamiltonian cycles against finding them (paper, section 3.2)",
        description="Train reward models to tell a cycle through all vertices of a graph from a "
        "wrong order of them, then ask the implicit one to write such a cycle. Without --model, a "
        "small language model is pretrained first, one for each seed.",
        epilog="The paper's settings: --model EleutherAI/pythia-1b --pairs 1000 --epochs 15 "
        "--lr 1e-6 (its prompts are worded a little differently, its learning rate is constant).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = hamiltonian.add_argument
    add("--n", type=_count, default=10, help="vertices of a graph")
    add("--model", metavar="NAME_OR_FOLDER", help="a local folder, or a causal LM on the hub")
    add("--device", default="auto", choices=("auto", "cpu"), help="auto: a GPU if there is one")
    add("--seeds", type=_count, default=1, metavar="N", help="how many seeds, from 0 on")
    add(
        "--run",
        dest="runs",
        nargs="+",
        default=["implicit", "explicit"],
        choices=HAMILTONIAN_RUNS,
        help="what to train: the implicit or the explicit reward; the implicit one where nothing "
        "but orders of the vertices can be said, or with beta 1; either with wrong answers that "
        "miss a single edge",
    )
    add("--pairs", type=_count, help="training pairs (default: new ones at every step)")
    add("--epochs", type=_count, help="how often each pair is met (default: once)")
    add("--lr", type=float, help="learning rate (default: 0.001)")
    add("--save", type=Path, metavar="FOLDER", help="write the trained models of seed 0")
    add("--output", type=Path, metavar="FILE", help="write a results file")
    hamiltonian.set_defaults(run=_hamiltonian)  # fmt: skip


def _persona(options: argparse.Namespace) -> None:
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


def _hamiltonian(options: argparse.Namespace) -> None:
    from minirm.experiments import hamiltonian
    from minirm.experiments.results import save_results

    if options.device == "cpu":
        os.environ["ACCELERATE_USE_CPU"] = "true"
    changes = {k: getattr(options, k) for k in ("pairs", "epochs", "lr")}
    rows = []
    for seed in range(options.seeds):
        rows += hamiltonian.measure(
            seed, options.runs, model=options.model, n=options.n,
            save=None if seed else options.save,
            **{k: v for k, v in changes.items() if v is not None},
        )  # fmt: skip
    print(hamiltonian.table(rows))
    if options.save is not None:
        first = [row for row in rows if row["seed"] == 0]
        save_results(options.save / "results.json", options.command_line, first)
    if options.output is not None:
        save_results(options.output, options.command_line, rows)
        print(f"written: {options.output}")


def _add_pretrain(commands: argparse._SubParsersAction) -> None:
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
    add("--steps", type=_count, help="of 48 documents each (default: as the bundled models)")
    pretrain.set_defaults(run=_pretrain)


def _pretrain(options: argparse.Namespace) -> None:
    from minirm.worlds import pretraining

    record = pretraining.pretrain(
        options.output,
        seed=options.seed,
        facts=not options.no_facts,
        steps=options.steps or pretraining.STEPS,
    )
    for name, value in record["gate"].items():
        print(f"{name:16} {value:.4f}" if isinstance(value, float) else f"{name:16} {value}")
    if not record["gate"]["passed"]:
        raise ValueError(f"{options.output} is written, but does not pass the gate")


if __name__ == "__main__":
    sys.exit(main())
