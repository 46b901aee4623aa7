"""What first-order theory says of a step: against finite differences, closed forms and AdamW."""

import pytest
import torch
from tiny import PAIRS, PROMPTS, RESPONSES, perturb, same, tiny, tokenizer, weights

from minirm import ExplicitRM, ImplicitRM, Trainer, dynamics
from minirm.first_order import slopes

PROBES = (PROMPTS[:3], RESPONSES[:3])


def make(kind, architecture="gpt_neox", **options):
    """A reward model in float64 that has moved away from its start."""
    base = tiny(architecture, tie_word_embeddings=False).double()
    model = kind(base, tokenizer(), **options)
    perturb(model.model)
    return model


def rewards(model):
    return model.rewards(model.rows([model.encode(x, y) for x, y in zip(*PROBES, strict=True)]))


@pytest.mark.parametrize("kind", [ExplicitRM, ImplicitRM])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_the_slope_is_the_limit_of_what_a_small_step_does(kind, rule):
    model = make(kind)
    ways = [
        dynamics.step_direction(model, PAIRS, parameters=part, rule=rule)
        for part in ("last", "trunk", "all")
    ]
    predicted = slopes(model, rewards(model), ways)
    assert predicted.shape == (3, 3)
    before, length = weights(model), {"sgd": 1e-4, "adam": 1e-7}[rule]
    for column, way in zip(predicted.T, ways, strict=True):
        ends = []
        for sign in (1, -1):
            with dynamics.moved(model, way, sign * length), torch.no_grad():
                ends.append(rewards(model))
        measured = (ends[0] - ends[1]) / (2 * length)
        torch.testing.assert_close(column, measured, rtol=1e-4, atol=1e-4 * measured.abs().max())
    assert same(weights(model), before)


def test_the_head_and_the_rest_add_up_to_the_whole():
    model = make(ImplicitRM)
    whole = dynamics.step_direction(model, PAIRS, rule="adam")
    parts = [
        dynamics.step_direction(model, PAIRS, rule="adam", parameters=part)
        for part in ("last", "trunk")
    ]
    assert sorted(whole) == sorted([*parts[0], *parts[1]])
    predicted = slopes(model, rewards(model), [*parts, whole])
    torch.testing.assert_close(predicted[:, 0] + predicted[:, 1], predicted[:, 2])


@pytest.mark.parametrize("kind", [ExplicitRM, ImplicitRM])
def test_a_plain_step_of_the_last_layer_has_the_slope_of_the_closed_form(kind):
    model, pair = make(kind), PAIRS[0]
    way = dynamics.step_direction(model, [pair], parameters="last")
    predicted = slopes(model, rewards(model), [way])[:, 0].tolist()
    closed = [
        dynamics.predicted_change(model, pair, *probe, lr=1.0)
        for probe in zip(*PROBES, strict=True)
    ]
    assert predicted == pytest.approx(closed, rel=1e-9)


@pytest.mark.parametrize("kind", [ExplicitRM, ImplicitRM])
def test_adams_direction_is_the_first_step_that_the_trainer_takes(kind):
    """On all pairs in one batch, in float32 and in double, with the optimiser of the book."""
    model, lr = make(kind), 1e-3
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    way = dynamics.step_direction(model, PAIRS, rule="adam")
    Trainer(model, PAIRS, lr=lr, epochs=1, batch_size=len(PAIRS), progress=False).fit()
    for name, weight in model.named_parameters():
        taken = (weight - before[name]).detach()
        expected = lr * way.get(name, torch.zeros_like(weight))
        torch.testing.assert_close(taken, expected, rtol=0, atol=1e-5 * lr)


def test_adams_direction_agrees_with_adamw_itself():
    model = make(ImplicitRM)
    way = dynamics.step_direction(model, PAIRS, rule="adam")
    gradient = dynamics.step_direction(model, PAIRS, rule="sgd")
    for name, weight in model.named_parameters():
        if name not in way:
            continue
        free = torch.nn.Parameter(torch.zeros_like(weight))
        free.grad = -gradient[name]
        torch.optim.AdamW([free], lr=1.0, weight_decay=0.0).step()
        torch.testing.assert_close(free.detach(), way[name], rtol=1e-9, atol=1e-9)


def test_one_step_takes_either_rule_and_puts_the_weights_back():
    model = make(ExplicitRM)
    before = weights(model)
    way = dynamics.step_direction(model, PAIRS, rule="adam", parameters="last")
    with dynamics.one_step(model, PAIRS, 0.1, rule="adam"):
        moved = model.model.score.weight - before["model.score.weight"]
        torch.testing.assert_close(moved, 0.1 * way["model.score.weight"])
    assert same(weights(model), before)


def test_what_cannot_be_asked_is_said():
    model = make(ExplicitRM)
    with pytest.raises(ValueError, match="'rmsprop'"):
        dynamics.step_direction(model, PAIRS, rule="rmsprop")
    with pytest.raises(ValueError, match="'head'"):
        dynamics.step_direction(model, PAIRS, parameters="head")
    with pytest.raises(ValueError, match=r"\[1, 3\]"):
        slopes(model, rewards(model)[None], [])
    with pytest.raises(KeyError, match="elsewhere"):
        slopes(model, rewards(model), [{"elsewhere": torch.ones(1)}])
