"""Numbers that judge rewards: accuracy, margins, win rate and intervals."""

import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import patient

from minirm import accuracy, normalised_margin, win_rate
from minirm.metrics import (
    accuracy_interval,
    bootstrap_interval,
    brier_score,
    calibration_error,
    clustered_interval,
    t_interval,
    wilson_interval,
)

WHOLE = st.integers(-3, 3)  # few values, so that ties are common
PAIRED = st.lists(st.tuples(WHOLE, WHOLE), min_size=1, max_size=12)


def columns(pairs):
    return [list(column) for column in zip(*pairs, strict=True)]


@given(PAIRED)
@patient
def test_accuracy_counts_wins_and_half_of_the_ties(pairs):
    wins = sum(c > r for c, r in pairs)
    ties = sum(c == r for c, r in pairs)
    assert accuracy(*columns(pairs)) == pytest.approx((wins + ties / 2) / len(pairs))


@given(PAIRED)
@patient
def test_accuracy_of_the_swapped_pairs_is_the_complement(pairs):
    chosen, rejected = columns(pairs)
    assert accuracy(chosen, rejected) + accuracy(rejected, chosen) == pytest.approx(1)


@pytest.mark.parametrize("n", [1, 2, 3, 101])
def test_constant_rewards_have_accuracy_exactly_one_half(n):
    assert accuracy(torch.full((n,), 0.3), torch.full((n,), 0.3)) == 0.5


@given(PAIRED)
@patient
def test_tensors_arrays_and_lists_agree(pairs):
    chosen, rejected = columns(pairs)
    for of in (np.array, torch.tensor, tuple):
        assert accuracy(of(chosen), of(rejected)) == accuracy(chosen, rejected)


def test_accuracy_takes_half_precision_and_gradients():
    chosen = torch.tensor([1.0, 2.0], dtype=torch.bfloat16, requires_grad=True)
    assert accuracy(chosen, torch.zeros(2, dtype=torch.bfloat16)) == 1.0


def test_normalised_margin_by_hand():
    """Margins 2 and -1; the four rewards 3, 1, 0, 1 have mean 1.25 and variance 19/12."""
    spread = math.sqrt(19 / 12)
    assert normalised_margin([3, 0], [1, 1]) == pytest.approx(1.5 / spread)
    assert normalised_margin([3, 0], [1, 1], signed=True) == pytest.approx(0.5 / spread)


def test_normalised_margin_is_blind_to_sign_and_scale():
    rng = np.random.default_rng(0)
    chosen, rejected = rng.normal(size=(2, 50))
    value = normalised_margin(chosen, rejected)
    assert normalised_margin(rejected, chosen) == pytest.approx(value)
    assert normalised_margin(5 * chosen + 7, 5 * rejected + 7) == pytest.approx(value)


def test_normalised_margin_of_independent_gaussians_is_two_over_root_pi():
    chosen, rejected = np.random.default_rng(0).normal(size=(2, 200_000))
    assert normalised_margin(chosen, rejected) == pytest.approx(2 / math.sqrt(math.pi), abs=0.01)
    assert normalised_margin(chosen, rejected, signed=True) == pytest.approx(0, abs=0.01)


def test_normalised_margin_of_constant_rewards_is_zero():
    assert normalised_margin([2.0, 2.0], [2.0, 2.0]) == 0


def test_win_rate_counts_wins_and_half_of_the_ties():
    assert win_rate([0.9, 0.5, 0.2, 0.7], [0.1, 0.5, 0.3, 0.6]) == pytest.approx(2.5 / 4)


def test_win_rate_can_call_close_accuracies_a_tie():
    assert win_rate([0.900, 0.9], [0.895, 0.5]) == 1.0
    assert win_rate([0.900, 0.9], [0.895, 0.5], tie=0.01) == 0.75


