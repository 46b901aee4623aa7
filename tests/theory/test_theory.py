"""Theorem 1 on all n! responses and random spaces; Theorem 2 against autograd, scikit-learn."""

import itertools
import math

import networkx as nx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import patient, tiny, tokenizer
from torch.nn.functional import cosine_similarity, logsigmoid

from minirm import PreferencePair
from minirm.losses import bradley_terry_loss
from minirm.theory.hulls import nearest_weights
from minirm.theory.unseen_tokens import (
    SingleTokens,
    head_step,
    max_margin_direction,
    single_tokens,
    unembedding_step,
)
from minirm.theory.verification import leak, log_odds, odds_bound, tilt, tilt_numbers

# ------------------------------------------------------------------------------------ Theorem 1


def permutations_of(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A reference over all n! orders of a graph's vertices, and which are Hamiltonian cycles."""
    hidden = nx.cycle_graph(n)
    graph = nx.compose(hidden, nx.gnp_random_graph(n, 0.2, seed=seed))
    correct = [
        all(itertools.starmap(graph.has_edge, itertools.pairwise([*order, order[0]])))
        for order in itertools.permutations(graph)
    ]
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(len(correct), generator=generator, dtype=torch.float64)
    return logits.log_softmax(0), torch.tensor(correct)


@pytest.mark.parametrize("n", [5, 6, 7])
@pytest.mark.parametrize("beta", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("delta", [0.001, 0.1, 5.0])
def test_the_tilt_on_every_order_of_a_graphs_vertices(n, beta, delta):
    reference, correct = permutations_of(n, seed=n)
    assert 2 * n <= int(correct.sum()) < math.factorial(n)
    policy = tilt(reference, correct, delta / beta)
    got = odds_bound(policy, reference, correct, beta)
    assert got.margin.item() == pytest.approx(delta, abs=1e-12)
    assert got.gain.item() == pytest.approx(delta / beta, abs=1e-10)  # equality in the converse

    c = reference[correct].exp().sum()
    closed = tilt_numbers(c, beta, delta)
    assert policy.exp().sum().item() == pytest.approx(1)
    assert policy[correct].logsumexp(0).item() == pytest.approx(
        closed.log_correct.item(), abs=1e-12
    )
    assert closed.log_correct <= closed.log_bound + 1e-12
    kl = (policy.exp() * (policy - reference)).sum()
    assert kl.item() == pytest.approx(closed.kl.item(), rel=1e-7, abs=1e-13)
    assert closed.margin.item() == pytest.approx(delta)


@pytest.mark.parametrize("amount", [0.0, 1e-6, 0.5, 20.0, 400.0])
def test_the_leak_keeps_compared_margins_and_takes_the_rest(amount):
    reference, correct = permutations_of(5, seed=1)
    garbage, beta, delta = int((~correct).nonzero()[0]), 0.1, 0.5
    leaked = leak(tilt(reference, correct, delta / beta), garbage, amount)
    closed = tilt_numbers(
        reference[correct].exp().sum(), beta, delta, amount=amount, garbage=reference[garbage].exp()
    )
    compared = torch.arange(len(reference)) != garbage
    rewards = beta * (leaked - reference)
    margin = rewards[correct].min() - rewards[~correct & compared].max()
    assert margin.item() == pytest.approx(delta)
    assert leaked.exp().sum().item() == pytest.approx(1)
    assert leaked[correct].logsumexp(0).item() == pytest.approx(
        closed.log_correct.item(), rel=1e-12
    )
    assert (rewards[garbage] - rewards[correct].max()).item() == pytest.approx(
        closed.garbage_lead.item(), rel=1e-9
    )
    kl = (leaked.exp() * (leaked - reference)).sum()
    assert kl.item() == pytest.approx(closed.kl.item(), rel=1e-9)
    bound = odds_bound(leaked, reference, correct, beta)
    assert bound.margin.item() == pytest.approx(closed.margin.item(), rel=1e-9)
    assert bound.gain >= bound.margin / beta - 1e-9  # the converse speaks of all responses


distributions = st.integers(2, 12).flatmap(
    lambda k: st.tuples(
        *(st.lists(st.floats(-30, 30), min_size=k, max_size=k) for _ in range(2)),
        st.integers(1, k - 1),
    )
)


@patient
@given(distributions, st.floats(1e-3, 10))
def test_no_policy_escapes_the_converse(lists, beta):
    policy, reference = (torch.tensor(x, dtype=torch.float64).log_softmax(0) for x in lists[:2])
    correct = torch.arange(len(policy)) < lists[2]
    got = odds_bound(policy, reference, correct, beta)
    assert got.gain >= got.margin / beta - 1e-9
    odds = policy.exp()[correct].sum() / policy.exp()[~correct].sum()
    assert log_odds(policy, correct).item() == pytest.approx(odds.log().item(), abs=1e-9)


@patient
@given(st.floats(-30, -1e-3), st.floats(1e-4, 5e3))
def test_closed_forms_hold_at_every_scale(log_c, t):
    c = math.exp(log_c)
    got = tilt_numbers(c, 1.0, t)
    # pi(C) = sigma(logit c + t), by the odds; the bound; KL as that between two coins
    logit = log_c - math.log1p(-c) + t
    assert got.log_correct.item() == pytest.approx(
        logsigmoid(torch.tensor(logit, dtype=torch.float64)).item(), rel=1e-9, abs=1e-12
    )
    assert got.log_correct <= got.log_bound + 1e-12
    assert got.log_bound.item() == min(0.0, math.log(c) + t)
    assert 0 <= got.kl.item() <= -log_c + 1e-9
    assert got.garbage_lead.item() == pytest.approx(-t)
    if t <= 1e-3:  # second order: KL = c (1 - c) t^2 / 2, which a difference would lose
        assert got.kl.item() == pytest.approx(c * (1 - c) * t * t / 2, rel=2e-3)


def test_closed_forms_broadcast():
    c = torch.tensor([[1e-6], [0.1]])
    got = tilt_numbers(c, 0.01, torch.tensor([0.1, 1.0, 50.0]), amount=2.0)
    assert got.log_correct.shape == got.kl.shape == got.garbage_lead.shape == (2, 3)
    assert got.log_correct[0, 1].item() == tilt_numbers(c[0, 0], 0.01, 1.0, amount=2.0)[0].item()


def test_a_tilt_of_thousands_of_nats_is_finite():
    reference, correct = permutations_of(4, seed=0)
    policy = tilt(reference, correct, 5000.0)
    assert policy[correct].logsumexp(0).item() == pytest.approx(0, abs=1e-12)
    assert torch.isfinite(policy).all()
    assert odds_bound(policy, reference, correct, 0.01).margin.item() == pytest.approx(50)
    assert torch.isfinite(torch.stack(tilt_numbers(1e-9, 0.001, 50.0, amount=100.0))).all()


def test_theorem_1_refuses_what_is_no_space_of_responses():
    reference, correct = permutations_of(4, seed=0)
    with pytest.raises(ValueError, match=r"add up to 1, not to 0\.\d"):
        tilt(reference[1:], correct[1:], 1.0)
    with pytest.raises(ValueError, match=r"got \(24,\) and \(23,\)"):
        tilt(reference, correct[1:], 1.0)
    with pytest.raises(ValueError, match="0 of 24 responses are correct"):
        odds_bound(reference, reference, torch.zeros_like(correct), 0.1)
    with pytest.raises(ValueError, match="add up to 1"):
        odds_bound(reference + 1, reference, correct, 0.1)


# ------------------------------------------------------------------------------------ Theorem 2


V, D = 9, 6


def random_tokens(seed: int, n: int = 5) -> tuple[SingleTokens, torch.Tensor]:
    """Comparisons among the tokens 0 to 4 (some of them several times), and a U of V rows."""
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(3, n, D, generator=generator, dtype=torch.float64)
    chosen = torch.randint(0, 3, (n,), generator=generator)
    rejected = torch.randint(3, 5, (n,), generator=generator)
    unembedding = torch.randn(V, D, generator=generator, dtype=torch.float64)
    return SingleTokens(states[0], chosen, rejected, states[1], states[2]), unembedding


def full_softmax_margins(data, unembedding, reference, beta):
    policy, frozen = ((data.prompt @ u.T).log_softmax(-1) for u in (unembedding, reference))
    rows = torch.arange(len(data.prompt))
    ratio = beta * (policy - frozen)
    return ratio[rows, data.chosen], ratio[rows, data.rejected]


@pytest.mark.parametrize("seed", range(4))
def test_the_unembeddings_step_is_that_of_the_full_softmax(seed):
    data, reference = random_tokens(seed)
    beta, lr = 0.7, 0.3
    mine = start = reference + 0.1 * reference.roll(1, 0)  # pi is not pi_ref
    theirs = start.clone()
    for _ in range(20):
        mine = unembedding_step(mine, reference, data, beta, lr)
        theirs.requires_grad_()
        loss = bradley_terry_loss(*full_softmax_margins(data, theirs, reference, beta))
        (gradient,) = torch.autograd.grad(loss, theirs)
        theirs = (theirs - lr * gradient).detach()
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-13)
    chosen, rejected = full_softmax_margins(data, mine, reference, beta)
    torch.testing.assert_close(
        data.implicit_margins(mine, reference, beta), chosen - rejected, rtol=0, atol=1e-12
    )
    assert torch.equal(mine[5:], start[5:])  # claim (ii): rows of unseen tokens do not move ...
    log_probs = [(data.prompt @ u.T).log_softmax(-1)[:, 5:] for u in (start, mine)]
    assert (log_probs[0] - log_probs[1]).abs().max() > 1e-2  # ... though their probabilities do


@pytest.mark.parametrize("seed", range(4))
def test_the_heads_step_is_autograds(seed):
    data, _ = random_tokens(seed)
    head = torch.linspace(-1, 2, D, dtype=torch.float64).requires_grad_()
    loss = bradley_terry_loss(data.after_chosen @ head, data.after_rejected @ head)
    (gradient,) = torch.autograd.grad(loss, head)
    head = head.detach()
    step = head_step(head, data.difference, 0.3) - head
    torch.testing.assert_close(step, -0.3 * gradient, rtol=0, atol=1e-14)
    normalised = head_step(head, data.difference, 0.3, normalised=True) - head
    torch.testing.assert_close(normalised, -0.3 * gradient / gradient.norm())


def test_a_normalised_step_survives_margins_that_underflow():
    data, _ = random_tokens(0)
    u = 1e5 * max_margin_direction(data.difference)
    step = head_step(u, data.difference, 0.3, normalised=True) - u
    assert step.norm().item() == pytest.approx(0.3, rel=1e-6)
    assert torch.equal(head_step(u, data.difference, 0.3), u)  # sigma(-1e5) is 0


@pytest.mark.parametrize("seed", range(6))
def test_claims_i_and_iii_within_the_theorems_step_size(seed):
    data, reference = random_tokens(seed)  # five points in six dimensions: separable
    beta = 0.5
    states = torch.cat([data.prompt, data.after_chosen, data.after_rejected])
    largest = states.norm(dim=-1).max().item()
    lr = 1.9 / largest**2 * min(1, beta**-2)
    u, unembedding = torch.zeros(D, dtype=torch.float64), reference
    best = max_margin_direction(data.difference)
    losses, cosines = [], []
    for _ in range(3000):
        u = head_step(u, data.difference, lr)
        unembedding = unembedding_step(unembedding, reference, data, beta, lr)
        margins = data.explicit_margins(u), data.implicit_margins(unembedding, reference, beta)
        losses.append([-logsigmoid(m).mean().item() for m in margins])
        cosines.append(cosine_similarity(u, best, dim=0).item())
    explicit, implicit = zip(*losses, strict=True)
    assert list(explicit) == sorted(explicit, reverse=True)
    assert explicit[-1] < 0.05
    assert implicit[-1] < implicit[100] / 3
    assert (margins[0] > 0).all()
    assert cosines[-1] > max(cosines[0], 0.97)


@pytest.mark.needs("sklearn")
@pytest.mark.parametrize("n", [3, 20])
@pytest.mark.parametrize("seed", range(5))
def test_max_margin_is_scikit_learns_support_vector_machine(n, seed):
    from sklearn.svm import SVC

    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(n, D, generator=generator, dtype=torch.float64)
    points *= torch.sign(points[:, :1]) * 7.3  # separable: every first coordinate is positive
    u = max_margin_direction(points)
    assert (points @ u).min().item() == pytest.approx(1)
    # Of a set and its mirror image, the separating plane with the widest margin has no offset.
    mirrored = torch.cat([points, -points]).numpy()
    machine = SVC(kernel="linear", C=1e9, tol=1e-9).fit(mirrored, [1] * n + [-1] * n)
    theirs = torch.tensor(machine.coef_[0])
    assert cosine_similarity(u, theirs, dim=0).item() == pytest.approx(1, abs=1e-8)
    assert u.norm().item() == pytest.approx(theirs.norm().item(), rel=1e-4)


@pytest.mark.parametrize("seed", [None, *range(20)])
def test_max_margin_is_optimal_where_points_lie_on_edges_between_others(seed):
    """Certified: u / |u|^2 is a mean of differences, so no u of margin 1 everywhere is shorter.

    On the first set scipy's ``nnls`` stops with less than two thirds of the greatest margin.
    """
    points = torch.tensor(
        [[2, 2, 2, 0.01], [1, 2, 1, 0], [1, 0, 1, 0], [1, 0, 1, 0], [2, 0, 0, 0], [3, 2, 1, 0]],
        dtype=torch.float64,
    )
    if seed is not None:
        generator = torch.Generator().manual_seed(seed)
        points = torch.randint(0, 3, (12, 4), generator=generator).double()
        points[:, 0] += 1
        points = torch.cat([points, 0.01 * torch.eye(12, dtype=torch.float64)[:, :3]], -1)
    u = max_margin_direction(points)
    weight = nearest_weights(points)
    assert weight.min() >= 0
    assert weight.sum().item() == pytest.approx(1)
    assert (points @ u).min().item() == pytest.approx(1)
    torch.testing.assert_close(weight @ points, u / (u @ u), rtol=1e-5, atol=1e-7)
    assert (weight[points @ u > 1 + 1e-5] < 1e-8).all()


def test_max_margin_scales_and_refuses():
    points = torch.tensor([[1.0, 2.0], [2.0, 1.0]])
    assert max_margin_direction(points).tolist() == pytest.approx([1 / 3, 1 / 3])
    assert max_margin_direction(1e4 * points).dtype == torch.float32
    assert (1e4 * points @ max_margin_direction(1e4 * points)).min().item() == pytest.approx(1)
    with pytest.raises(ValueError, match="not separable"):
        max_margin_direction(torch.zeros(2, 3))
    opposed = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(ValueError, match="the 3 differences are not separable"):
        max_margin_direction(opposed)
    with pytest.raises(ValueError, match="not separable"):
        max_margin_direction(torch.randn(200, 2, generator=torch.Generator().manual_seed(0)))


def test_single_tokens_read_the_states_of_definition():
    model, tok = tiny(vocab=len(tokenizer())), tokenizer()
    pairs = [
        PreferencePair("Would you? ", "yes", "no"),
        PreferencePair("My, my. ", "never", "sure"),
    ]
    data = single_tokens(model, tok, pairs)
    for i, pair in enumerate(pairs):
        prompt = tok(pair.prompt)["input_ids"]
        for side, token, after in (
            (pair.chosen, data.chosen, data.after_chosen),
            (pair.rejected, data.rejected, data.after_rejected),
        ):
            (word,) = tok(side, add_special_tokens=False)["input_ids"]
            assert token[i].item() == word
            with torch.no_grad():
                h = model.base_model(torch.tensor([[*prompt, word]])).last_hidden_state[0]
            torch.testing.assert_close(data.prompt[i], h[-2], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(after[i], h[-1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(data.difference, data.after_chosen - data.after_rejected)


def test_single_tokens_name_the_pieces_of_a_longer_response():
    pairs = [PreferencePair("Would you? ", "of course", "no")]
    with pytest.raises(ValueError, match=r"2 tokens \['of ', 'course'\]"):
        single_tokens(tiny(vocab=len(tokenizer())), tokenizer(), pairs)
