"""One step of gradient descent: the formulas against the step itself."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import PAIRS, PROMPTS, RESPONSES, patient, perturb, same, tiny, tokenizer, weights

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, dynamics
from minirm.forward import hidden_states
from minirm.worlds import opinions

UNTIED = ("gpt_neox", "llama")
PAIR = PAIRS[0]
PROBES = list(zip(PROMPTS, RESPONSES, strict=True))
JUDGE = {"question": "{prompt}{response} " + opinions.CHECK, "yes": "Yes", "no": "No"}


def make(kind, architecture="gpt_neox", **options):
    """A reward model in float64 that has moved away from its start."""
    base = tiny(architecture, tie_word_embeddings=False).double()
    model = kind(base, tokenizer(), **options)
    perturb(model.model)
    return model


# -------------------------------------------------------------------------------------------- rho


def distributions(seed, rows, vocabulary, sharpness):
    """Random rows of probabilities, from flat to nearly certain."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, vocabulary, generator=draw, dtype=torch.float64)
    tokens = torch.randint(vocabulary, (rows,), generator=draw)
    return (sharpness * logits).softmax(-1), tokens


worlds = {
    "seed": st.integers(0, 2**32 - 1),
    "vocabulary": st.integers(2, 7),
    "sharpness": st.floats(0, 60),
}


@patient
@given(**worlds)
def test_rho_is_the_inner_product_of_two_surprises(seed, vocabulary, sharpness):
    p, y = distributions(seed, 4, vocabulary, sharpness)
    q, v = distributions(seed + 1, 3, vocabulary, sharpness)
    one_hot = torch.eye(vocabulary, dtype=torch.float64)
    direct = (one_hot[y] - p) @ (one_hot[v] - q).T
    torch.testing.assert_close(dynamics.rho(p, y, q, v), direct, rtol=0, atol=1e-14)


@patient
@given(**worlds)
def test_rho_is_in_0_2_on_a_match_and_in_minus_2_1_on_a_mismatch(seed, vocabulary, sharpness):
    p, y = distributions(seed, 6, vocabulary, sharpness)
    q, v = distributions(seed + 1, 5, vocabulary, sharpness)
    value, match = dynamics.rho(p, y, q, v), y[:, None] == v
    slack = 1e-12
    assert (value[match] >= -slack).all()
    assert (value[match] <= 2 + slack).all()
    assert (value[~match] >= -2 - slack).all()
    assert (value[~match] <= 1 + slack).all()
    # the sharper bound of the book: a token that was expected cannot be moved
    bound = 2 * (1 - p.gather(1, y[:, None])) * (1 - q.gather(1, v[:, None])).T
    assert (value <= bound + slack)[match].all()


def test_the_ends_of_the_range_are_reached_in_the_limit():
    certain = torch.eye(3, dtype=torch.float64)
    a, b, c = torch.arange(3)[:, None]
    ends = [
        dynamics.rho(certain[b], a, certain[b], a),  # both expected b, both got a
        dynamics.rho(certain[a], a, certain[b], b),  # nobody is surprised
        dynamics.rho(certain[b], a, certain[a], b),  # each expected what the other got
        dynamics.rho(certain[c], a, certain[c], b),  # both expected the same third token
    ]
    assert torch.cat(ends).flatten().tolist() == [2, 0, -2, 1]


@patient
@given(**worlds)
def test_synonyms_of_one_context_repel_by_one_half_at_most(seed, vocabulary, sharpness):
    p, _ = distributions(seed, 1, vocabulary, sharpness)
    tokens = torch.arange(vocabulary)
    every = p.expand(vocabulary, -1)
    value = dynamics.rho(every, tokens, every, tokens)
    assert value.min() >= -0.5 - 1e-12
    even = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    assert dynamics.rho(even, torch.tensor([0]), even, torch.tensor([1])).item() == -0.5


@patient
@given(**worlds)
def test_rho_is_zero_on_average_over_what_the_model_would_say(seed, vocabulary, sharpness):
    p, _ = distributions(seed, 1, vocabulary, sharpness)
    q, v = distributions(seed + 1, 4, vocabulary, sharpness)
    every = dynamics.rho(p.expand(vocabulary, -1), torch.arange(vocabulary), q, v)  # [V, L]
    torch.testing.assert_close(p @ every, torch.zeros(1, 4).double(), rtol=0, atol=1e-14)


def test_rho_names_shapes_that_do_not_go_together():
    p, token = torch.ones(2, 3) / 3, torch.tensor([0, 1])
    with pytest.raises(ValueError, match=r"\[2, 3\] and \[2, 4\]"):
        dynamics.rho(p, token, torch.ones(2, 4) / 4, token)
    with pytest.raises(ValueError, match=r"\[2\] and \[2\], got \[2\] and \[1\]"):
        dynamics.rho(p, token, p, token[:1])