@pytest.mark.parametrize("measure", [accuracy, normalised_margin, win_rate])
@pytest.mark.parametrize(
    ("first", "second", "complaint"),
    [
        ([1.0], [1.0, 2.0], r"one length, got \(1,\) and \(2,\)"),
        ([], [], "non-empty"),
        ([[1.0]], [[2.0]], "vectors"),
        ([1.0, math.nan], [0.0, 0.0], "NaN"),
        ([0.0, 0.0], [1.0, math.nan], "NaN"),
    ],
)
def test_what_cannot_be_ranked_is_an_error(measure, first, second, complaint):
    with pytest.raises(ValueError, match=complaint):
        measure(first, second)


def test_wilson_interval_matches_the_published_example():
    """Newcombe (1998), Table I: 81 of 263, 15 of 148, 0 of 20 and 1 of 29, at 95 %."""
    for successes, n, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        assert wilson_interval(successes, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@patient
def test_wilson_interval_holds_the_proportion_and_mirrors(case):
    k, n = case
    low, high = wilson_interval(k, n)
    assert 0 <= low <= k / n + 1e-12
    assert k / n - 1e-12 <= high <= 1
    assert wilson_interval(n - k, n) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(("k", "n"), [(-1, 3), (4, 3), (0, 0)])
def test_wilson_interval_of_an_impossible_count_is_an_error(k, n):
    with pytest.raises(ValueError, match=f"{k} of {n}"):
        wilson_interval(k, n)


def test_bootstrap_interval_is_near_the_textbook_interval_of_a_mean():
    values = np.random.default_rng(1).normal(3, 2, size=400)
    half = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
    assert bootstrap_interval(values) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=0.03
    )


def test_bootstrap_interval_repeats_with_its_seed_and_narrows_with_less_confidence():
    values = [random.Random(i).random() for i in range(9)]
    low, high = bootstrap_interval(values)
    assert bootstrap_interval(values) == (low, high) != bootstrap_interval(values, seed=1)
    inner = bootstrap_interval(values, 0.5)
    assert low < inner[0] < sum(values) / 9 < inner[1] < high


# Quantiles of Student's t from a printed table: (units, confidence, quantile).
TABLE = [(2, 0.95, 12.706), (4, 0.95, 3.182), (5, 0.95, 2.776), (5, 0.9, 2.132), (31, 0.99, 2.750)]


@pytest.mark.parametrize(("n", "confidence", "quantile"), TABLE)
def test_t_interval_is_the_mean_and_the_table_s_quantile_of_standard_errors(
    n, confidence, quantile
):
    values = [random.Random(i).gauss(0.5, 2) for i in range(n)]
    mean = sum(values) / n
    error = math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1) / n)
    assert t_interval(values, confidence) == pytest.approx(
        (mean - quantile * error, mean + quantile * error), abs=1e-3 * error
    )


def test_t_interval_of_four_units_holds_the_mean_as_often_as_it_says_and_the_bootstrap_does_not():
    samples = np.random.default_rng(0).normal(size=(2000, 4))

    def covered(interval):
        return np.mean([low <= 0 <= high for low, high in map(interval, samples)])

    assert covered(t_interval) == pytest.approx(0.95, abs=0.015)
    assert covered(lambda x: bootstrap_interval(x, resamples=200)) < 0.88


def test_only_the_interval_of_an_accuracy_is_cut_at_its_bounds():
    low, high = t_interval([1.0, 1.0, 0.9])
    assert low < 0.9 < 1 < high
    assert accuracy_interval([1.0, 1.0, 0.9]) == (low, 1.0)
    assert accuracy_interval([0.0, 1.0]) == (0.0, 1.0)
    assert accuracy_interval([0.5, 0.6, 0.7, 0.8]) == t_interval([0.5, 0.6, 0.7, 0.8])


@pytest.mark.parametrize("interval", [t_interval, accuracy_interval, bootstrap_interval])
@pytest.mark.parametrize("values", [[0.25], [0.0], [1.0, 1.0, 1.0]])
def test_an_interval_of_one_unit_or_of_equal_ones_is_a_point(interval, values):
    assert interval(values) == (values[0], values[0])


