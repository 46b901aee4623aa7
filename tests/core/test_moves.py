"""Moves of rewards, correlations with counts, and the jackknife under both, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minirm import metrics
from minirm.metrics.jackknife import jackknife_interval, summed
from minirm.metrics.moves import mean_interval, moved
from minirm.metrics.slopes import follows


def mean(sums):
    return sums[:, 0] / sums[:, 1]


def test_of_a_mean_the_jackknife_is_students_t():
    values = np.random.default_rng(0).normal(size=12)
    ends = jackknife_interval(np.stack([values, np.ones(12)], 1), mean)
    assert ends == pytest.approx(metrics.t_interval(values.tolist()))


def test_cases_of_one_unit_count_as_one():
    """Twice the same twelve numbers say no more than once."""
    values = np.random.default_rng(1).normal(size=12)
    once = mean_interval(values, range(12))
    assert mean_interval(np.tile(values, 2), [*range(12)] * 2) == pytest.approx(once)
    assert mean_interval(np.tile(values, 2), range(24))[1] < once[1]


def test_the_jackknife_covers_as_often_as_it_says():
    """A ratio of sums over 15 units of unlike size, 400 times: 95 % give or take 4."""
    draw, hits = np.random.default_rng(2), 0
    for _ in range(400):
        size = draw.integers(1, 6, 15)
        sums = np.stack([size * (2 + draw.normal(size=15)), size], 1)
        low, high = jackknife_interval(sums, mean)
        hits += low < 2 < high
    assert 0.91 < hits / 400 < 0.99


def test_what_cannot_be_told_has_no_interval():
    assert jackknife_interval(np.ones((2, 2)), mean) is None
    assert jackknife_interval(np.array([[1.0, 1], [1, 0], [1, 0]]), mean) is None  # 0 / 0
    for value in (0.0, 0.3, 1e6):  # units that agree: no spread, and no certainty
        assert jackknife_interval(np.array([[value, 1]] * 3), mean) is None
    assert jackknife_interval(np.array([[0.3, 1], [0.3, 1], [0.3 + 1e-6, 1]]), mean) is not None
    assert summed(np.ones((3, 1)), "aba").tolist() == [[2], [1]]


def test_flips_changes_and_accuracies():
    before = np.array([[2.0, 1.0], [1.0, 2.0], [4.0, 0.0]])
    after = np.array([[0.0, 1.0], [1.0, 0.0], [np.nan, 0.0]])
    one = moved(before, after, "abc", spread=1.0)
    assert one.pairs == 2
    # 0 against 1 turns round, 2 against 1 does not; 1 against 2 stays, 1 against 0 turns round.
    assert one.flips == 0.5
    assert (one.change, one.shift) == (1.0, -1.0)
    assert (one.before, one.after) == (0.5, 0.5)
    both = moved(before, after, "abc", spread=2.0, together=True)
    assert both.flips == 1
    assert both.change == 0.5
    assert both.change_interval is None  # of two units
    assert moved(before, before, "abc", together=True).flips == 0
    with pytest.raises(ValueError, match="no pair could be rewritten"):
        moved(before, np.full((3, 2), math.nan), "abc")
    with pytest.raises(ValueError, match="a unit a pair"):
        moved(before, after, "ab")


def test_a_correlation_within_pairs_is_that_of_length_free():
    draw = np.random.default_rng(3)
    rewards, lengths = draw.normal(size=(20, 2)), draw.integers(1, 50, (20, 2))
    found = follows(rewards, lengths, range(20))
    assert found.correlation == pytest.approx(metrics.length_free(rewards, lengths).correlation)
    turned = follows(rewards[:, ::-1], lengths[:, ::-1], range(20))
    assert turned.correlation == pytest.approx(found.correlation)  # no label enters
    assert turned.labels == pytest.approx(1 - found.labels)


def test_what_goes_with_length_alone_is_nothing_beyond_it():
    draw = np.random.default_rng(4)
    lengths = draw.integers(1, 50, (40, 2)).astype(float)
    shared = lengths + draw.normal(size=(40, 2))
    found = follows(lengths, shared, range(40), other=lengths)
    assert found.correlation > 0.99
    assert found.beyond == 0
    own = follows(shared - lengths, shared, range(40), other=lengths)
    assert own.beyond > 0.99
    assert own.beyond_interval[0] > 0.9


def test_accuracy_where_more_is_right_and_where_it_is_wrong():
    rewards = [[2.0, 1.0], [5.0, 1.0], [1.0, 2.0], [1.0, 0.0]]
    found = follows(rewards, [[9, 1], [9, 1], [1, 9], [4, 4]], range(4))
    assert found.pairs == 3
    assert found.prefers == 1
    assert found.labels == pytest.approx(2 / 3)
    assert (found.more_chosen[0], found.more_rejected[0]) == (1, 0)
    assert follows(rewards, np.ones((4, 2)), range(4)) is None
    flat = follows(np.zeros((4, 2)), [[9, 1], [9, 1], [1, 9], [4, 4]], range(4))
    assert (flat.correlation, flat.prefers) == (0, 0.5)
