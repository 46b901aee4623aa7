"""Rankings at equal length: what goes with length is taken out, and no label is looked at."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import patient

from minirm.metrics import accuracy, equally_long, length_free

rng = np.random.default_rng


def test_a_slope_worked_by_hand():
    """Differences of rewards 3, -1, 2 on differences of lengths 2, -1, 0: slope (6 + 1) / 5."""
    rewards = [[4.0, 1.0], [0.0, 1.0], [5.0, 3.0]]
    lengths = [[12, 10], [7, 8], [30, 30]]
    found = length_free(rewards, lengths)
    assert found.slope == pytest.approx(7 / 5)
    assert found.correlation == pytest.approx(7 / np.sqrt(5 * (9 + 1 + 4)))
    differences = found.rewards[:, 0] - found.rewards[:, 1]
    assert differences == pytest.approx([3 - 2.8, -1 + 1.4, 2.0])


def test_the_slope_is_that_of_a_regression_with_an_intercept_for_every_prompt():
    rewards, lengths = rng(0).normal(size=(7, 4, 2)), rng(1).integers(5, 90, (7, 4, 2))
    prompts = np.repeat(np.eye(7), 8, axis=0)
    design = np.column_stack([lengths.ravel(), prompts])
    slope = np.linalg.lstsq(design, rewards.ravel(), rcond=None)[0][0]
    assert length_free(rewards, lengths).slope == pytest.approx(slope)


@given(st.integers(0, 10**6))
@patient
def test_exchanging_the_answers_of_any_pair_changes_nothing(seed):
    rewards, lengths = rng(seed).normal(size=(9, 2)), rng(seed).integers(1, 50, (9, 2))
    turned = rng(seed + 1).random(9) < 0.5
    swapped = [np.where(turned[:, None], a[:, ::-1], a) for a in (rewards, lengths)]
    found, other = length_free(rewards, lengths), length_free(*swapped)
    assert other.slope == pytest.approx(found.slope)
    assert other.correlation == pytest.approx(found.correlation)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_reward_that_is_length_has_exactly_nothing_left(sign):
    lengths = rng(0).integers(1, 500, (200, 2)).astype(float)
    found = length_free(sign * lengths, lengths)
    assert found.correlation == pytest.approx(sign)
    assert accuracy(*found.rewards.T) == 0.5


def test_a_reward_without_length_or_lengths_that_are_equal_stay_as_they_are():
    rewards = rng(0).normal(size=(5, 2))
    for r, x in ((rewards, np.full((5, 2), 9.0)), (np.ones((5, 2)), rng(1).normal(size=(5, 2)))):
        found = length_free(r, x)
        assert (found.slope, found.correlation) == (0, 0)
        np.testing.assert_array_equal(found.rewards, r)


def test_pairs_of_about_one_length_differ_by_a_tenth_of_the_longer_at_most():
    assert equally_long([100, 90, 89, 1], [90, 100, 100, 1]).tolist() == [True, True, False, True]
    assert equally_long([10, 10], [6, 5], tolerance=0.4).tolist() == [True, False]


@pytest.mark.parametrize(
    ("rewards", "lengths", "message"),
    [
        ([[1.0, 2.0]], [[1, 2], [3, 4]], r"got \(1, 2\) and \(2, 2\)"),
        ([[1.0]], [[1]], "two or more answers"),
        ([[1.0, np.nan]], [[1, 2]], "not a finite number"),
    ],
)
def test_what_cannot_be_fitted_is_an_error(rewards, lengths, message):
    with pytest.raises(ValueError, match=message):
        length_free(rewards, lengths)
