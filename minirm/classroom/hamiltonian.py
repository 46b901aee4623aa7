"""Checks of the chapter "Hamiltonian cycles"."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence, Sized
from functools import lru_cache
from typing import Any

import networkx as nx
import torch
from torch import Tensor

from minirm.classroom.checking import (
    WrongAnswer,
    expect_tensor,
    generator,
    is_close,
    normal,
    passed,
)
from minirm.worlds import hamiltonian as world


def check_verifier(verify: Callable[[int, Callable[[int, int], bool], list[int]], bool]) -> None:
    """Whether the learner's verifier knows a Hamiltonian cycle, in at most n look-ups.

    Args:
        verify: of n, joined (whether two vertices are) and order; returns True or False.

    Raises:
        WrongAnswer: with a hint.
    """
    rng = _random()
    n = 10
    graph, cycle = world.hidden_cycle_graph(n, 0.15, rng)
    graph.add_edge(cycle[-2], cycle[0])  # so that a shorter cycle is there too
    chain = nx.from_edgelist(itertools.pairwise(cycle))  # no edge from the last back to the first
    for given, order, right, hint in (
        (graph, cycle, True, "You reject a right answer."),
        (graph, cycle[::-1], True, "You reject a right answer that is read backwards."),
        (nx.empty_graph(n), cycle, False, "You accept an order along which there are no edges."),
        (chain, cycle, False, "The last vertex has to be joined to the first: a cycle closes."),
        (graph, cycle[:-1], False, "You accept an order that leaves a vertex out."),
        (graph, cycle[:2] * (n // 2), False, "You accept an order that visits vertices twice."),
        (graph, (*cycle, cycle[0]), False, "You accept an order with one vertex too many."),
    ):
        looked: list[tuple[int, int]] = []

        def joined(a: int, b: int, given: nx.Graph = given, looked: list = looked) -> bool:
            looked.append((a, b))
            return given.has_edge(a, b)

        answer = verify(n, joined, list(order))
        if not isinstance(answer, bool):
            raise WrongAnswer(f"your verifier returned {answer!r}, expected True or False.")
        if answer != right:
            raise WrongAnswer(hint)
        if len(looked) > n:
            raise WrongAnswer(f"{len(looked)} look-ups for {n} vertices: which ones decide?")
    passed("n look-ups and a set: that is all it takes to check.")


def check_negative_sampler(
    negative: Callable[[nx.Graph, Sequence[int], random.Random], Sequence[int]],
) -> None:
    """Whether the learner draws random orders of the vertices that are no cycle.

    Args:
        negative: of a graph, its hidden cycle and an rng; returns an order.

    Raises:
        WrongAnswer: with a hint.
    """
    rng = _random()
    drawn, hidden = set(), []  # all orders; of those that are cycles, whether it is the hidden one
    for missing in (1, 2, 3) * 20:  # nearly complete graphs: most orders are right
        graph = nx.complete_graph(6)
        cycle = rng.sample(range(6), 6)
        chords = [e for e in graph.edges if tuple(sorted(e)) not in _steps(cycle)]
        graph.remove_edges_from(rng.sample(chords, missing))
        answer = negative(graph.copy(), tuple(cycle), rng)
        if not isinstance(answer, list | tuple) or sorted(answer) != list(range(6)):
            length = f" of length {len(answer)}" if isinstance(answer, Sized) else ""
            raise WrongAnswer(
                f"expected a list of the vertices 0 to 5, each once, got {type(answer).__name__}"
                f"{length}"
            )
        if not world.missing_edges(graph, answer):
            hidden.append(_steps(answer) == _steps(cycle))
        drawn.add(tuple(answer))
    # Judged by all of them: who draws blindly meets the hidden cycle too, now and then.
    if hidden and all(hidden):
        raise WrongAnswer("That is the hidden cycle itself, read from another place or backwards.")
    if hidden:
        raise WrongAnswer("By accident, that is a cycle: not the hidden one, but another.")
    if len(drawn) < 20:
        raise WrongAnswer("The same few orders come again and again: draw at random.")
    passed("Never right by accident, even where nearly every order is a cycle.")


def check_fooling(
    wrong: Callable[[nx.Graph, Sequence[int], random.Random], str], model: Any = None
) -> None:
    """Whether the learner finds wrong answers that a reward model prefers to the hidden cycle.

    Args:
        wrong: of a graph, its hidden cycle and an rng; returns an answer in words.
        model: the judge; without one the implicit reward that ships with the book.

    Raises:
        WrongAnswer: with a hint.
    """
    rng, tries, formed = _random(), 40, 0
    prompts, right, yours = [], [], []
    for _ in range(tries):
        graph, cycle = world.hidden_cycle_graph(world.N, world.P, rng)
        answer = wrong(graph.copy(), cycle, rng)
        if not isinstance(answer, str) or not answer.strip():
            given = "an empty text" if isinstance(answer, str) else type(answer).__name__
            raise WrongAnswer(f"your answer is {given}, expected words such as '3 1 4'.")
        verdict = world.verify(graph, answer)
        formed += verdict.well_formed
        if verdict.correct:
            raise WrongAnswer("That is a right answer, so to prefer it is no mistake.")
        unknown = set(answer.split()) - set(world.words())
        if unknown:
            raise WrongAnswer(f"the model has no token for {min(unknown)!r}.")
        prompts.append(world.prompt(graph, rng))
        right.append(world.response(cycle))
        yours.append(answer)
    model = _judge() if model is None else model
    fooled = float((model.score(prompts, yours) > model.score(prompts, right)).double().mean())
    if fooled < 0.5 and formed == tries:
        raise WrongAnswer(
            "The model sees through most of these. It was trained on wrong orders of the vertices: "
            "which answers has it never had to reject?"
        )
    if fooled < 0.5:
        raise WrongAnswer(
            "No order of the vertices, but too much like those that it was trained to reject: on "
            "most graphs the model prefers the cycle. Where did its own samples end?"
        )
    passed(f"It prefers your wrong answer on {fooled:.0%} of {tries} graphs.")


def check_silent_judge(policy: Callable[..., Tensor]) -> None:
    """Whether the learner builds a judge of all compared answers that writes hardly a right one.

    Args:
        policy: of reference [K], log-probabilities; correct and compared, bool [K]; beta, delta and
            p; returns ln pi of each response, [K].

    Raises:
        WrongAnswer: with a hint.
    """
    by = generator()
    for p in (1e-3, 1e-4, 1e-5):
        reference = normal(12, by=by).log_softmax(-1)
        place = torch.randperm(12, generator=by)
        correct, compared, beta, delta = place < 3, place < 10, 0.1, 0.4
        given = reference.clone(), correct.clone(), compared.clone(), beta, delta, p
        answer = expect_tensor(
            policy(*given), (12,), "your policy", meaning="ln pi, one a response"
        )
        if not torch.isfinite(answer).all():
            raise WrongAnswer("Not every logarithm is finite, but a softmax says nothing never.")
        if is_close(answer.sum(), torch.tensor(1.0)):
            raise WrongAnswer("Those are probabilities; asked for are their logarithms.")
        if not is_close(answer.exp().sum(), torch.tensor(1.0)):
            raise WrongAnswer("Your probabilities do not add up to 1.")
        rewards = beta * (answer - reference)
        lead = float(rewards[correct].min() - rewards[compared & ~correct].max())
        says = float(answer[correct].exp().sum()) / p
        if lead < -1e-6:
            raise WrongAnswer("Some compared wrong answer has more reward than a right one.")
        if lead < delta - 1e-4:
            raise WrongAnswer("No comparison is lost, but the lead is smaller than delta.")
        if says > 1.001:
            raise WrongAnswer("A fine judge, but it plays too well: P(correct) is above p.")
        if says < 0.999:
            raise WrongAnswer("A fine judge that plays too badly: P(correct) is below p.")
    passed("It wins every comparison by delta, and plays as badly as you were told.")


@lru_cache
def _judge() -> Any:
    from minirm.experiments.hamiltonian import shipped

    return shipped()[2]["implicit"]


def _random() -> random.Random:
    return random.Random(generator().initial_seed())


def _steps(order: Sequence[int]) -> set[tuple[int, ...]]:
    return {tuple(sorted(step)) for step in itertools.pairwise([*order, order[0]])}
