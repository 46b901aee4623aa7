"""Solutions and wrong answers of the chapter "Hamiltonian cycles"."""

import itertools
import math

import torch


def is_cycle(n, joined, order):
    if sorted(order) != list(range(n)):
        return False
    return all(joined(order[i - 1], order[i]) for i in range(n))


def wrong_order(graph, cycle, rng):
    while True:
        order = rng.sample(sorted(graph), len(graph))
        if not all(graph.has_edge(order[i - 1], order[i]) for i in range(len(order))):
            return order


def silent_judge(reference, correct, compared, beta, delta, p, lift=None, leaks=True):
    """A tilt by ``lift`` nats, then a leak of all but p; the rest goes to what is not compared."""
    tilted = reference + (delta / beta if lift is None else lift) * correct
    if not leaks:
        return tilted.log_softmax(-1)
    policy = tilted - tilted[correct].logsumexp(0) + math.log(p)
    rest = torch.log1p(-policy[compared].exp().sum())
    policy[~compared] = reference[~compared].log_softmax(0) + rest
    return policy


def leaked_from_the_correct(reference, correct, compared, beta, delta, p):
    """Takes what there is too much from the right answers alone, and gives it to the wrong ones."""
    policy = reference.clone()
    policy[correct] += math.log(p) - policy[correct].logsumexp(0)
    policy[~correct] += math.log1p(-p) - policy[~correct].logsumexp(0)
    return policy


def with_zeros(*x):
    policy = silent_judge(*x)
    return torch.where(x[1] | ~x[2], policy, -math.inf)


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
    "silent_judge": (
        silent_judge,
        [
            lambda *x: silent_judge(*x, leaks=False),
            lambda *x: silent_judge(*x, lift=x[4]),
            lambda *x: torch.where(x[2], silent_judge(*x), x[0]),
            lambda *x: silent_judge(*x).exp(),
            lambda *x: silent_judge(*x[:-1], x[-1] / 10),
            leaked_from_the_correct,
            with_zeros,
            lambda *x: silent_judge(*x)[x[2]],
            lambda *x: None,
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
