"""Intervals of shares and differences over units that are not one case each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tiny import patient

from minirm.metrics import cluster_interval, difference_interval, wilson_interval
from minirm.metrics.intervals import linked, moves_interval


def test_distinct_prompts_have_wilsons_interval():
    right = np.array([1, 1, 0, 0.5, 1])
    assert cluster_interval(right, list("abcde")) == wilson_interval(3.5, 5)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("size", [2, 5])
def test_equal_clusters_have_students_t_over_the_means_of_the_prompts(seed, size):
    draw = np.random.default_rng(seed)
    right = draw.integers(0, 3, (7, size)) / 2
    prompts = [f"prompt {g}" for g in range(7) for _ in range(size)]
    order = draw.permutation(7 * size)
    means = right.mean(1)
    low, high = stats.t.interval(0.95, 6, loc=means.mean(), scale=stats.sem(means))
    found = cluster_interval(right.flatten()[order], [prompts[i] for i in order])
    assert found == pytest.approx((max(0, low), min(1, high)))


def test_repeating_every_pair_does_not_make_the_interval_narrower():
    draw = np.random.default_rng(0)
    right = draw.integers(0, 2, 40).astype(float)
    prompts = [str(i) for i in range(40)]
    once, twice, often = (
        np.diff(cluster_interval(np.tile(right, times), prompts * times)).item()
        for times in (1, 2, 10)
    )
    assert often == pytest.approx(twice)
    assert once < twice < 1.15 * once  # Wilson's, then t


@pytest.mark.slow
def test_it_covers_the_truth_where_pairs_with_one_prompt_go_together():
    """Of 40 prompts with 1 to 9 pairs; Wilson's on pairs would cover it in three of four."""
    draw = np.random.default_rng(0)
    sizes = np.arange(40) % 9 + 1
    prompts = [str(g) for g, size in enumerate(sizes) for _ in range(size)]
    hit, naive = [], []
    for _ in range(1000):
        chance = draw.beta(1.4, 0.6, 40)  # mean .7
        right = (draw.random(len(prompts)) < np.repeat(chance, sizes)).astype(float)
        low, high = cluster_interval(right, prompts)
        hit.append(low <= 0.7 <= high)
        low, high = wilson_interval(right.sum(), len(right))
        naive.append(low <= 0.7 <= high)
    assert 0.91 <= np.mean(hit) <= 0.97
    assert np.mean(naive) < 0.85


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("groups", [1, 6])
def test_prompts_that_all_agree_are_no_certainty(value, groups):
    right, prompts = np.full(groups * 3, value), [str(g) for g in range(groups)] * 3
    assert cluster_interval(right, prompts) == wilson_interval(value * groups, groups)


def test_a_cluster_interval_worked_by_hand():
    """Three prompts with 2, 1 and 1 right of two: gaps 2/3, -1/3, -1/3 from 4/3, s.e. 1/6."""
    right, units = [1, 1, 1, 0, 0, 1], ["a", "a", "b", "b", "c", "c"]
    t = 0.816496580927726  # of Student's t with 2 degrees of freedom, the quantile at .75
    low, high = cluster_interval(right, units, confidence=0.5)
    assert (low, high) == pytest.approx((4 / 6 - t / 6, 4 / 6 + t / 6))


def test_units_that_agree_have_no_spread_and_count_once():
    """A scorer that is right of one and wrong of the other in every unit: as one pair each."""
    found = cluster_interval([1, 0] * 59, [i // 2 for i in range(118)])
    assert found == wilson_interval(29.5, 59)


@pytest.mark.parametrize(
    ("right", "units", "message"),
    [
        ([], [], "non-empty"),
        ([1.0], ["a", "b"], "1 values and 2 units"),
        ([np.nan], "a", "numbers"),
    ],
)
@pytest.mark.parametrize("interval", [cluster_interval, difference_interval])
def test_an_interval_needs_a_unit_for_every_pair(interval, right, units, message):
    with pytest.raises(ValueError, match=message):
        interval(right, units)


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
