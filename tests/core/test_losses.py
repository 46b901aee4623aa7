"""The Bradley-Terry loss: -ln sigma(r+ - r-), averaged over pairs."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import patient

from minirm import bradley_terry_loss
from minirm.losses import bradley_terry_losses

REWARD = st.floats(-30, 30)
PAIRED = st.lists(st.tuples(REWARD, REWARD), min_size=1, max_size=8)


def rewards(pairs, dtype=torch.float64):
    return torch.tensor(pairs, dtype=dtype).unbind(1)


@given(PAIRED)
@patient
def test_is_the_mean_negative_log_sigmoid_of_the_margin(pairs):
    by_hand = sum(math.log1p(math.exp(-(c - r))) for c, r in pairs) / len(pairs)
    assert bradley_terry_loss(*rewards(pairs)).item() == pytest.approx(by_hand, rel=1e-12)


@given(PAIRED)
@patient
def test_the_losses_of_the_pairs_average_to_the_loss(pairs):
    each = bradley_terry_losses(*rewards(pairs))
    assert each.shape == (len(pairs),)
    torch.testing.assert_close(each.mean(), bradley_terry_loss(*rewards(pairs)))


@given(PAIRED)
@patient
def test_gradient_is_minus_sigma_of_minus_the_margin_over_b(pairs):
    chosen, rejected = (r.clone().requires_grad_() for r in rewards(pairs))
    bradley_terry_loss(chosen, rejected).backward()
    by_hand = -torch.sigmoid(rejected - chosen).detach() / len(pairs)
    torch.testing.assert_close(chosen.grad, by_hand, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(rejected.grad, -by_hand, rtol=1e-12, atol=1e-15)


@given(PAIRED)
@patient
def test_gradient_is_that_of_finite_differences(pairs):
    chosen, rejected = rewards(pairs)
    leaf = chosen.clone().requires_grad_()
    bradley_terry_loss(leaf, rejected).backward()
    step = 1e-5
    for i in range(len(pairs)):
        nudge = torch.zeros_like(chosen)
        nudge[i] = step
        difference = bradley_terry_loss(chosen + nudge, rejected) - bradley_terry_loss(
            chosen - nudge, rejected
        )
        assert leaf.grad[i].item() == pytest.approx(difference.item() / (2 * step), abs=1e-8)


@pytest.mark.parametrize("count", [2, 3], ids=["without margins", "with margins"])
def test_gradient_passes_torchs_own_check_in_float64(count):
    inputs = [torch.randn(5, dtype=torch.float64, requires_grad=True) for _ in range(count)]
    assert torch.autograd.gradcheck(bradley_terry_loss, inputs)


@given(st.lists(st.tuples(REWARD, REWARD, st.floats(-5, 5)), min_size=1, max_size=8))
@patient
def test_a_margin_is_by_how_much_the_chosen_reward_has_to_lead(triples):
    chosen, rejected, margin = rewards(triples)
    by_hand = sum(math.log1p(math.exp(-(c - r - m))) for c, r, m in triples) / len(triples)
    loss = bradley_terry_loss(chosen, rejected, margin)
    assert loss.item() == pytest.approx(by_hand, rel=1e-12)
    torch.testing.assert_close(loss, bradley_terry_loss(chosen - margin, rejected))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_margin_takes_the_type_of_the_rewards(dtype):
    ones = torch.ones(3, dtype=dtype)
    for other in (torch.float32, torch.float64):
        losses = bradley_terry_losses(ones, ones, torch.ones(3, dtype=other))
        assert losses.dtype == dtype


@given(PAIRED, st.floats(-100, 100))
@patient
def test_a_shift_of_all_rewards_changes_nothing(pairs, shift):
    chosen, rejected = rewards(pairs)
    torch.testing.assert_close(
        bradley_terry_loss(chosen + shift, rejected + shift),
        bradley_terry_loss(chosen, rejected),
        rtol=1e-9,
        atol=1e-12,
    )


@given(PAIRED)
@patient
def test_swapping_the_responses_adds_the_mean_margin(pairs):
    """Antisymmetry of the log-odds: -ln sigma(-m) = -ln sigma(m) + m."""
    chosen, rejected = rewards(pairs)
    swapped = bradley_terry_loss(rejected, chosen)
    torch.testing.assert_close(
        swapped - bradley_terry_loss(chosen, rejected), (chosen - rejected).mean()
    )


@given(st.lists(REWARD, min_size=1, max_size=8))
@patient
def test_identical_rewards_give_log_2(values):
    same = torch.tensor(values, dtype=torch.float64)
    assert bradley_terry_loss(same, same).item() == pytest.approx(math.log(2), abs=1e-15)


@given(REWARD, REWARD, st.floats(0.01, 10))
@patient
def test_a_larger_margin_never_costs_more(chosen, rejected, more):
    rejected = torch.tensor([rejected], dtype=torch.float64)
    before, after = (
        bradley_terry_loss(torch.tensor([c], dtype=torch.float64), rejected)
        for c in (chosen, chosen + more)
    )
    assert after <= before


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("margin", "loss", "slope"), [(1e4, 0.0, 0.0), (-1e4, 1e4, -1.0)])
def test_stays_finite_with_the_right_slope_at_huge_margins(margin, loss, slope, dtype):
    chosen = torch.tensor([margin], dtype=dtype, requires_grad=True)
    value = bradley_terry_loss(chosen, torch.zeros(1, dtype=dtype))
    value.backward()
    assert value.item() == pytest.approx(loss)
    assert chosen.grad.item() == pytest.approx(slope)


def test_float64_stays_float64():
    assert bradley_terry_loss(*rewards([(1.0, 0.0)])).dtype == torch.float64


@pytest.mark.parametrize(
    ("chosen", "rejected", "complaint"),
    [
        (torch.zeros(3), torch.zeros(3, 1), r"same shape, got \(3,\) and \(3, 1\)"),
        (torch.zeros(3), torch.zeros(2), r"same shape, got \(3,\) and \(2,\)"),
        (torch.zeros(0), torch.zeros(0), "at least one pair"),
    ],
)
def test_shapes_that_do_not_pair_up_are_an_error(chosen, rejected, complaint):
    with pytest.raises(ValueError, match=complaint):
        bradley_terry_loss(chosen, rejected)


@pytest.mark.parametrize("shape", [(), (1,), (3, 1), (2,)])
def test_a_margin_of_another_shape_is_an_error(shape):
    with pytest.raises(ValueError, match="chosen and rejected and margin must have the same shape"):
        bradley_terry_loss(torch.zeros(3), torch.zeros(3), torch.zeros(shape))
