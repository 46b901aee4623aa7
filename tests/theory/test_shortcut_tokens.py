"""What a comparison of two tokens gives to openings that nobody trained; by autograd."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import patient

from minirm.theory.shortcut import TwoTokens

D = 10
seeds = st.integers(0, 10**6)


def normal(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


V = 12  # tokens 0 to 3 occur in training; the rest never


def two_tokens(seed: int, *, shared: bool) -> tuple[TwoTokens, torch.Tensor]:
    """Chosen [0, 2] over rejected [0, 3], or over [1, 3]; and an unembedding."""
    prompt, after, other = normal(seed, 3, D)
    first = 0 if shared else 1
    pair = TwoTokens((0, 2), (first, 3), prompt, after, after if shared else other)
    return pair, normal(seed + 1, V, D)


def log_odds(unembedding, state):
    """ln pi(t) - ln pi(11) for every token t."""
    logits = unembedding @ state
    return logits - logits[-1]


def log_ratio(pair: TwoTokens, unembedding, *, raw: bool):
    """ln pi(chosen) - ln pi(rejected), or the same of the logits alone."""
    if not raw:
        chosen, rejected = pair.logprobs(unembedding)
        return chosen - rejected
    first = (unembedding[pair.chosen[0]] - unembedding[pair.rejected[0]]) @ pair.prompt
    second = unembedding[pair.chosen[1]] @ pair.after_chosen
    return first + second - unembedding[pair.rejected[1]] @ pair.after_rejected


def train(pair: TwoTokens, reference, beta: float, lr: float, steps: int, *, raw: bool = False):
    """The implicit loss by autograd, full softmax; raw: logits in place of log-probabilities."""
    u, before = reference.clone(), log_ratio(pair, reference, raw=raw)
    for _ in range(steps):
        u.requires_grad_()
        margin = beta * (log_ratio(pair, u, raw=raw) - before)
        (gradient,) = torch.autograd.grad(-torch.nn.functional.logsigmoid(margin), u)
        u = (u - lr * gradient).detach()
    return u


@patient
@given(seeds, st.booleans(), st.floats(0.1, 2))
def test_one_step_moves_the_log_odds_of_openings_exactly_so(seed, shared, beta):
    pair, reference = two_tokens(seed, shared=shared)
    lr, state = 0.3, normal(seed + 2, D)
    after = train(pair, reference, beta, lr, 1)
    moved = log_odds(after, state) - log_odds(reference, state)
    push = lr * beta / 2 * pair.push(reference, state)
    torch.testing.assert_close(moved, push - push[-1], rtol=1e-9, atol=1e-10)


@patient
@given(seeds)
def test_the_push_of_openings_at_the_prompt_term_by_term(seed):
    """The proposition's formula: indicators, and what the two contexts expect of the openings."""
    pair, reference = two_tokens(seed, shared=False)
    state = normal(seed + 2, D)
    expect = [(reference @ h).softmax(-1) for h in (pair.after_chosen, pair.after_rejected)]
    one = torch.eye(V, dtype=torch.float64)
    push = (state @ pair.prompt) * (one[0] - one[1])
    push += (state @ pair.after_chosen) * (one[2] - expect[0])
    push -= (state @ pair.after_rejected) * (one[3] - expect[1])
    got = pair.push(reference, state)
    torch.testing.assert_close(got - got[-1], push - push[-1], rtol=1e-9, atol=1e-10)


@patient
@given(seeds)
def test_a_shared_first_token_leaves_all_other_rows_alone_at_every_step(seed):
    pair, reference = two_tokens(seed, shared=True)
    after = train(pair, reference, 0.7, 0.1, 20)
    moved = (after - reference).abs().amax(-1)
    assert moved[[2, 3]].min() > 1e-6
    assert moved[[0, 1, *range(4, V)]].max() < 1e-12
    state = normal(seed + 2, D)
    odds = log_odds(after, state) - log_odds(reference, state)
    assert odds[4:].abs().max() < 1e-10  # between two openings that are not the trained words
    assert odds[0].abs() < 1e-10  # the shared one has gained nothing on a new one


@patient
@given(seeds)
def test_an_opening_that_was_rejected_falls_behind_a_new_one(seed):
    """If no opening is expected after a first token: by the squared norm of the state, exactly."""
    pair, reference = two_tokens(seed, shared=False)
    bias = torch.zeros(V, dtype=torch.float64)
    bias[[2, 3]] = 60.0  # after a first token the two words have all of the probability
    place = torch.eye(D + 1, dtype=torch.float64)[-1]
    reference = torch.cat([reference, bias[:, None]], -1)
    wide = [torch.cat([h, h.new_zeros(1)]) for h in (pair.prompt, pair.after_chosen)]
    other = torch.cat([pair.after_rejected, bias.new_zeros(1)])
    pair = TwoTokens((0, 2), (1, 3), wide[0], wide[1] + place, other + place)
    push = pair.push(reference, pair.prompt)
    square = (pair.prompt @ pair.prompt).item()
    assert (push[1] - push[11]).item() == pytest.approx(-square, rel=1e-9)
    assert (push[0] - push[11]).item() == pytest.approx(square, rel=1e-9)
    assert (push[4:] - push[11]).abs().max() < 1e-9


def test_first_tokens_that_foretell_the_label_move_openings_that_nobody_trained():
    """The counter-check: not shared, and the states expect openings, so even new ones drift."""
    for seed in range(5):
        pair, reference = two_tokens(seed, shared=False)
        after = train(pair, reference, 0.7, 0.1, 20)
        odds = log_odds(after, pair.prompt) - log_odds(reference, pair.prompt)
        assert odds[4:].abs().max() > 1e-3


@patient
@given(seeds, st.booleans())
def test_a_vector_a_token_gives_nothing_to_tokens_that_are_new(seed, shared):
    pair, reference = two_tokens(seed, shared=shared)
    after = train(pair, reference, 0.7, 0.1, 20, raw=True)
    moved = (after - reference).abs().amax(-1)
    assert moved[[2, 3]].min() > 1e-6
    assert moved[4:].max() == 0
    assert (moved[0] < 1e-12) == shared
