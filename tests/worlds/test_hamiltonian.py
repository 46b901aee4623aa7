"""The world of Hamiltonian cycles: what is right, what is wrong, and how many there are."""

import itertools
import random

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networkx.algorithms.isomorphism import GraphMatcher
from tiny import patient

from minirm.worlds import hamiltonian as world

KINDS = ("random", "near miss", "two-opt")
seeds = st.integers(0, 10**6).map(random.Random)


def brute_force(graph):
    """All right orders, by trying every permutation."""
    return {
        order
        for order in itertools.permutations(graph)
        if all(graph.has_edge(order[i - 1], order[i]) for i in range(len(order)))
    }


@patient
@given(seeds, st.integers(3, 7), st.floats(0, 1))
def test_cycles_and_their_readings_are_all_right_orders(rng, n, p):
    graph, hidden = world.hidden_cycle_graph(n, p, rng)
    right = brute_force(graph)
    found = world.cycles(graph)
    assert hidden in right
    assert len(found) * 2 * n == len(right)
    assert {r for cycle in found for r in world.readings(cycle)} == right


@pytest.mark.parametrize("n", [4, 5, 6, 7])
def test_cycles_agree_with_networkx(n):
    """networkx finds every copy of a ring in the graph: each cycle once for each of 2n readings."""
    rng = random.Random(n)
    for _ in range(5):
        graph, _ = world.hidden_cycle_graph(n, 0.4, rng)
        copies = GraphMatcher(graph, nx.cycle_graph(n)).subgraph_monomorphisms_iter()
        edges = {frozenset(frozenset(e) for e in world.closed(list(m))) for m in copies}
        assert len(world.cycles(graph)) == sum(
            len(e) == n and nx.is_connected(nx.from_edgelist(map(tuple, e))) for e in edges
        )


def test_cycles_in_known_graphs():
    assert len(world.cycles(nx.complete_graph(6))) == 60  # 5! / 2
    assert len(world.cycles(nx.cycle_graph(9))) == 1
    assert world.cycles(nx.petersen_graph()) == []


@patient
@given(seeds, st.integers(4, 9), st.floats(0, 0.9), st.sampled_from(KINDS))
def test_no_negative_is_ever_right(rng, n, p, kind):
    graph, hidden = world.hidden_cycle_graph(n, p, rng)
    if kind == "random" and nx.density(graph) == 1:
        with pytest.raises(ValueError, match="complete"):
            world.random_negative(graph, rng)
        return
    if kind == "random":
        wrong = world.random_negative(graph, rng)
    else:
        wrong = {"near miss": world.near_miss, "two-opt": world.two_opt}[kind](graph, hidden, rng)
        if wrong is None:  # says itself that there is none to be had
            assert nx.density(graph) > 0.8 or kind == "near miss"
            return
    assert sorted(wrong) == list(range(n))
    assert wrong not in set(world.readings(hidden))
    missing = world.missing_edges(graph, wrong)
    assert missing
    if kind == "near miss":
        assert len(missing) == 1
    if kind == "two-opt":
        assert len(missing) <= 2
    verdict = world.verify(graph, world.response(wrong))
    assert (verdict.correct, verdict.well_formed) == (False, True)
    assert verdict.missing == tuple(missing)


def test_near_misses_are_found_where_there_are_any():
    """Against a search of all orders, on graphs with few and on a ring with none."""
    rng = random.Random(0)
    for _ in range(30):
        graph, hidden = world.hidden_cycle_graph(6, 0.1, rng)
        exist = any(
            len(world.missing_edges(graph, order)) == 1
            for order in itertools.permutations(range(6))
        )
        assert (world.near_miss(graph, hidden, rng) is not None) == exist
    ring = nx.cycle_graph(8)
    assert world.near_miss(ring, tuple(range(8)), rng) is None
    assert world.two_opt(nx.complete_graph(5), tuple(range(5)), rng) is None


@patient
@given(seeds)
def test_verify_agrees_with_brute_force_on_any_order(rng):
    graph, _ = world.hidden_cycle_graph(5, 0.3, rng)
    right = brute_force(graph)
    for order in itertools.permutations(range(5)):
        assert world.verify(graph, world.response(order)).correct == (order in right)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "left out: 0 1 2 3"),
        ("0 1 2", "left out: 3"),
        ("0 1 2 2", "vertex 2 comes twice"),
        ("0 1 2 3 0", "vertex 0 comes twice"),
        ("0 1 2 4", "'4' is no vertex"),
        ("0 1 2 03", "'03' is no vertex"),
        ("0 1 2 ³", "'³' is no vertex"),
        ("0, 1, 2, 3", "'0,' is no vertex"),
        ("0 1 2 <pad>", "'<pad>' is no vertex"),
        ("0 2 1 3", "no edge 0-2, 1-3"),
    ],
)
def test_verify_says_why(said, reason):
    graph = nx.cycle_graph(4)
    verdict = world.verify(graph, said)
    assert verdict.reason == reason
    assert not verdict.correct
    assert verdict.well_formed == reason.startswith("no edge")


