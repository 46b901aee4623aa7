"""Schedules of the learning rate: those of transformers that need nothing more than step counts."""

from __future__ import annotations

from typing import Any

import torch
from transformers import SchedulerType, get_scheduler


def build(name: str, optimizer: Any, warmup_steps: int, total_steps: int) -> Any:
    """The schedule called ``name``, over ``total_steps`` steps of which the first ones warm up."""
    if warmup_steps and name == "constant":  # which passes over a warm-up
        name = "constant_with_warmup"
    return get_scheduler(name, optimizer, warmup_steps, total_steps)


def works(name: str) -> bool:
    """Whether a step of it can be taken.

    Some schedules ask for arguments of their own, others for a figure of merit at every step.
    """
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=1.0)
    try:
        schedule = build(name, optimizer, 1, 4)
        optimizer.step()
        schedule.step()
    except (TypeError, ValueError):
        return False
    return True


SCHEDULES = tuple(sorted(name.value for name in SchedulerType if works(name.value)))
