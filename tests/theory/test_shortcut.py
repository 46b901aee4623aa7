"""The appendix on the shortcut: its statements on random instances, and with one thing dropped."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, reject
from hypothesis import strategies as st
from tiny import patient

from minirm import bradley_terry_loss
from minirm.metrics import meaning_share, opening_accuracies
from minirm.theory.shortcut import (
    Cues,
    kinds,
    prefix_gap,
    share_of_meaning,
    shortest_difference,
)
from minirm.theory.unseen_tokens import head_step

D = 10
seeds = st.integers(0, 10**6)
agreements = st.floats(0.5, 1.0)


def normal(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def random_cues(seed: int, sizes=(3, 2, 2, 3), *, orthogonal: bool = True) -> Cues:
    """Prefixes in one half of a turned space and words in the other, or both anywhere."""
    turn = torch.linalg.qr(normal(seed, D, D)).Q
    parts = []
    for k, size in enumerate(sizes):
        block = turn[: D // 2] if k < 2 else turn[D // 2 :]
        parts.append(normal(seed + k + 1, size, D // 2) @ block + (-1) ** k * block[0])
    if not orthogonal:
        parts = [part + 0.5 * normal(seed + 9 + k, *part.shape) for k, part in enumerate(parts)]
    return Cues(*parts)


def weighted_pairs(cues: Cues, agreement: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Every pair of answers whose prefixes are drawn for themselves, and its probability."""
    sides = []
    kinds_of_prefix = (cues.before_chosen, cues.before_rejected)
    for words, own in ((cues.chosen, 0), (cues.rejected, 1)):
        answers, weights = [], []
        for prefixes, share in (
            (kinds_of_prefix[own], agreement),
            (kinds_of_prefix[1 - own], 1 - agreement),
        ):
            answers.append((prefixes[:, None] + words).flatten(0, 1))
            count = len(answers[-1])
            weights.append(torch.full((count,), share / count, dtype=torch.float64))
        sides.append((torch.cat(answers), torch.cat(weights)))
    (good, p), (bad, q) = sides
    return (good[:, None] - bad).flatten(0, 1), torch.outer(p, q).flatten()


# ------------------------------------------------------------------------------- the first step


@patient
@given(seeds, agreements)
def test_the_first_step_is_that_of_autograd(seed, agreement):
    """Features that add up are all that it needs: the blocks may overlap."""
    cues = random_cues(seed, orthogonal=False)
    pairs, weight = weighted_pairs(cues, agreement)
    head = torch.zeros(D, dtype=torch.float64, requires_grad=True)
    loss = (weight * torch.nn.functional.softplus(-pairs @ head)).sum()
    (gradient,) = torch.autograd.grad(loss, head)
    torch.testing.assert_close(-2 * gradient, cues.first_step(agreement), rtol=0, atol=1e-12)


def test_the_loss_of_that_is_the_librarys():
    margins = normal(0, 7)
    weighed = torch.nn.functional.softplus(-margins).mean()
    torch.testing.assert_close(weighed, bradley_terry_loss(margins, torch.zeros_like(margins)))


def grid(head: torch.Tensor, prefixes: torch.Tensor, right: torch.Tensor, wrong: torch.Tensor):
    """Rewards of new prefixes before new words, [1, P, W]; and which words are right."""
    words = torch.cat([right, wrong])
    says = [True] * len(right) + [False] * len(wrong)
    return ((prefixes[:, None] + words) @ head)[None], says


def predicted(cues: Cues, agreement: float, prefixes, right, wrong):
    """Meaning's share by the closed form of the first step, orthogonal blocks."""
    mu, p = cues.word, cues.prefix
    meaning = ((right @ mu).mean() - (wrong @ mu).mean()).item() ** 2 / 4
    words = torch.cat([right @ mu - (right @ mu).mean(), wrong @ mu - (wrong @ mu).mean()])
    opening = (2 * agreement - 1) ** 2 * (prefixes @ p).var(correction=0).item()
    return meaning / (meaning + (words**2).mean().item() + opening)


@patient
@given(seeds, agreements)
def test_the_dose_of_new_prefixes_before_new_words(seed, agreement):
    cues, new = random_cues(seed), random_cues(seed, (5, 1, 3, 3))
    new = Cues(*(part + 0.1 * part.roll(1, 0) for part in vars(new).values()))
    rewards, says = grid(cues.first_step(agreement), new.before_chosen, new.chosen, new.rejected)
    share = meaning_share(rewards, says)
    closed = predicted(cues, agreement, new.before_chosen, new.chosen, new.rejected)
    assert share.meaning == pytest.approx(closed, rel=1e-9, abs=1e-12)
    assert share.interaction == pytest.approx(0, abs=1e-12)
    if agreement == 0.5:
        assert share.opening == pytest.approx(0, abs=1e-12)


