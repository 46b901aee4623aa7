"""The share of a reward that is meaning: what it finds in grids made by hand, and what it can't."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import patient

from minirm.metrics import accuracy, meaning_share, opening_accuracies, wilson_interval

RIGHT = [True, True, False, False]
rng = np.random.default_rng


def parts(share):
    return (share.meaning, share.words, share.opening, share.interaction)


def made(meaning=0.0, words=0.0, opening=0.0, interaction=0.0, prompts=3):
    """A grid whose four parts have these sizes, each orthogonal to the others: [N, 4, 4]."""
    sign = np.array([1.0, 1, -1, -1])
    within = np.array([1.0, -1, 1, -1])
    grid = meaning * sign[None, :] + words * within[None, :] + opening * sign[:, None]
    grid = grid + interaction * within[:, None] * within[None, :]
    return np.stack([grid + 10 * n for n in range(prompts)])  # a prompt's own level says nothing


@pytest.mark.parametrize("only", ["meaning", "words", "opening", "interaction"])
def test_a_grid_with_one_part_has_a_share_of_one_in_it(only):
    share = meaning_share(made(**{only: 2.0}), RIGHT)
    assert getattr(share, only) == pytest.approx(1)
    assert sum(parts(share)) == pytest.approx(1)


def test_shares_are_those_of_the_squares():
    share = meaning_share(made(meaning=3, words=1, opening=2, interaction=1), RIGHT)
    assert parts(share) == pytest.approx((9 / 15, 1 / 15, 4 / 15, 1 / 15))
    assert share.gap == pytest.approx(6)
    assert (share.prompts, share.missing) == (3, 0)


@given(st.integers(2, 5), st.integers(2, 6), st.integers(0, 10**6))
@patient
def test_any_grid_falls_into_four_parts_that_add_up(openings, phrases, seed):
    grid = rng(seed).normal(size=(3, openings, phrases))
    right = [k < (phrases + 1) // 2 for k in range(phrases)]
    share = meaning_share(grid, right)
    assert sum(parts(share)) == pytest.approx(1)
    assert min(parts(share)) >= -1e-12
    turned = meaning_share(-3 * grid + 5, right)  # another unit, the other sign
    assert parts(turned) == pytest.approx(parts(share))
    assert turned.gap == pytest.approx(-3 * share.gap)


def test_agrees_with_a_fit_by_least_squares():
    """The sums of squares explained by nested linear models, one prompt at a time."""
    grid = rng(0).normal(size=(4, 3, 4)) + made(meaning=0.7, opening=0.5, prompts=4)[:, :3]
    p, w = (index.ravel() for index in np.indices((3, 4)))
    models = [
        np.eye(1)[np.zeros(12, int)],
        np.eye(2)[np.array(RIGHT, int)[w]],
        np.eye(4)[w],
        np.hstack([np.eye(4)[w], np.eye(3)[p]]),
    ]
    explained = []
    for model in models:
        fits = [model @ np.linalg.lstsq(model, r.ravel(), rcond=None)[0] for r in grid]
        explained.append(
            sum((r.ravel() - f) @ (r.ravel() - f) for r, f in zip(grid, fits, strict=True))
        )
    total = explained[0]
    meaning, words, opening = (-np.diff(explained)) / total
    share = meaning_share(grid, RIGHT)
    assert parts(share)[:3] == pytest.approx((meaning, words, opening))


def test_noise_has_the_share_of_its_degrees_of_freedom():
    share = meaning_share(rng(1).normal(size=(4000, 7, 4)), RIGHT)
    assert parts(share) == pytest.approx((1 / 27, 2 / 27, 6 / 27, 18 / 27), abs=0.005)
    assert share.noise == pytest.approx(1 / 27)
    assert share.right == pytest.approx(0.5, abs=0.03)


def test_length_alone_can_look_like_meaning():
    """Longer right phrases, rewarded for their length: a large share, and no understanding."""
    lengths = np.array([3.0, 2, 1, 1])
    grid = np.broadcast_to(lengths, (2, 5, 4)) + np.arange(5)[:, None] * 0.0
    share = meaning_share(grid, RIGHT)
    assert share.meaning > 0.7
    assert share.words > 0.1


def test_a_reward_that_prefers_every_wrong_phrase_has_the_whole_share_and_the_wrong_sign():
    share = meaning_share(made(meaning=-1), RIGHT)
    assert share.meaning == pytest.approx(1)
    assert share.gap < 0
    assert share.right == 0


def test_missing_rewards_are_left_out_with_their_rows_and_said():
    grid = made(meaning=3, opening=2, prompts=4)
    expected = meaning_share(np.delete(grid, 1, axis=1)[:1], RIGHT)
    holes = grid[:1].copy()
    holes[0, 1, 2] = np.nan
    share = meaning_share(holes, RIGHT)
    assert parts(share) == pytest.approx(parts(expected))
    assert share.missing == 4  # the whole row of the hole
    assert share.prompts == 1
    grid[3, 1:, 0] = np.nan  # one whole opening left: nothing to compare
    share = meaning_share(grid, RIGHT)
    assert (share.prompts, share.missing) == (3, 16)


def test_the_interval_is_over_prompts():
    steady = meaning_share(made(meaning=2, opening=1, prompts=20), RIGHT)
    assert steady.interval == pytest.approx(wilson_interval(20 * steady.meaning, 20))
    noisy = np.concatenate([made(meaning=2, prompts=10), made(opening=2, prompts=10)])
    share = meaning_share(noisy, RIGHT)
    low, high = share.interval
    assert 0.2 < low < share.meaning < high < 0.8


@pytest.mark.parametrize("prompts", [1, 3, 9])
def test_few_prompts_that_agree_are_no_certainty(prompts):
    """Three of three: Wilson's for three cases, 44 to 100 %, and not 100 to 100 %."""
    nearly = made(meaning=2, prompts=prompts)
    nearly += rng(3).normal(size=nearly.shape) * 1e-3
    for grid in (made(meaning=2, prompts=prompts), nearly):
        share = meaning_share(grid, RIGHT)
        assert share.meaning == pytest.approx(1, abs=1e-5)
        low, high = share.interval
        assert (low, high) == pytest.approx(wilson_interval(prompts, prompts), abs=1e-4)
        assert low < 0.71
    if prompts == 3:
        assert low == pytest.approx(0.4385, abs=1e-3)


