"""``minirm experiment hamiltonian``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from minirm.commands.experiment_runs import add_run_arguments, measure_all
from minirm.commands.shared import count, positive

HAMILTONIAN_RUNS = (
    "implicit", "explicit", "orders-only", "beta-1", "implicit-near-miss", "explicit-near-miss",
)  # fmt: skip


def add(names: argparse._SubParsersAction) -> None:
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
    add("--n", type=count, default=10, help="vertices of a graph")
    add("--model", metavar="NAME_OR_FOLDER", help="a local folder, or a causal LM on the hub")
    add("--device", default="auto", choices=("auto", "cpu"), help="auto: a GPU if there is one")
    add("--seeds", type=count, default=1, metavar="N", help="how many seeds, from 0 on")
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
    add("--pairs", type=count, help="training pairs (default: new ones at every step)")
    add("--epochs", type=count, help="how often each pair is met (default: once)")
    add("--lr", type=positive, help="learning rate (default: 0.001)")
    add(
        "--by-graph",
        action="store_true",
        help="measure one thing only: on each of the first 200 test graphs the exact probability "
        "of a right answer, of every policy and of a random walk",
    )
    add("--save", type=Path, metavar="FOLDER", help="write the trained models of seed 0")
    add_run_arguments(hamiltonian)
    hamiltonian.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from minirm.experiments import hamiltonian, hamiltonian_graphs
    from minirm.experiments.results import save_results

    if options.device == "cpu":
        os.environ["ACCELERATE_USE_CPU"] = "true"
    trials = [
        hamiltonian.Trial(
            seed=seed,
            runs=tuple(dict.fromkeys(options.runs)),
            model=options.model,
            n=options.n,
            pairs=options.pairs,
            epochs=options.epochs,
            lr=options.lr,
            save=None if seed or options.save is None else str(options.save),
        )
        for seed in range(options.seeds)
    ]
    if options.by_graph:
        by_graph = hamiltonian_graphs
        print(
            by_graph.table(measure_all("hamiltonian by graph", by_graph.measure, trials, options))
        )
        return
    rows = measure_all("hamiltonian", hamiltonian.measure, trials, options)
    print(hamiltonian.table(rows))
    if options.save is not None:
        first = [row for row in rows if row["seed"] == 0]
        save_results(options.save / "results.json", options.command_line, first)
    if options.output is not None:
        print(f"written: {options.output}")
