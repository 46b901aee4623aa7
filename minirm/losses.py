"""The loss. One function of two rewards; nothing about models or data enters."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid


def bradley_terry_loss(chosen: Tensor, rejected: Tensor, margin: Tensor | None = None) -> Tensor:
    """Mean of -ln sigma(r+ - r- - m): the negative log-likelihood of the Bradley-Terry model.

    Stable at any margin: it grows like -(r+ - r-) where the pair is badly wrong, and vanishes
    where it is right. Both reward models are trained with it (arXiv 2507.07981, section 2); the
    margin m, by which a better answer is to lead, is that of Llama 2 (arXiv 2307.09288,
    equation 2).

    >>> import torch
    >>> two, one = torch.tensor([2.0]), torch.tensor([1.0])
    >>> bradley_terry_loss(two, one, margin=one)  # the lead is as large as it is to be: ln 2
    tensor(0.6931)

    Args:
        chosen: [B], rewards in nats.
        rejected: [B], rewards in nats.
        margin: [B], in nats; None for 0.

    Raises:
        ValueError: the shapes differ or hold no pair (a [B] against a [B, 1] would broadcast).
    """
    return bradley_terry_losses(chosen, rejected, margin).mean()


def bradley_terry_losses(chosen: Tensor, rejected: Tensor, margin: Tensor | None = None) -> Tensor:
    """The loss of each pair, [B]; its mean is ``bradley_terry_loss``, where the arguments are."""
    given = {"chosen": chosen, "rejected": rejected, "margin": margin}
    shapes = {name: tuple(value.shape) for name, value in given.items() if value is not None}
    if len(set(shapes.values())) > 1:
        raise ValueError(
            f"{' and '.join(shapes)} must have the same shape, got "
            + " and ".join(map(str, shapes.values()))
        )
    if chosen.numel() == 0:
        raise ValueError("bradley_terry_loss needs at least one pair, got none")
    lead = chosen - rejected
    return -logsigmoid(lead if margin is None else lead - margin.to(lead))