# --------------------------------------------------------------------------------------- explicit


@pytest.mark.parametrize("architecture", UNTIED)
@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("lr", [1e-3, 1.0, 100.0])
def test_explicit_prediction_is_exact_at_any_step_size(architecture, pooling, lr):
    model = make(ExplicitRM, architecture, pooling=pooling)
    for prompt, response in PROBES:
        predicted = dynamics.predicted_change(model, PAIR, prompt, response, lr)
        actual = dynamics.actual_change(model, PAIR, prompt, response, lr)
        assert abs(predicted / lr) > 1e-3  # there is something to predict
        assert actual == pytest.approx(predicted, rel=1e-12, abs=1e-12)


def test_explicit_mean_pooling_is_a_double_sum_with_rho_one():
    """1 / (K L) over all pairs of positions, prefixes that include the token, no beta^2."""
    model, (prompt, response) = make(ExplicitRM, pooling="mean"), PROBES[3]

    def states(x, y):
        rows = model.rows([model.encode(x, y)])
        return hidden_states(model.model, rows)[0, rows.position].detach()  # at each token itself

    h, up, down = (
        states(*xy)
        for xy in ((prompt, response), (PAIR.prompt, PAIR.chosen), (PAIR.prompt, PAIR.rejected))
    )
    chosen, rejected = model.score([PAIR.prompt] * 2, [PAIR.chosen, PAIR.rejected])
    direct = (h @ up.T).mean() - (h @ down.T).mean()
    direct = 0.3 * torch.sigmoid(rejected - chosen) * direct
    predicted = dynamics.predicted_change(model, PAIR, prompt, response, 0.3)
    assert predicted == pytest.approx(direct.item(), rel=1e-12)


# --------------------------------------------------------------------------------------- implicit


@pytest.mark.parametrize("architecture", UNTIED)
def test_implicit_error_shrinks_as_the_square_of_the_step_over_four_decades(architecture):
    model = make(ImplicitRM, architecture, beta=1.0)
    prompt, response = PROBES[2]
    errors = []
    for lr in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5):
        predicted = dynamics.predicted_change(model, PAIR, prompt, response, lr)
        actual = dynamics.actual_change(model, PAIR, prompt, response, lr)
        errors.append((actual - predicted) / lr**2)
    assert abs(errors[-1]) > 1e-2  # there is a second order to see
    assert errors == pytest.approx([errors[-1]] * 5, rel=0.15)
    assert errors[1:] == pytest.approx([errors[-1]] * 4, rel=0.02)


@pytest.mark.parametrize("architecture", UNTIED)
def test_implicit_prediction_is_the_gradient_for_every_probe(architecture):
    model = make(ImplicitRM, architecture, beta=1.0)
    for prompt, response in PROBES:
        predicted = dynamics.predicted_change(model, PAIR, prompt, response, 1e-6)
        actual = dynamics.actual_change(model, PAIR, prompt, response, 1e-6)
        assert actual == pytest.approx(predicted, rel=1e-3)


def test_implicit_change_goes_with_beta_squared():
    prompt, response = PROBES[1]
    changes = []
    for beta in (0.01, 0.02, 0.04):
        model = make(ImplicitRM, beta=beta)
        model.reference.load_state_dict(model.model.state_dict())  # so that g is 1/2 for any beta
        changes.append(dynamics.predicted_change(model, PAIR, prompt, response, 1.0))
        actual = dynamics.actual_change(model, PAIR, prompt, response, 1e-3)
        assert actual * 1e3 == pytest.approx(changes[-1], rel=1e-2)
    assert changes[1] / changes[0] == pytest.approx(4, rel=1e-9)
    assert changes[2] / changes[0] == pytest.approx(16, rel=1e-9)


@pytest.mark.parametrize("kind", [ExplicitRM, ImplicitRM, GenerativeRM])
def test_a_step_raises_the_chosen_against_the_rejected(kind):
    model = make(kind, **(JUDGE if kind is GenerativeRM else {}))
    up, down = (
        dynamics.predicted_change(model, PAIR, PAIR.prompt, side, 1e-3)
        for side in (PAIR.chosen, PAIR.rejected)
    )
    assert up > down


