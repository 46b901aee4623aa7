"""One graph at a time. How likely each policy and a random walk are to be right on each.

A mean over graphs is carried by the easy ones, and a median forgets them; two policies are compared
on the same graph. What is measured here is the pairs, so that a chapter can take any figure of
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np

from minirm.experiments import generation, hamiltonian
from minirm.experiments.hamiltonian import Trial
from minirm.experiments.results import Row
from minirm.metrics import bootstrap_interval
from minirm.rewards import ImplicitRM
from minirm.worlds import hamiltonian as world

WALK = "random walk"


@dataclass(frozen=True)
class Comparison:
    """Two probabilities of a right answer on the same graphs, and their differences.

    Args:
        mean: of the first over the graphs.
        median: of the first over the graphs.
        difference: mean over the graphs of the first less the second.
        low: lower end of the difference's 95 % bootstrap interval over graphs.
        high: its upper end.
        median_difference: over the graphs.
        above: share of the graphs on which the first is the greater one.
    """

    mean: float
    median: float
    difference: float
    low: float
    high: float
    median_difference: float
    above: float


def compare(first: Sequence[float], second: Sequence[float]) -> Comparison:
    """Set one P(correct) against another, graph by graph.

    The interval is over graphs, and so about one policy and others of its kind of graph. It does
    not say how another seed's policy would do.

    Args:
        first: [G], P(correct) of a policy on each graph.
        second: [G], another's, or a walk's, on the same graphs in the same order.

    Raises:
        ValueError: the two differ in length, are empty or hold a NaN.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.shape != b.shape:
        raise ValueError(f"need two numbers a graph, got {a.shape} and {b.shape}")
    low, high = bootstrap_interval((a - b).tolist())
    return Comparison(
        mean=float(a.mean()),
        median=float(np.median(a)),
        difference=float((a - b).mean()),
        low=low,
        high=high,
        median_difference=float(np.median(a - b)),
        above=float((a > b).mean()),
    )


def walks(puzzles: Sequence[world.Puzzle]) -> list[float]:
    """P(correct) of a self-avoiding random walk along edges, for each puzzle's graph: [G]."""
    found = [(p.graph, world.cycles(p.graph)) for p in puzzles]
    return [sum(world.walk_probability(graph, c) for c in cycles) for graph, cycles in found]


def careful_walks(puzzles: Sequence[world.Puzzle]) -> list[float]:
    """The same of a walk that looks one step ahead: [G].

    From any vertex it goes to a neighbour not yet visited from which the fewest ways lead on, and
    draws where several have as few (Warnsdorff's rule, which is two hundred years old and was made
    for the knight's tour). It does no search: a wrong turn is never taken back.
    """
    found = [(p.graph, world.cycles(p.graph)) for p in puzzles]
    return [sum(_carefully(graph, cycle) for cycle in cycles) for graph, cycles in found]


def _carefully(graph: nx.Graph, cycle: world.Order) -> float:
    """How likely the careful walk reads out this one cycle, summed over its 2n readings."""
    total = 0.0
    for order in world.readings(cycle):
        chance = 1 / len(order)
        for i, vertex in enumerate(order[:-1], start=1):
            new = set(graph).difference(order[:i])
            ways = {v: len(new.intersection(graph[v])) for v in new.intersection(graph[vertex])}
            fewest = [v for v in ways if ways[v] == min(ways.values())]
            chance *= (order[i] in fewest) / len(fewest)
        total += chance
    return total


def measure(trial: Trial) -> list[dict[str, Any]]:
    """One row a graph: P(correct) of the walk, of the reference and of each trained policy.

    Args:
        trial: the seed, the runs (of an implicit reward) and what they start from.

    Raises:
        ValueError: a run is an explicit reward's, which has no policy.
    """
    runs = {key: hamiltonian.run_of(trial, key) for key in trial.runs}
    without = [key for key, run in runs.items() if run.reward == "explicit"]
    if without:
        raise ValueError(f"an explicit reward has no policy to ask, got {', '.join(without)}")
    puzzles = hamiltonian.evaluation_sets(trial.n)["random"][: generation.N_EXACT]
    base, tokenizer = hamiltonian.reference(trial)
    start = ImplicitRM(base, tokenizer)
    found = {WALK: walks(puzzles), "reference": generation.correct_mass(start, puzzles)}
    for key, run in runs.items():
        model, _ = hamiltonian.train(run, base, tokenizer)
        assert isinstance(model, ImplicitRM)
        found[key] = generation.correct_mass(model, puzzles)
    return [
        {"seed": trial.seed, "graph": i, "cycles": len(world.cycles(puzzle.graph))}
        | {name: masses[i] for name, masses in found.items()}
        for i, puzzle in enumerate(puzzles)
    ]


def table(rows: Sequence[Row]) -> str:
    """Each policy against the walk, a line a seed, as text."""
    policies = [name for name in rows[0] if name not in ("seed", "graph", "cycles", WALK)]
    lines = []
    for name in policies:
        for seed in dict.fromkeys(row["seed"] for row in rows):
            own = [row for row in rows if row["seed"] == seed]
            c = compare([row[name] for row in own], [row[WALK] for row in own])
            lines.append(
                f"{name}, seed {seed}: mean {c.mean:.3g}, median {c.median:.3g}; less the walk "
                f"{c.difference:+.3f} [{c.low:+.3f}, {c.high:+.3f}], above it on {c.above:.0%}"
            )
    return "\n".join(lines)
