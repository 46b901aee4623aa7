"""Hamiltonian cycles as data (arXiv 2507.07981, section 3.2).

A graph hides a cycle through all its vertices. To check that a given order of the vertices is such
a cycle takes n look-ups; to find one is NP-hard in general. So if any task shows that "generation
is harder than verification" makes a bad judge, this one should.

A prompt lists the edges, a response lists the vertices in the order of the cycle.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import networkx as nx
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from minirm.pairs import PreferencePair

N, P = 10, 0.2  # the paper's
FAMILIES = {"paper": (N, P), "sparser": (N, 0.1), "denser": (N, 0.35), "larger": (N + 2, P)}
"""Number of vertices and probability of an edge, for tests on graphs of another kind."""

Edge = tuple[int, int]
Order = tuple[int, ...]
Negatives = Literal["random", "near miss", "two-opt"]


# ------------------------------------------------------------------------------------- graphs


def hidden_cycle_graph(n: int, p: float, rng: random.Random) -> tuple[nx.Graph, Order]:
    """A graph on 0 .. n - 1 with a hidden cycle, and that cycle.

    The cycle visits the vertices in a random order. Other cycles may arise by chance and are as
    right.

    Args:
        n: vertices, at least 3.
        p: probability of every edge that the cycle does not need.
        rng: all randomness comes from it.

    Raises:
        ValueError: there is no such graph.
    """
    if n < 3:
        raise ValueError(f"a cycle needs at least 3 vertices, got n = {n}")
    if not 0 <= p <= 1:
        raise ValueError(f"p is a probability, got {p!r}")
    cycle = tuple(rng.sample(range(n), n))
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(e for e in itertools.combinations(range(n), 2) if rng.random() < p)
    graph.add_edges_from(closed(cycle))
    return graph, cycle


def closed(order: Sequence[int]) -> list[Edge]:
    """The pairs of neighbours along ``order``, from its last vertex back to the first too."""
    return list(zip(order, [*order[1:], order[0]], strict=True))


def missing_edges(graph: nx.Graph, order: Sequence[int]) -> list[Edge]:
    """The neighbours along ``order`` between which there is no edge."""
    return [(a, b) for a, b in closed(order) if not graph.has_edge(a, b)]


def cycles(graph: nx.Graph) -> list[Order]:
    """All Hamiltonian cycles, each once: from the least vertex on, towards its lesser neighbour.

    By trying every path, which is feasible to n = 12 or so in sparse graphs.
    """
    start, n = min(graph), len(graph)
    found, path, seen = [], [start], {start}

    def extend() -> None:
        if len(path) == n:
            if graph.has_edge(path[-1], start) and path[1] < path[-1]:
                found.append(tuple(path))
            return
        for vertex in sorted(graph[path[-1]]):
            if vertex not in seen:
                path.append(vertex)
                seen.add(vertex)
                extend()
                seen.remove(path.pop())

    extend()
    return found


def readings(cycle: Order) -> Iterator[Order]:
    """The 2n orders that spell one cycle: any start, both directions."""
    for way in (cycle, cycle[::-1]):
        for i in range(len(cycle)):
            yield way[i:] + way[:i]


# ------------------------------------------------------------------------------ right or wrong


@dataclass(frozen=True)
class Verdict:
    """Whether a response is right, and if not, why."""

    reason: str  # "" where it is right
    well_formed: bool  # every vertex exactly once
    missing: tuple[Edge, ...] = ()

    @property
    def correct(self) -> bool:
        return not self.reason


def verify(graph: nx.Graph, response: str) -> Verdict:
    """Check any text in O(n): is it a Hamiltonian cycle of ``graph``?"""
    order: list[int] = []
    for word in response.split():
        if not (word.isdecimal() and int(word) in graph and word == str(int(word))):
            return Verdict(f"{word!r} is no vertex", False)
        if int(word) in order:
            return Verdict(f"vertex {word} comes twice", False)
        order.append(int(word))
    if len(order) < len(graph):
        left = sorted(set(graph) - set(order))
        return Verdict(f"left out: {' '.join(map(str, left))}", False)
    missing = tuple(missing_edges(graph, order))
    named = ", ".join(f"{a}-{b}" for a, b in missing)
    return Verdict(f"no edge {named}" if missing else "", True, missing)


def random_negative(graph: nx.Graph, rng: random.Random) -> Order:
    """A random order of the vertices that is not a cycle (the paper's rejected response).

    Raises:
        ValueError: the graph is complete.
    """
    n = len(graph)
    if graph.number_of_edges() == n * (n - 1) // 2:
        raise ValueError("in a complete graph every order is a cycle, so none can be rejected")
    while not missing_edges(graph, order := rng.sample(range(n), n)):
        pass
    return tuple(order)


def near_miss(graph: nx.Graph, cycle: Order, rng: random.Random) -> Order | None:
    """An order with exactly one missing edge; None if none is met on the way.

    Pósa's rotations lead from one Hamiltonian path to the next: an edge from the path's end back
    to the path turns all that lies behind it around. Wherever the two ends of a path are no
    neighbours, closing it misses exactly that edge.
    """
    path, least = list(cycle), rng.randint(1, len(cycle))
    for step in range(20 * len(path)):
        if not graph.has_edge(path[0], path[-1]):
            if step >= least:
                return rng.choice(list(readings(tuple(path))))
        else:  # a cycle: cut it anywhere
            cut = rng.randrange(len(path))
            path = path[cut:] + path[:cut]
        if rng.random() < 0.5:
            path.reverse()
        turn = path.index(rng.choice(list(graph[path[-1]])))
        path[turn + 1 :] = path[:turn:-1]
    return None


def two_opt(graph: nx.Graph, cycle: Order, rng: random.Random) -> Order | None:
    """A neighbour of the right answer: one stretch of it turned around, so that it is wrong.

    One or two edges are missing. None if every such neighbour is a cycle too.
    """
    cuts = list(itertools.combinations(range(len(cycle) + 1), 2))
    rng.shuffle(cuts)
    for i, j in cuts:
        order = cycle[:i] + cycle[i:j][::-1] + cycle[j:]
        if missing_edges(graph, order):
            return order
    return None


# ---------------------------------------------------------------------------------------- text


def prompt(graph: nx.Graph, rng: random.Random | None = None, task: str = "Cycle:") -> str:
    """``"Edges: 0-7 3-4 ... Cycle: "``, in the order of ``rng``, or sorted without one."""
    edges = sorted(f"{min(e)}-{max(e)}" for e in graph.edges)
    if rng is not None:
        rng.shuffle(edges)
    return f"Edges: {' '.join(edges)} {task} "


def response(order: Sequence[int]) -> str:
    """``"3 1 4 ..."``."""
    return " ".join(map(str, order))


@dataclass(frozen=True)
class Puzzle:
    """A graph, the cycle that was hidden in it, a wrong order, and the pair made of them."""

    graph: nx.Graph
    cycle: Order
    wrong: Order
    pair: PreferencePair


def puzzles(
    count: int, rng: random.Random, *, n: int = N, p: float = P, negatives: Negatives = "random"
) -> list[Puzzle]:
    """``count`` graphs, each with its preference pair; the prompt lists edges in random order.

    Graphs that have no such wrong order are passed over.

    Args:
        count: how many.
        rng: all randomness comes from it.
        n: vertices of a graph.
        p: probability of an edge that the hidden cycle does not need.
        negatives: what kind of wrong order the rejected response is.

    Raises:
        ValueError: nearly all graphs have none.
    """
    result: list[Puzzle] = []
    for _ in range(100 * count):
        graph, cycle = hidden_cycle_graph(n, p, rng)
        if negatives != "random":
            wrong = {"near miss": near_miss, "two-opt": two_opt}[negatives](graph, cycle, rng)
        else:
            wrong = random_negative(graph, rng) if nx.density(graph) < 1 else None
        if wrong is not None:
            pair = PreferencePair(prompt(graph, rng), response(cycle), response(wrong))
            result.append(Puzzle(graph, cycle, wrong, pair))
        if len(result) == count:
            return result
    raise ValueError(f"hardly any graph with n = {n}, p = {p} has a wrong order: {negatives}")


def walk_probability(graph: nx.Graph, cycle: Order) -> float:
    """How likely a self-avoiding random walk along edges reads out this one cycle.

    It starts anywhere and goes on to any neighbour that it has not visited; summed over the 2n
    readings.
    """
    total = 0.0
    for order in readings(cycle):
        chance = 1 / len(order)
        for i, vertex in enumerate(order[:-1]):
            chance /= len(set(graph[vertex]).difference(order[:i]))
        total += chance
    return total


def document(rng: random.Random, n: int = N, p: float = P) -> tuple[str, str]:
    """Text for a model that shall know the form and no answer: a prompt and what follows it.

    After ``Cycle:`` comes a random order of the vertices, whatever the edges. After ``Walk:``, half
    of the time, comes a random walk along edges to vertices not yet visited, until there are none:
    it teaches to read edges.
    """
    graph, _ = hidden_cycle_graph(n, p, rng)
    if rng.random() < 0.5:
        return prompt(graph, rng), response(rng.sample(range(n), n))
    walk = [rng.randrange(n)]
    while onwards := [v for v in graph[walk[-1]] if v not in walk]:
        walk.append(rng.choice(onwards))
    return prompt(graph, rng, "Walk:"), response(walk)


def words(n: int = N) -> list[str]:
    """The vocabulary of the tiny model: specials, vertices, edges, and what opens a list."""
    edges = [f"{a}-{b}" for a, b in itertools.combinations(range(n), 2)]
    return ["<pad>", "Edges:", "<eos>", *map(str, range(n)), *edges, "Cycle:", "Walk:"]


def build_tokenizer(n: int = N) -> PreTrainedTokenizerFast:
    """One token a word, for ``words(n)`` and no others; "Edges:", every prompt's first, is BOS."""
    model = models.WordLevel({word: i for i, word in enumerate(words(n))})
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="Edges:",
        eos_token="<eos>",
        clean_up_tokenization_spaces=False,
    )