@pytest.mark.slow
def test_the_interval_of_few_prompts_covers_the_truth():
    """Of prompts of which one in five has no meaning at all; the plain percentiles do not."""
    draw, hit, plain = rng(4), 0, 0
    whole, none = made(meaning=1)[0], made(opening=1)[0]
    for _ in range(400):
        grid = np.stack([whole if draw.random() < 0.8 else none for _ in range(5)])
        share = meaning_share(grid, RIGHT)
        hit += share.interval[0] <= 0.8 <= share.interval[1]
        units = np.array([g.std(axis=0).max() < 1e-9 for g in grid], dtype=float)
        low, high = np.quantile(draw.choice(units, (500, 5)).mean(1), (0.025, 0.975))
        plain += low <= 0.8 <= high
    assert hit / 400 >= 0.93
    assert plain / 400 < 0.75


def test_accuracies_of_ordered_pairs_are_those_of_the_pairs():
    grid = rng(2).integers(-2, 3, size=(5, 3, 4)).astype(float)
    table = opening_accuracies(grid, RIGHT)
    for a in range(3):
        for b in range(3):
            yes = [grid[n, a, i] for n in range(5) for i in (0, 1) for _ in (2, 3)]
            no = [grid[n, b, j] for n in range(5) for _ in (0, 1) for j in (2, 3)]
            assert table[a, b] == pytest.approx(accuracy(yes, no))


def test_tensors_and_lists_will_do():
    grid = torch.tensor(made(meaning=1, opening=1), dtype=torch.float32, requires_grad=True)
    assert meaning_share(grid, RIGHT).meaning == pytest.approx(0.5)
    assert opening_accuracies(grid.tolist(), RIGHT).shape == (4, 4)


@pytest.mark.parametrize(
    ("grid", "right", "why"),
    [
        (np.zeros((2, 3, 4)), RIGHT, "no variance"),
        (np.full((2, 3, 4), np.nan), RIGHT, "no prompt has two openings"),
        (np.zeros((2, 1, 4)), RIGHT, "two or more openings"),
        (np.zeros((3, 4)), RIGHT, "two or more openings"),
        (np.ones((2, 3, 4)), RIGHT[:3], "phrases"),
        (np.ones((2, 3, 4)), [True] * 4, "some phrases must be right"),
        (np.ones((2, 3, 4)), [1, 1, -1, -1], "some phrases must be right"),
    ],
)
def test_what_is_no_grid_is_refused(grid, right, why):
    with pytest.raises(ValueError, match=why):
        meaning_share(grid, right)


def test_accuracies_want_every_reward():
    grid = made(meaning=1)
    grid[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="1 of the 48 rewards are missing"):
        opening_accuracies(grid, RIGHT)
