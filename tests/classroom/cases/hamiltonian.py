"""Solutions and wrong answers of the chapter "Hamiltonian cycles"."""

import itertools


def is_cycle(n, joined, order):
    if sorted(order) != list(range(n)):
        return False
    return all(joined(order[i - 1], order[i]) for i in range(n))


def wrong_order(graph, cycle, rng):
    while True:
        order = rng.sample(sorted(graph), len(graph))
        if not all(graph.has_edge(order[i - 1], order[i]) for i in range(len(order))):
            return order


CASES = {
    "verifier": (
        is_cycle,
        [
            lambda n, joined, order: False,
            lambda n, joined, order: (
                set(order) == set(range(n)) and all(map(joined, order, order[1:]))
            ),
            lambda n, joined, order: all(joined(order[i - 1], order[i]) for i in range(len(order))),
            lambda n, joined, order: (
                len(order) == n and all(joined(order[i - 1], order[i]) for i in range(n))
            ),
            lambda n, joined, order: sorted(order) == list(range(n)),
            lambda n, joined, order: (
                [joined(a, b) for a in order for b in order] and is_cycle(n, joined, order)
            ),
            lambda n, joined, order: float(is_cycle(n, joined, order)),
        ],
    ),
    "negative_sampler": (
        wrong_order,
        [
            lambda graph, cycle, rng: rng.sample(sorted(graph), len(graph)),
            lambda graph, cycle, rng: cycle[::-1],
            lambda graph, cycle, rng: wrong_order(graph, cycle, rng)[:-1],
            lambda graph, cycle, rng: " ".join(map(str, wrong_order(graph, cycle, rng))),
            lambda graph, cycle, rng: next(
                order
                for order in itertools.permutations(graph)
                if not all(graph.has_edge(order[i - 1], order[i]) for i in range(6))
            ),
        ],
    ),
    "fooling": (
        lambda graph, cycle, rng: " ".join(map(str, cycle[:-1])),
        [
            lambda graph, cycle, rng: " ".join(map(str, cycle[::-1])),
            lambda graph, cycle, rng: " ".join(map(str, wrong_order(graph, cycle, rng))),
            lambda graph, cycle, rng: "Walk: " + " ".join(map(str, cycle)),
            lambda graph, cycle, rng: cycle[:-1],
            lambda graph, cycle, rng: "",
            lambda graph, cycle, rng: "no cycle",
        ],
    ),
}
