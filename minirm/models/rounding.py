"""Weights that bfloat16 cannot tell up from down: how many lie half way between two of its numbers.

A bfloat16 is the upper half of a float32: the lower 16 bits are cut off, and rounding goes to the
nearer of the two numbers around. A float32 whose lower 16 bits are exactly 0x8000 lies half way
between them, so that the smallest step of training decides which one the forward pass sees, and
moves such a weight by half a unit in the last place, however small the step was. Among float32
weights 1 in 65,536 lies there by chance. Of weights that have a few bits more than bfloat16, as
those have that were float16 once or were dequantised from 4 bits, about a tenth does.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

TOO_MANY_TIES = 0.01
"""A share that no chance explains: that would be 1.5e-5."""
SAMPLE = 2**16
"""Entries looked at in a larger tensor: the share is then right to .004 at 95 % confidence."""


def share_on_ties(model: Any) -> float:
    """The share of a model's weights that lie half way between two bfloat16 numbers, in [0, 1].

    Tensors of up to ``SAMPLE`` entries are read whole, larger ones at places drawn with a fixed
    seed, so that a large model takes a second too. What is no floating-point number is left out.

    >>> weight = torch.tensor([1.0, 1 + 2**-8, 1 + 2**-7, 1 + 2**-8 + 2**-23])
    >>> share_on_ties(torch.nn.ParameterList([weight]))  # 1 + 2**-8 alone
    0.25

    Args:
        model: any module; its parameters are read on the device where they lie.
    """
    draw = torch.Generator().manual_seed(0)
    tied, total = 0.0, 0
    for weight in model.parameters():
        if not weight.is_floating_point() or weight.is_meta or not weight.numel():
            continue
        tied += weight.numel() * _on_ties(_sample(weight.detach(), draw)).double().mean().item()
        total += weight.numel()
    return tied / total if total else 0.0


def _sample(weight: Tensor, draw: torch.Generator) -> Tensor:
    flat = weight.reshape(-1)
    if len(flat) <= SAMPLE:
        return flat
    places = torch.randint(len(flat), (SAMPLE,), generator=draw)
    return flat[places.to(flat.device)]


def _on_ties(values: Tensor) -> Tensor:
    """Which of the values lie on a tie: [N] bool."""
    single = values.to(torch.float32)
    half_way = (single.view(torch.int32) & 0xFFFF) == 0x8000
    return half_way & (single == values)  # a float64 may lie beside it
