"""The loss. One function of two rewards; nothing about models or data enters."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid


def bradley_terry_loss(chosen: Tensor, rejected: Tensor) -> Tensor:
    """Mean of -ln sigma(r+ - r-): the negative log-likelihood of the Bradley-Terry model.

    Stable at any margin: it grows like -(r+ - r-) where the pair is badly wrong, and vanishes
    where it is right. Both reward models are trained with it (arXiv 2507.07981, section 2).

    Args:
        chosen, rejected: [B], rewards in nats.

    Raises:
        ValueError: the shapes differ or hold no pair (a [B] against a [B, 1] would broadcast).
    """
    return bradley_terry_losses(chosen, rejected).mean()


def bradley_terry_losses(chosen: Tensor, rejected: Tensor) -> Tensor:
    """The loss of each pair, [B]; its mean is ``bradley_terry_loss``."""
    if chosen.shape != rejected.shape:
        raise ValueError(
            "chosen and rejected must have the same shape, got "
            f"{tuple(chosen.shape)} and {tuple(rejected.shape)}"
        )
    if chosen.numel() == 0:
        raise ValueError("bradley_terry_loss needs at least one pair, got none")
    return -logsigmoid(chosen - rejected)