def test_without_orthogonal_blocks_an_unconfounded_prefix_still_counts():
    """The counter-check: words that resemble prefixes lend them their weight."""
    cues, new = (random_cues(4, sizes, orthogonal=False) for sizes in ((2,) * 4, (5, 1, 3, 3)))
    rewards, says = grid(cues.first_step(0.5), new.before_chosen, new.chosen, new.rejected)
    share = meaning_share(rewards, says)
    assert share.opening > 0.01
    closed = predicted(cues, 0.5, new.before_chosen, new.chosen, new.rejected)
    assert abs(share.meaning - closed) > 0.01


@patient
@given(seeds, agreements, st.floats(0.01, 2.0))
def test_a_leak_into_the_last_state_costs_its_fourth_power(seed, agreement, leak):
    cues = random_cues(seed, (1, 1, 1, 1))
    last = Cues(leak * cues.before_chosen, leak * cues.before_rejected, cues.chosen, cues.rejected)
    prefixes = torch.cat([last.before_chosen, last.before_rejected])
    share = meaning_share(*grid(last.first_step(agreement), prefixes, last.chosen, last.rejected))
    ratio = (cues.prefix.norm() / cues.word.norm()).item()
    closed = 1 / (1 + (2 * agreement - 1) ** 2 * leak**4 * ratio**4)
    assert share.meaning == pytest.approx(closed, rel=1e-9)
    there = torch.tensor(agreement, dtype=torch.float64)
    assert share_of_meaning(there, leak * ratio).item() == pytest.approx(closed, rel=1e-12)


# ------------------------------------------------------------------------------------- the swap


@patient
@given(st.floats(-3, 3), st.floats(-3, 3))
def test_a_verdict_turns_with_the_swap_where_less_than_half_is_meaning(opening, meaning):
    assume(abs(opening) + abs(meaning) > 1e-3)
    assume(abs(abs(opening) - abs(meaning)) > 1e-6)
    halves = np.array([[opening / 2], [-opening / 2]]) + np.array([meaning / 2, -meaning / 2])
    accuracies = opening_accuracies(halves[None], [True, False])
    turns = accuracies[0, 1] != accuracies[1, 0]
    assert turns == (abs(opening) > abs(meaning))
    assert turns == (meaning_share(halves[None], [True, False]).meaning < 0.5)


@patient
@given(seeds, st.floats(0.01, 4))
def test_over_all_openings_accuracy_does_not_fall_below_one_half(seed, meaning):
    """It is one half plus half the share of opening pairs whose gap is smaller than meaning's."""
    openings = normal(seed, 7).numpy()
    rewards = openings[:, None] + np.array([meaning / 2, -meaning / 2])
    pairs = list(itertools.permutations(range(7), 2))
    table = opening_accuracies(rewards[None], [True, False])
    smaller = np.mean([abs(openings[i] - openings[j]) < meaning for i, j in pairs])
    assert np.mean([table[pair] for pair in pairs]) == pytest.approx(0.5 + smaller / 2)


# ------------------------------------------------------------------------------- maximum margin


def hard_margin(points: torch.Tensor) -> torch.Tensor:
    """argmin |u| subject to <u, d> >= 1 for all points, certified by its optimality conditions."""
    v = shortest_difference(points, torch.zeros_like(points[:1]))
    square = (v @ v).item()
    if square < 1e-4:
        reject()  # not separable: another draw
    assert (points @ v).min().item() == pytest.approx(square, rel=1e-6)
    return v / square


@patient
@given(seeds)
def test_max_margin_takes_the_nearest_points_of_the_hulls(seed):
    cues = random_cues(seed)
    torch.testing.assert_close(cues.max_margin(), hard_margin(cues.pairs()), rtol=1e-6, atol=1e-8)


@patient
@given(seeds)
def test_with_one_prefix_and_word_a_side_it_is_the_first_steps_direction(seed):
    cues = random_cues(seed, (1, 1, 1, 1))
    first = cues.first_step(1.0)
    torch.testing.assert_close(cues.max_margin(), first / (first @ first))


def test_without_every_combination_the_closed_form_fails():
    """The counter-check: if each prefix has a word of its own, the hull of the pairs is smaller."""
    differ = 0
    for seed in range(4):
        cues = random_cues(seed, (2, 1, 2, 1))
        own = torch.stack(
            [a + w - cues.before_rejected[0] - cues.rejected[0]
             for a, w in zip(cues.before_chosen, cues.chosen, strict=True)]
        )  # fmt: skip
        differ += not torch.allclose(hard_margin(own), cues.max_margin(), rtol=1e-3)
    assert differ == 4


@patient
@given(seeds, st.sampled_from(["exchanged", "same prefix"]))
def test_exceptions_for_every_pair_of_words_take_all_weight_from_the_prefix(seed, kind):
    cues = random_cues(seed)
    words = (cues.chosen[:, None] - cues.rejected).flatten(0, 1)
    prefix = cues.before_chosen[0] - cues.before_rejected[0]
    exceptions = words - prefix if kind == "exchanged" else words
    u = hard_margin(torch.cat([cues.pairs(), exceptions]))
    torch.testing.assert_close(u, hard_margin(words), rtol=1e-6, atol=1e-8)
    prefixes = torch.cat([cues.before_chosen, cues.before_rejected])
    assert (prefixes @ u).abs().max() < 1e-7