def test_the_coupling_adds_up_to_the_prediction():
    model, (prompt, response) = make(ImplicitRM, beta=0.5), PROBES[0]
    tables = [
        dynamics.coupling(model, prompt, response, PAIR.prompt, side)
        for side in (PAIR.chosen, PAIR.rejected)
    ]
    lengths = [
        len(model.encode(PAIR.prompt, r).response) for r in (response, PAIR.chosen, PAIR.rejected)
    ]
    assert [t.push.shape for t in tables] == [(lengths[0], n) for n in lengths[1:]]
    assert all(torch.equal(t.push, t.rho * t.kernel) for t in tables)
    chosen, rejected = model.score([PAIR.prompt] * 2, [PAIR.chosen, PAIR.rejected])
    total = 0.25 * torch.sigmoid(rejected - chosen) * (tables[0].push.sum() - tables[1].push.sum())
    predicted = dynamics.predicted_change(model, PAIR, prompt, response, 1.0)
    assert predicted == pytest.approx(total.item(), rel=1e-12)
    # The first tokens of two answers to one question are predicted from one state.
    state = dynamics.coupling(model, PAIR.prompt, "nope", PAIR.prompt, PAIR.chosen).kernel[0, 0]
    rows = model.rows([model.encode(PAIR.prompt, "nope")])
    h = hidden_states(model.model, rows)[0, rows.source[0]]
    assert state.item() == pytest.approx(h.square().sum().item())


def test_without_the_softmax_rho_is_the_indicator():
    """r = beta sum_k <U[y_k], h_k>: the step on U reaches the tokens that were trained, alone."""
    model, (prompt, response), beta = make(ImplicitRM), PROBES[3], 0.5

    def read(x, y):
        rows = model.rows([model.encode(x, y)])
        return hidden_states(model.model, rows)[0, rows.source].detach(), rows.target

    (h, y), (up, v) = read(prompt, response), read(PAIR.prompt, PAIR.chosen)
    U = dynamics.last_layer(model).detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(beta * (U[v] * up).sum(), U)
    change = beta * (gradient[y] * h).sum()
    nothing = [torch.zeros(len(t), len(U)).double() for t in (y, v)]  # no softmax, no prediction
    indicator = dynamics.rho(nothing[0], y, nothing[1], v)
    assert torch.equal(indicator, (y[:, None] == v).double())
    assert 0 < indicator.sum() < indicator.numel()
    assert change.item() == pytest.approx(beta**2 * (indicator * (h @ up.T)).sum().item())


# ------------------------------------------------------------------------------------- generative


@pytest.mark.parametrize("architecture", UNTIED)
def test_generative_error_shrinks_as_the_square_of_the_step(architecture):
    model = make(GenerativeRM, architecture, **JUDGE)
    prompt, response = PROBES[0]
    errors = []
    for lr in (1e-2, 1e-3, 1e-4):
        predicted = dynamics.predicted_change(model, PAIR, prompt, response, lr)
        actual = dynamics.actual_change(model, PAIR, prompt, response, lr)
        errors.append((actual - predicted) / lr**2)
    assert abs(errors[-1]) > 1e-3
    assert errors == pytest.approx([errors[-1]] * 3, rel=0.2)


def test_generative_step_when_only_yes_and_no_are_possible():
    """lr p (1 - p) <h, (1 - p+) h+ - p- h->: nothing but states and three probabilities."""
    model, (prompt, response) = make(GenerativeRM, **JUDGE), PROBES[1]
    rows = model.rows(
        [
            model.encode(x, y)
            for x, y in (
                (prompt, response), (PAIR.prompt, PAIR.chosen), (PAIR.prompt, PAIR.rejected),
            )
        ]
    )  # fmt: skip
    with torch.no_grad():
        h, up, down = hidden_states(model.model, rows).flatten(0, 1)[rows.source]
        # Move Yes and No along the mean state until all the mass is theirs.
        U, mean = dynamics.last_layer(model), (h + up + down) / 3
        U[[model.yes_id, model.no_id]] += 60 * mean / mean.square().sum()
    p, p_up, p_down = model.score(*zip(
        (prompt, response), (PAIR.prompt, PAIR.chosen), (PAIR.prompt, PAIR.rejected), strict=True,
    )).tolist()  # fmt: skip
    direct = 0.1 * p * (1 - p) * (h @ ((1 - p_up) * up - p_down * down)).item()
    assert 0.01 < p < 0.99
    predicted = dynamics.predicted_change(model, PAIR, prompt, response, 0.1)
    assert predicted == pytest.approx(direct, rel=1e-6)


# ------------------------------------------------------------------------------ taking the step


