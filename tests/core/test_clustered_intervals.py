"""Intervals of shares and differences over units that are not one case each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tiny import patient

from minirm.metrics import cluster_interval, difference_interval, wilson_interval
from minirm.metrics.intervals import linked, moves_interval


@pytest.mark.parametrize("size", [1, 3])
def test_a_difference_has_students_t_over_the_means_of_equal_units(size):
    draw = np.random.default_rng(0)
    gaps = draw.choice([-1, -0.5, 0, 0.5, 1], (30, size))
    units = np.repeat(np.arange(30), size)
    means = gaps.mean(1)
    expected = stats.t.interval(0.95, 29, loc=means.mean(), scale=stats.sem(means))
    assert difference_interval(gaps.flatten().tolist(), units.tolist()) == pytest.approx(expected)


def test_two_models_that_agree_everywhere_may_still_differ():
    low, high = difference_interval([0.0] * 50, range(50))
    assert low == -high
    assert high == wilson_interval(0, 50)[1]
    fewer = difference_interval([0.0] * 50, [i // 10 for i in range(50)])
    assert fewer[1] == wilson_interval(0, 5)[1] > high
    low, high = difference_interval([1.0] * 50, range(50))
    assert (low, high) == wilson_interval(50, 50)


def test_exchanging_the_models_exchanges_the_ends():
    draw = np.random.default_rng(1)
    for gaps in (draw.choice([-1.0, 0, 1], 25), np.full(6, -1.0), np.full(6, 0.5)):
        units = range(len(gaps))
        low, high = difference_interval(gaps.tolist(), units)
        assert difference_interval((-gaps).tolist(), units) == pytest.approx((-high, -low))


@pytest.mark.slow
def test_a_paired_difference_covers_the_truth():
    """Two models right in .8 and .7 of cases, mostly on the same ones."""
    draw = np.random.default_rng(0)
    hit = 0
    for _ in range(1000):
        easy = draw.random(120)
        first, second = easy < 0.8, (easy + 0.2 * (draw.random(120) < 0.5)) < 0.8
        gaps = first.astype(float) - second
        low, high = difference_interval(gaps.tolist(), range(120))
        hit += low <= 0.1 <= high
    assert 0.93 <= hit / 1000 <= 0.97


def test_an_interval_never_leaves_its_range():
    assert moves_interval(0.95, np.array([0.2, -0.2]))[1] == 1
    assert moves_interval(-0.95, np.array([0.2, -0.2]), difference=True)[0] == -1
    assert cluster_interval([1.0], ["a"]) == wilson_interval(1, 1)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6) | st.none()), min_size=1))
@patient
def test_linked_numbers_are_those_of_the_connected_cases(pairs):
    import networkx

    graph = networkx.Graph()
    for i, (a, b) in enumerate(pairs):
        graph.add_edge(("case", i), ("first", a))
        if b is not None:
            graph.add_edge(("case", i), ("second", b))
    found = linked([a for a, _ in pairs], [b for _, b in pairs])
    for part in networkx.connected_components(graph):
        cases = sorted(i for kind, i in part if kind == "case")
        assert {found[i] for i in cases} == {cases[0]}