def test_an_exception_for_one_pair_of_words_bounds_the_prefix_there_and_no_more():
    """The counter-check: the prefix keeps some weight, but on that pair the word outvotes it."""
    kept = 0
    for seed in range(10):
        cues = random_cues(seed)
        word = cues.chosen[0] - cues.rejected[0]
        prefix = cues.before_chosen[0] - cues.before_rejected[0]
        points = torch.cat([cues.pairs(), (word - prefix)[None]])
        u = hard_margin(points)
        assert word @ u >= 1 + prefix @ u - 1e-6
        kept += bool((prefix @ u).abs() > 1e-3)
    assert kept >= 3


# ------------------------------------------------------------------------- between the two


def descend(agreement: float, ratio: float, word_gap: float, *, independent: bool, lr: float):
    """The gaps of prefix and word under gradient descent, when the words have come so far apart."""
    p, mu = torch.tensor([ratio, 0.0]).double(), torch.tensor([0.0, 1.0]).double()
    agree, same, swap = (
        q.item() for q in kinds(torch.tensor(agreement).double(), independent=independent)
    )
    points, weight = torch.stack([p + mu, mu, mu - p]), torch.tensor([agree, same, swap]).double()
    head = torch.zeros(2).double()
    while head @ mu < word_gap:
        head = head + lr * (weight * torch.sigmoid(-(points @ head))) @ points
    return (head @ p).item(), (head @ mu).item()


@pytest.mark.parametrize("independent", [True, False])
@pytest.mark.parametrize(("agreement", "ratio"), [(0.6, 1.0), (0.9, 3.0), (0.97, 2.0), (1.0, 0.5)])
def test_the_gap_of_the_prefix_is_that_of_gradient_descent(agreement, ratio, independent):
    s, t = descend(agreement, ratio, 2.0, independent=independent, lr=0.01)
    there = torch.tensor([agreement], dtype=torch.float64)
    assert prefix_gap(there, ratio, t, independent=independent).item() == pytest.approx(s, rel=5e-3)
    share = share_of_meaning(there, ratio, t, independent=independent).item()
    assert share == pytest.approx(t**2 / (t**2 + s**2), rel=5e-3)


@patient
@given(st.floats(0.51, 0.995), st.floats(0.2, 2.5), st.floats(0.1, 6), st.booleans())
def test_the_prefix_gap_stays_below_its_log_odds_and_ends_at_half_of_them(a, ratio, t, independent):
    there = torch.tensor(a, dtype=torch.float64)
    q = kinds(there, independent=independent)
    assert sum(q).item() == pytest.approx(1)
    odds = math.log(q[0] / q[2])
    assert odds == pytest.approx((2 if independent else 1) * math.log(a / (1 - a)))
    assert 0 < prefix_gap(there, ratio, t, independent=independent).item() < odds
    late = prefix_gap(there, min(max(ratio, 1.0), 1.5), 18.0, independent=independent).item()
    assert late == pytest.approx(odds / 2, rel=1e-3)


def test_a_prefix_that_never_fails_has_no_bound():
    """The counter-check: at agreement 1 the prefix grows with the word, in proportion."""
    one = torch.ones(1, dtype=torch.float64)
    assert prefix_gap(one, 2.0, 10.0).item() == pytest.approx(4 * 10)
    for gap in (0.0, 3.0, math.inf):
        assert share_of_meaning(one, 2.0, gap).item() == pytest.approx(1 / 17)
    most = torch.tensor([0.99], dtype=torch.float64)
    shares = [share_of_meaning(most, 2.0, gap).item() for gap in (0.0, 1.0, 10.0, 50.0, math.inf)]
    assert shares == sorted(shares)
    assert shares[0] < 0.07
    assert shares[3] > 0.99
    assert shares[4] == 1


def test_the_share_along_training_is_that_of_head_steps_rewards():
    """The whole way once more with the library's own step and the library's own share."""
    cues = random_cues(3, (1, 1, 1, 1))
    ratio = (cues.prefix.norm() / cues.word.norm()).item()
    agreed, exchanged = cues.pairs(), cues.pairs(exchanged=True)
    pairs = torch.cat([agreed] * 9 + [exchanged])  # agreement .9, both sides together
    head = torch.zeros(D, dtype=torch.float64)
    for _ in range(3000):
        head = head_step(head, pairs, 0.002)
    t = (cues.word @ head).item()
    prefixes = torch.cat([cues.before_chosen, cues.before_rejected])
    share = meaning_share(*grid(head, prefixes, cues.chosen, cues.rejected))
    there = torch.tensor(0.9, dtype=torch.float64)
    closed = share_of_meaning(there, ratio, t, independent=False).item()
    assert share.meaning == pytest.approx(closed, rel=1e-2)
    assert share.meaning != pytest.approx(share_of_meaning(there, ratio).item(), rel=0.1)