@pytest.mark.parametrize("kind", [ExplicitRM, ImplicitRM, GenerativeRM])
@pytest.mark.parametrize("parameters", ["last", "trunk", "all"])
def test_the_step_moves_what_it_says_and_is_taken_back_bit_for_bit(kind, parameters):
    model = make(kind, **(JUDGE if kind is GenerativeRM else {}))
    before, last = weights(model), dynamics.last_layer(model)
    with dynamics.one_step(model, PAIRS[:2], 0.1, parameters=parameters):
        inside = weights(model)
        moved = {name for name in before if not torch.equal(before[name], inside[name])}
    (own,) = (name for name, w in model.named_parameters() if w is last)
    assert (own in moved) == (parameters != "trunk")
    assert bool(moved - {own}) == (parameters != "last")
    assert not any(name.startswith("reference.") for name in moved)
    assert same(before, weights(model))
    assert all(w.grad is None for w in model.parameters())


def test_the_step_is_taken_back_when_what_happens_inside_fails():
    model = make(ExplicitRM)
    before = weights(model)
    with pytest.raises(ZeroDivisionError), dynamics.one_step(model, [PAIR], 0.1, parameters="all"):
        1 / 0  # noqa: B018
    assert same(before, weights(model))


def test_a_step_on_all_parameters_is_one_of_plain_gradient_descent():
    model, lr, (prompt, response) = make(ImplicitRM), 0.01, PROBES[0]
    change = dynamics.actual_change(model, PAIR, prompt, response, lr, parameters="all")
    before = model.score([prompt], [response])
    optimizer = torch.optim.SGD(model.model.parameters(), lr=lr)
    rewards = [
        model.rewards(model.rows([model.encode(PAIR.prompt, side)]))
        for side in (PAIR.chosen, PAIR.rejected)
    ]
    torch.nn.functional.softplus(rewards[1] - rewards[0]).sum().backward()
    optimizer.step()
    assert change == pytest.approx((model.score([prompt], [response]) - before).item(), rel=1e-9)


def test_first_order_parts_add_up():
    model, (prompt, response) = make(ImplicitRM), PROBES[2]
    last, trunk, everything = (
        dynamics.actual_change(model, PAIR, prompt, response, 1e-6, parameters=part)
        for part in ("last", "trunk", "all")
    )
    assert min(abs(last), abs(trunk)) > 1e-13
    assert everything == pytest.approx(last + trunk, rel=1e-3)


def test_unknown_parameters_and_frozen_weights_are_named():
    model = make(ExplicitRM)
    with pytest.raises(ValueError, match="got 'head'"):
        dynamics.actual_change(model, PAIR, "a ", "b", 0.1, parameters="head")
    dynamics.last_layer(model).requires_grad_(False)
    with pytest.raises(ValueError, match="'last' is trained"):
        dynamics.actual_change(model, PAIR, "a ", "b", 0.1)


# ------------------------------------------------------------------------------- tied, soft-capped


@pytest.mark.parametrize("kind", [ImplicitRM, GenerativeRM])
def test_a_tied_unembedding_is_refused_and_an_untied_copy_is_not(kind):
    base = tiny("gpt2").double()
    options = JUDGE if kind is GenerativeRM else {"beta": 1.0}
    model = kind(base, tokenizer(), **options)
    for change in (dynamics.predicted_change, dynamics.actual_change):
        with pytest.raises(ValueError, match=r"dynamics\.untied"):
            change(model, PAIR, *PROBES[0], 0.1)
    with pytest.raises(ValueError, match=r"dynamics\.untied"):
        dynamics.coupling(model, *PROBES[0], PAIR.prompt, PAIR.chosen)
    dynamics.actual_change(model, PAIR, *PROBES[0], 1e-6, parameters="all")  # is no theory

    free = dynamics.untied(base)
    assert free.get_output_embeddings().weight is not free.get_input_embeddings().weight
    assert base.get_output_embeddings().weight is base.get_input_embeddings().weight
    model = kind(free, tokenizer(), **options)
    predicted = dynamics.predicted_change(model, PAIR, *PROBES[0], 1e-6)
    assert dynamics.actual_change(model, PAIR, *PROBES[0], 1e-6) == pytest.approx(
        predicted, rel=1e-3
    )


def test_an_explicit_model_on_a_tied_base_is_fine():
    """Its head is no unembedding."""
    model = ExplicitRM(tiny("gpt2").double(), tokenizer())
    predicted = dynamics.predicted_change(model, PAIR, *PROBES[0], 1.0)
    actual = dynamics.actual_change(model, PAIR, *PROBES[0], 1.0)
    assert actual == pytest.approx(predicted, abs=1e-12)


def test_logits_that_are_not_linear_in_the_state_are_refused():
    model = ImplicitRM(tiny("gemma2", tie_word_embeddings=False).double(), tokenizer())
    with pytest.raises(ValueError, match="soft cap"):
        dynamics.predicted_change(model, PAIR, *PROBES[0], 0.1)