@pytest.mark.parametrize("interval", [t_interval, accuracy_interval, bootstrap_interval])
@pytest.mark.parametrize("values", [[], [[1.0]], [1.0, math.nan], [math.nan]])
def test_an_interval_of_no_numbers_is_an_error(interval, values):
    with pytest.raises(ValueError, match="non-empty list of numbers"):
        interval(values)


# ------------------------------------------------------------------------- calibration


def test_brier_score_by_hand_and_of_constant_rewards():
    margins = np.array([0.0, math.log(3), -math.log(3)])  # p = 1/2, 3/4, 1/4
    expected = (0.5**2 + 0.25**2 + 0.75**2) / 3
    assert brier_score(margins, np.zeros(3)) == pytest.approx(expected)
    assert brier_score([2.0] * 5, [2.0] * 5) == 0.25


def test_calibration_error_by_hand():
    # All at confidence 3/4; right in three of four: calibrated. Right in all: 1/4 too modest.
    high = math.log(3)
    assert calibration_error([high, high, high, 0], [0, 0, 0, high]) == pytest.approx(0)
    assert calibration_error([high] * 4, [0] * 4) == pytest.approx(0.25)
    assert calibration_error([0] * 4, [high] * 4) == pytest.approx(0.75)


def test_calibration_error_of_constant_rewards_is_zero():
    assert calibration_error([1.0, 2.0], [1.0, 2.0]) == 0


def test_calibration_error_of_certain_rewards_is_the_share_that_is_wrong():
    """Confidence 1 falls into the last bin; nothing overflows."""
    assert calibration_error([1e4, 1e4, 1e4, -1e4], [0, 0, 0, 0]) == pytest.approx(0.25)
    assert brier_score([1e4, -1e4], [0, 0]) == pytest.approx(0.5)


def test_calibration_error_of_pairs_drawn_from_their_own_probabilities_is_small():
    rng = np.random.default_rng(0)
    margins = rng.normal(0, 2, 20_000)
    right = rng.random(20_000) < 1 / (1 + np.exp(-margins))
    outcome = np.where(right, margins, -margins)
    assert calibration_error(outcome, np.zeros(20_000)) < 0.02
    assert calibration_error(5 * outcome, np.zeros(20_000)) > 0.05


def test_calibration_error_weighs_bins_by_their_pairs():
    low, high = math.log(0.55 / 0.45), math.log(0.95 / 0.05)
    found = calibration_error([low] * 3 + [high], [0] * 4)
    assert found == pytest.approx((3 * 0.45 + 0.05) / 4)


# ------------------------------------------------------------------- intervals over units


def test_a_clustered_interval_worked_by_hand():
    """Three prompts with 2, 1 and 1 right of two: gaps 2/3, -1/3, -1/3 from 4/3, s.e. 1/6."""
    right, units = [1, 1, 1, 0, 0, 1], ["a", "a", "b", "b", "c", "c"]
    t = 0.816496580927726  # of Student's t with 2 degrees of freedom, the quantile at .75
    low, high = clustered_interval(right, units, confidence=0.5)
    assert (low, high) == pytest.approx((4 / 6 - t / 6, 4 / 6 + t / 6))


def test_units_that_agree_have_no_spread_and_count_once():
    """A scorer that is right of one and wrong of the other in every unit: as one pair each."""
    found = clustered_interval([1, 0] * 59, [i // 2 for i in range(118)])
    assert found == wilson_interval(29.5, 59)


@pytest.mark.parametrize(
    ("right", "units", "message"),
    [([], [], "non-empty"), ([1.0], ["a", "b"], "1 pairs and 2 units"), ([np.nan], "a", "numbers")],
)
def test_an_interval_needs_a_unit_for_every_pair(right, units, message):
    with pytest.raises(ValueError, match=message):
        clustered_interval(right, units)
