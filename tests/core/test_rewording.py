"""Shares of a reward under rewording: grids made by hand, least squares, and what length takes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import patient

from minirm.metrics import PARTS, meaning_share, wilson_interval, wording_share

rng = np.random.default_rng


def parts(share):
    return [getattr(share, name) for name in PARTS]


def test_a_grid_worked_by_hand():
    """Answers +-2, wordings +-1 and an interaction of +-1: squares 4, 1 and 1."""
    answer, wording = np.array([2.0, -2.0]), np.array([1.0, -1.0])
    grid = answer[None, :] + wording[:, None] + np.outer([1, -1], [1, -1])
    share = wording_share(np.stack([grid, grid + 100]))  # a prompt's own level says nothing
    assert parts(share) == pytest.approx([0, 4 / 6, 1 / 6, 1 / 6])
    assert share.prompts == 2


def test_length_takes_its_part_first():
    """Lengths of 2 and -2 with the answer, rewards of +-2 with it and +-1 with the wording."""
    answer, wording = np.array([1.0, -1.0]), np.array([1.0, -1.0])
    grid = 2 * answer[None, :] + wording[:, None]
    lengths = np.broadcast_to(2 * answer[None, :], (2, 2))
    share = wording_share(grid[None], lengths[None])
    assert parts(share) == pytest.approx([4 / 5, 0, 1 / 5, 0])


@given(st.integers(2, 5), st.integers(0, 10**6))
@patient
def test_the_parts_add_up_and_no_scale_or_sign_changes_them(wordings, seed):
    grid = rng(seed).normal(size=(6, wordings, 2))
    lengths = rng(seed + 1).integers(1, 90, grid.shape)
    share = wording_share(grid, lengths)
    assert sum(parts(share)) == pytest.approx(1)
    assert min(parts(share)) >= -1e-12
    assert parts(wording_share(-3 * grid + 5, 2 * lengths + 1)) == pytest.approx(parts(share))


def test_without_lengths_it_is_the_share_of_meaning_with_two_phrases():
    grid = rng(0).normal(size=(30, 4, 2)) + np.array([0.5, -0.5])
    share, meaning = wording_share(grid), meaning_share(grid, [True, False])
    expected = [0, meaning.meaning, meaning.opening, meaning.interaction]
    assert parts(share) == pytest.approx(expected)


def test_agrees_with_a_fit_by_least_squares():
    grid, lengths = rng(0).normal(size=(5, 3, 2)), rng(1).integers(3, 70, (5, 3, 2))
    grid = grid + 0.05 * lengths
    prompts = np.repeat(np.eye(5), 6, axis=0)
    design = np.column_stack([prompts, lengths.ravel()])
    left = grid.ravel() - design @ np.linalg.lstsq(design, grid.ravel(), rcond=None)[0]
    total = ((grid - grid.mean((1, 2), keepdims=True)) ** 2).sum()
    content = 3 * (left.reshape(5, 3, 2).mean(1) ** 2).sum()
    share = wording_share(grid, lengths)
    assert share.length == pytest.approx(1 - left @ left / total)
    assert share.content == pytest.approx(content / total)


def test_a_reward_that_is_length_is_length_alone():
    lengths = rng(0).integers(1, 400, (20, 4, 2)).astype(float)
    assert parts(wording_share(lengths / 7, lengths)) == pytest.approx([1, 0, 0, 0])


def test_few_prompts_that_agree_are_no_certainty():
    share = wording_share(np.stack([[[1.0, -1.0], [1.0, -1.0]]] * 3))
    assert share.content == 1
    assert share.intervals["content"] == pytest.approx(wilson_interval(3, 3))
    assert share.intervals["rest"] == pytest.approx(wilson_interval(0, 3))
    assert share.intervals["length"] == (0, 0)  # no lengths were given


def test_intervals_hold_their_share_and_narrow_with_more_prompts():
    grid = rng(0).normal(size=(400, 4, 2)) + np.array([1.0, -1.0])
    few, many = wording_share(grid[:40]), wording_share(grid)
    for share in (few, many):
        low, high = share.intervals["content"]
        assert low < share.content < high
    assert np.diff(many.intervals["content"]) < 0.5 * np.diff(few.intervals["content"])


def test_a_prompt_with_a_missing_reward_is_left_out():
    grid = rng(0).normal(size=(5, 4, 2))
    spoilt = grid.copy()
    spoilt[2, 1, 0] = np.nan
    share = wording_share(spoilt)
    assert share.prompts == 4
    assert parts(share) == pytest.approx(parts(wording_share(np.delete(grid, 2, axis=0))))


@pytest.mark.parametrize(
    ("rewards", "lengths", "message"),
    [
        (np.zeros((2, 4, 3)), None, "two answers"),
        (np.ones((2, 1, 2)), None, "two or more wordings"),
        (np.ones((2, 4, 2)), np.ones((2, 4)), "as many lengths"),
        (np.ones((2, 4, 2)), None, "no variance"),
        (np.full((2, 4, 2), np.nan), None, "no prompt has a reward"),
    ],
)
def test_what_cannot_be_split_is_an_error(rewards, lengths, message):
    with pytest.raises(ValueError, match=message):
        wording_share(rewards, lengths)
