"""Weighted sums of group means: their intervals are over units, and cover."""

import math

import numpy as np
import pytest
from scipy import stats

from minirm.metrics import wilson_interval
from minirm.metrics.benchmarks import REWARDBENCH_WEIGHTS as WEIGHTS
from minirm.metrics.benchmarks import Entry, difficulty, group_figures, section_weights


def test_one_group_of_single_items_has_students_t_of_the_mean():
    draw = np.random.default_rng(0)
    values = draw.random(20)
    entries = [Entry("g", str(i), v) for i, v in enumerate(values)]
    (figure,) = group_figures(entries, {"mean": {"g": 1.0}}).values()
    # With n - 1 in the variance: sqrt(n / (n - 1)) times the sum of squared moves.
    expected = stats.t.interval(0.95, 19, loc=values.mean(), scale=stats.sem(values))
    assert figure.interval == pytest.approx(expected)


def test_strata_add_their_variances():
    # Two groups of four, each unit once: variances of the two means, weighted .25 and .75.
    values = {"a": [0, 1, 1, 1], "b": [0, 0, 1, 1]}
    entries = [Entry(g, f"{g}{i}", v) for g, vs in values.items() for i, v in enumerate(vs)]
    figure = group_figures(entries, {"f": {"a": 0.25, "b": 0.75}})["f"]
    assert figure.value == pytest.approx(0.25 * 0.75 + 0.75 * 0.5)
    moves = [0.25 * (v - 0.75) / 4 for v in values["a"]] + [
        0.75 * (v - 0.5) / 4 for v in values["b"]
    ]
    half = stats.t.ppf(0.975, 7) * math.sqrt(8 / 7 * sum(m * m for m in moves))
    assert figure.value - figure.interval[0] == pytest.approx(half)


def test_items_of_one_unit_are_not_independent():
    draw = np.random.default_rng(1)
    values = draw.random(30)
    once = [Entry("g", str(i), v) for i, v in enumerate(values)]
    weights = {"f": {"g": 1.0}}
    single, tripled = (
        group_figures(entries, weights)["f"].interval for entries in (once, once * 3)
    )
    assert tripled == pytest.approx(single)


def test_where_nothing_moves_it_is_no_certainty_and_one_unit_says_nothing():
    entries = [Entry("g", str(i), 1.0) for i in range(5)]
    weights = {"f": {"g": 1.0}}
    assert group_figures(entries, weights)["f"].interval == wilson_interval(5, 5)
    assert group_figures(entries[:1], weights)["f"].interval is None
    alike = [Entry("g", str(i), 0.0) for i in range(5)]
    low, high = group_figures(alike, weights, difference=True)["f"].interval
    assert (low, high) == (-wilson_interval(0, 5)[1], wilson_interval(0, 5)[1])
    worse = [Entry("g", str(i), -1.0) for i in range(5)]
    low, high = group_figures(worse, weights, difference=True)["f"].interval
    assert (low, high) == pytest.approx((-1, -wilson_interval(5, 5)[0]))


@pytest.mark.slow
def test_a_weighted_figure_covers_the_truth():
    draw = np.random.default_rng(0)
    weights = {"f": {"a": 0.2, "b": 0.8}}
    hit = 0
    for _ in range(1000):
        right = {"a": draw.random(60) < 0.9, "b": draw.random(40) < 0.6}
        entries = [
            Entry(g, f"{g}{i}", float(v)) for g, vs in right.items() for i, v in enumerate(vs)
        ]
        low, high = group_figures(entries, weights)["f"].interval
        hit += low <= 0.2 * 0.9 + 0.8 * 0.6 <= high
    assert 0.93 <= hit / 1000 <= 0.97


def test_section_weights_are_those_of_the_benchmark():
    full = section_weights("Reasoning", list(WEIGHTS), WEIGHTS)
    assert full["math-prm"] == 0.5  # as much as the six of code together
    assert sum(full.values()) == pytest.approx(1)
    # 2,985 items: math-prm has 447
    assert sum(WEIGHTS.values()) - 984 + 447 == 2985


def test_difficulty_names_every_cell():
    cells = [[difficulty(i, j) for j in range(3)] for i in range(3)]
    assert cells == [
        ["normal", "hard", "hard"],
        ["easy", "normal", "hard"],
        ["easy", "easy", "normal"],
    ]
