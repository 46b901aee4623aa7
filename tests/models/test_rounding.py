"""Weights on rounding ties: counted by their bits, checked against what rounding does to them."""

import warnings

import pytest
import torch
from tiny import tiny, tokenizer
from torch import nn

from minirm import load_base
from minirm.models.rounding import SAMPLE, share_on_ties


def holding(*tensors):
    return nn.ParameterList([nn.Parameter(t, requires_grad=False) for t in tensors])


def tied_by_rounding(values):
    """A value is on a tie where a nudge up and a nudge down round away from each other."""
    up, down = (
        torch.nextafter(values, torch.full_like(values, end)).bfloat16()
        for end in (torch.inf, -torch.inf)
    )
    exact = values.bfloat16() == values
    return ((up != down) & ~exact).double().mean().item()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("bits", [7, 8, 10, 16])
def test_the_share_is_what_rounding_a_nudged_weight_shows(bits, seed):
    draw = torch.Generator().manual_seed(seed)
    weight = torch.randn(100, 100, generator=draw)
    mantissa, exponent = torch.frexp(weight)
    weight = torch.ldexp((mantissa * 2 ** (bits + 1)).round() / 2 ** (bits + 1), exponent)
    share = share_on_ties(holding(weight))
    assert share == pytest.approx(tied_by_rounding(weight), abs=1e-12)
    # With k bits more than bfloat16's seven, one of the 2^k patterns is the tie's.
    expected = 0 if bits == 7 else 2.0 ** (7 - bits)
    assert share == pytest.approx(expected, abs=0.02)


def test_weights_that_were_float16_lie_on_ties_by_the_eighth_part_and_fresh_ones_do_not():
    fresh = tiny()
    assert share_on_ties(fresh) < 1e-3
    assert share_on_ties(fresh.half()) == share_on_ties(fresh.half().float())
    assert 0.09 < share_on_ties(tiny().half().float()) < 0.14
    assert share_on_ties(tiny().bfloat16().float()) == 0


def test_four_bit_weights_are_noticed_once_they_are_dequantised():
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(256, 64, generator=draw)
    scale = (weight.abs().amax(1, keepdim=True) / 7).half().float()  # of each block of 64
    dequantised = (weight / scale).round() * scale
    assert share_on_ties(holding(dequantised)) > 0.05


def test_a_large_tensor_is_sampled_by_a_fixed_draw_and_counts_by_its_size():
    tie, plain = torch.tensor(1 + 2.0**-8), torch.tensor(1.0)
    large = torch.where(torch.arange(3 * SAMPLE) % 4 == 0, tie, plain).reshape(3, SAMPLE)
    small = plain.repeat(SAMPLE)
    share = share_on_ties(holding(large, small))
    assert share == pytest.approx(0.25 * 3 / 4, abs=0.005)
    assert share == share_on_ties(holding(large, small))


def test_what_is_near_a_tie_in_double_precision_is_not_on_it():
    on, beside = 1 + 2.0**-8, 1 + 2.0**-8 + 2.0**-40
    weight = torch.tensor([on, beside, -on, 0.0], dtype=torch.float64)
    assert share_on_ties(holding(weight)) == 0.5


@pytest.mark.parametrize(
    "tensors",
    [
        [],
        [torch.tensor([3, 4])],
        [torch.empty(0)],
        [torch.empty(4, device="meta")],
        [torch.tensor([torch.inf, -torch.inf, torch.nan, 0.0])],
    ],
)
def test_what_holds_no_such_number_has_none_on_ties(tensors):
    assert share_on_ties(holding(*tensors)) == 0


@pytest.mark.parametrize("once", [torch.float16, torch.bfloat16, torch.float32])
def test_the_loader_warns_of_them(once, tmp_path):
    tiny().to(once).float().save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        load_base(tmp_path)
    warned = any("half way between two bfloat16 numbers" in str(w.message) for w in said)
    assert warned == (once == torch.float16)
