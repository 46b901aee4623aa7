"""How fast a number changes as the weights set out: what first-order theory says of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from minirm.reward_model import RewardModel


def slopes(
    model: RewardModel, numbers: Tensor, directions: Sequence[Mapping[str, Tensor]]
) -> Tensor:
    """<gradient, direction>, the derivative of each number along each direction.

    A step of size t in that direction changes the number by t times as much, up to O(t^2). The
    gradients are taken one at a time and none is kept.

    >>> import torch
    >>> from minirm import ExplicitRM, load_base
    >>> model = ExplicitRM(*load_base())
    >>> reward = model.rewards(model.rows([model.encode("Is that you? ", "yes")]))
    >>> head = {"model.score.weight": torch.ones(1, 96)}
    >>> slope = slopes(model, reward, [head]).item()  # of <u, h> along u = (1, 1, ...)
    >>> abs(slope - model.features(["Is that you? "], ["yes"]).sum().item()) < 1e-4
    True

    Args:
        model: whose weights they are.
        numbers: [K], computed with gradient from the model's weights; K backward passes.
        directions: D of them, as ``dynamics.step_direction`` gives them: a tensor for each weight
            that moves, by its name in ``model``.

    Returns:
        [K, D], float64, on the CPU.

    Raises:
        KeyError: a direction names a weight that the model has not.
        ValueError: ``numbers`` is no vector.
    """
    if numbers.ndim != 1:
        raise ValueError(f"numbers must be a vector, got the shape {[*numbers.shape]}")
    weights = dict(model.named_parameters())
    moving = {name: weights[name] for way in directions for name in way}
    found = torch.zeros(len(numbers), len(directions), dtype=torch.float64)
    for k, number in enumerate(numbers):
        values = torch.autograd.grad(
            number, [*moving.values()], retain_graph=k + 1 < len(numbers), allow_unused=True
        )
        gradient = dict(zip(moving, values, strict=True))
        for d, way in enumerate(directions):
            found[k, d] = sum(
                (gradient[name].double() * step.double()).sum().item()
                for name, step in way.items()
                if gradient[name] is not None
            )
    return found
