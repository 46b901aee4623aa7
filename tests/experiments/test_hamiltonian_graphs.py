"""P(correct) graph by graph: the walks, the comparison, the command and what it recorded."""

import random

import pytest
import torch
from needs import BOOK
from tiny import perturb

from minirm import ImplicitRM
from minirm.cli import main
from minirm.experiments import generation, hamiltonian_graphs
from minirm.experiments import hamiltonian as experiment
from minirm.experiments.results import load_results
from minirm.worlds import hamiltonian as world
from minirm.worlds import language_model

N = 5


def stroll(graph, rng, careful):
    """One walk, step by step: where it ends, with every vertex seen or stuck."""
    path = [rng.choice(sorted(graph))]
    while left := [v for v in graph[path[-1]] if v not in path]:
        if careful:
            ways = {v: sum(u not in path for u in graph[v]) for v in left}
            left = [v for v in left if ways[v] == min(ways.values())]
        path.append(rng.choice(left))
    return path


@pytest.mark.parametrize("careful", [False, True])
def test_a_walk_is_right_as_often_as_its_probability_says(careful):
    puzzles, rng = world.puzzles(3, random.Random(7), n=7, p=0.3), random.Random(0)
    exact = (hamiltonian_graphs.careful_walks if careful else hamiltonian_graphs.walks)(puzzles)
    for puzzle, chance in zip(puzzles, exact, strict=True):
        paths = [stroll(puzzle.graph, rng, careful) for _ in range(2000)]
        right = sum(len(p) == 7 and not world.missing_edges(puzzle.graph, p) for p in paths)
        assert right / 2000 == pytest.approx(chance, abs=0.05)
        assert 0 < chance < 1


def test_a_comparison_is_paired():
    graphs = torch.rand(50, generator=torch.Generator().manual_seed(0)).tolist()
    found = hamiltonian_graphs.compare([g + 0.01 for g in graphs], graphs)
    assert found.difference == found.median_difference == pytest.approx(0.01)
    assert (found.low, found.high) == pytest.approx((0.01, 0.01))  # though graphs differ by up to 1
    assert found.above == 1
    turned = hamiltonian_graphs.compare(graphs, [g + 0.01 for g in graphs])
    assert (turned.difference, turned.above) == (pytest.approx(-0.01), 0)
    with pytest.raises(ValueError, match="two numbers a graph"):
        hamiltonian_graphs.compare([0.1, 0.2], [0.1])


def test_the_command_writes_a_row_a_graph(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(experiment, "N_TEST", 12)
    monkeypatch.setattr(generation, "N_EXACT", 6)
    experiment.evaluation_sets.cache_clear()
    words = world.build_tokenizer(N)
    base = perturb(language_model.new_model(len(words), 0, hidden_size=16), 0.1)
    for part in (base, words):
        part.save_pretrained(tmp_path)
    command = f"experiment hamiltonian --by-graph --n {N} --model {tmp_path} --pairs 32".split()
    output = tmp_path / "out.json"
    assert main([*command, "--run", "orders-only", "--output", str(output)]) == 0
    assert "orders-only, seed 0: mean" in capsys.readouterr().out
    _, rows = load_results(output)
    assert [row["graph"] for row in rows] == list(range(6))
    puzzles = experiment.evaluation_sets(N)["random"][:6]
    masses = generation.correct_mass(ImplicitRM(base, words), puzzles)
    assert [row["reference"] for row in rows] == pytest.approx(masses, rel=1e-4)
    assert [row["random walk"] for row in rows] == pytest.approx(
        hamiltonian_graphs.walks(puzzles), rel=1e-5
    )
    assert all(row["orders-only"] != row["reference"] for row in rows)
    assert main([*command, "--run", "explicit"]) == 1
    assert "has no policy to ask, got explicit" in capsys.readouterr().err
    experiment.evaluation_sets.cache_clear()


def test_the_recorded_graphs_are_those_of_the_other_files():
    """Means over the graphs of the file are the figures that the first file has."""
    folder = BOOK.parents[1] / "results"
    header, rows = load_results(folder / "hamiltonian-graphs.json")
    assert header["command"].startswith("minirm experiment hamiltonian --by-graph --seeds 5 ")
    assert len(rows) == 5 * generation.N_EXACT
    _, known = load_results(folder / "hamiltonian.json")
    known = {(r["seed"], r["run"]): r["value"] for r in known if r["measure"] == "P(correct)"}
    for seed in range(5):
        for run, column in (("orders-only", "orders-only"), ("reference", "reference")):
            own = [row[column] for row in rows if row["seed"] == seed]
            assert sum(own) / len(own) == pytest.approx(known[seed, run], rel=0.02)
    puzzles = world.puzzles(20, random.Random("test"))
    assert [row["random walk"] for row in rows[:20]] == pytest.approx(
        hamiltonian_graphs.walks(puzzles), rel=1e-5
    )