def test_a_right_answer_may_start_anywhere_and_go_either_way():
    graph = nx.cycle_graph(5)
    readings = list(world.readings((0, 1, 2, 3, 4)))
    assert len(set(readings)) == 10
    assert all(world.verify(graph, world.response(r)).correct for r in readings)


@pytest.mark.parametrize("family", world.FAMILIES)
def test_families_have_the_edges_that_they_name(family):
    n, p = world.FAMILIES[family]
    rng = random.Random(0)
    graphs = [world.hidden_cycle_graph(n, p, rng) for _ in range(400)]
    assert all(not world.missing_edges(*pair) for pair in graphs)
    rest = n * (n - 1) / 2 - n
    mean = sum(graph.number_of_edges() - n for graph, _ in graphs) / len(graphs)
    assert mean == pytest.approx(p * rest, abs=4 * (rest * p * (1 - p) / 400) ** 0.5)


@pytest.mark.parametrize(("n", "p"), [(2, 0.2), (10, 1.2), (10, -0.1)])
def test_impossible_graphs_are_refused(n, p):
    with pytest.raises(ValueError, match=str(n if n < 3 else p)):
        world.hidden_cycle_graph(n, p, random.Random(0))


def test_the_walk_s_probability_is_how_often_it_succeeds():
    rng = random.Random(0)
    graph, _ = world.hidden_cycle_graph(7, 0.3, rng)
    expected = sum(world.walk_probability(graph, cycle) for cycle in world.cycles(graph))
    right = brute_force(graph)
    hits = 0
    for _ in range(4000):
        walk = [rng.randrange(7)]
        while ways := [v for v in graph[walk[-1]] if v not in walk]:
            walk.append(rng.choice(ways))
        hits += tuple(walk) in right
    assert 0 < expected < 1
    assert hits / 4000 == pytest.approx(expected, abs=4 * (expected / 4000) ** 0.5)


@pytest.mark.parametrize(("kind", "p"), [("random", 1), ("two-opt", 1), ("near miss", 0)])
def test_graphs_without_a_wrong_order_are_an_error(kind, p):
    with pytest.raises(ValueError, match=f"n = 6, p = {p}.*{kind}"):
        world.puzzles(3, random.Random(0), n=6, p=p, negatives=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_puzzles_hold_together(kind):
    tokenizer = world.build_tokenizer(8)
    for puzzle in world.puzzles(20, random.Random(1), n=8, negatives=kind):
        words = puzzle.pair.prompt.split()
        assert (words[0], words[-1], puzzle.pair.prompt[-1]) == ("Edges:", "Cycle:", " ")
        edges = {tuple(map(int, word.split("-"))) for word in words[1:-1]}
        assert edges == {tuple(sorted(e)) for e in puzzle.graph.edges}
        assert world.verify(puzzle.graph, puzzle.pair.chosen).correct
        assert not world.verify(puzzle.graph, puzzle.pair.rejected).correct
        for text in (puzzle.pair.prompt.rstrip(), puzzle.pair.chosen, puzzle.pair.rejected):
            assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
            assert len(tokenizer(text)["input_ids"]) == len(text.split())


def test_the_pretraining_text_gives_nothing_away():
    rng = random.Random(0)
    documents = [world.document(rng, 8) for _ in range(2000)]
    orders = [(p, a) for p, a in documents if p.endswith("Cycle: ")]
    assert 850 < len(orders) < 1150
    assert all(sorted(answer.split()) == list("01234567") for _, answer in orders)
    right = 0
    for prompt, answer in orders:
        graph = nx.from_edgelist(tuple(map(int, e.split("-"))) for e in prompt.split()[1:-1])
        right += world.verify(graph, answer).correct
    assert right <= 12  # about 0.2 % of random orders are right at n = 8
    for prompt, walk in documents:
        if prompt.endswith("Walk: "):
            visited = walk.split()
            assert len(set(visited)) == len(visited)
            edges = set(prompt.split())
            assert all(f"{min(a, b)}-{max(a, b)}" in edges for a, b in itertools.pairwise(visited))
