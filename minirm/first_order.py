"""How fast a reward changes as the weights set out: what first-order theory says of a step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from minirm.dynamics import moved
from minirm.reward_model import RewardModel

STEP = 1e-4
"""How far the weights go to either side, as the length of their change."""


def slope(
    model: RewardModel, direction: Mapping[str, Tensor], read: Callable[[], Tensor]
) -> Tensor:
    """The derivative along ``direction`` of what ``read()`` returns: <gradient, direction>.

    A central difference, which in float64 is good to 1e-6 of the whole.

    >>> import torch
    >>> from minirm import ExplicitRM, load_base
    >>> model = ExplicitRM(*load_base()).double()
    >>> up = {"model.score.weight": torch.ones(1, 96).double()}
    >>> found = slope(model, up, lambda: model.score(["Is that you? "], ["yes"]))
    >>> torch.allclose(found, model.features(["Is that you? "], ["yes"]).sum(-1))
    True

    Args:
        model: in float64; its weights are put back afterwards, bit for bit.
        direction: a tensor for each weight that moves, by its name in ``model``.
        read: gives numbers of any shape that depend on the model's weights.

    Raises:
        ValueError: the weights are not in float64, or the direction is 0.
    """
    length = math.hypot(*(way.norm().item() for way in direction.values()))
    dtypes = {str(weight.dtype) for weight in model.parameters()}
    if dtypes != {"torch.float64"}:
        raise ValueError(f"expected weights in float64, got {sorted(dtypes)}: model.double()")
    if not length:
        raise ValueError("the direction is 0, so nothing can be said of what lies that way")
    size = STEP / length
    with torch.no_grad(), moved(model, direction, size):
        ahead = read()
    with torch.no_grad(), moved(model, direction, -size):
        return (ahead - read()) / (2 * size)
