"""Room: several processes, one result. Each does its share; sums put the shares together."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env, reduce
from torch import Tensor


def on_cpu() -> bool:
    """Whether Accelerate has to be told to stay on the CPU.

    Where torchrun starts processes on a machine without a GPU it would otherwise take each of
    them to be alone.
    """
    launched = "LOCAL_RANK" in os.environ and not torch.accelerator.is_available()
    return launched or parse_flag_from_env("ACCELERATE_USE_CPU")


def processes() -> PartialState:
    """How many processes run this together, and which one this is; joins them at the first call.

    Raises:
        RuntimeError: a launcher started several and they do not know of each other.
    """
    state = PartialState(cpu=on_cpu())
    wanted = int(os.environ.get("WORLD_SIZE", 1)) if "LOCAL_RANK" in os.environ else 1
    if state.num_processes != wanted:  # each would train on everything and overwrite the others
        raise RuntimeError(f"{wanted} processes were launched, Accelerate sees {state!r}")
    return state


def share(items: Sequence[object]) -> range:
    """The places of ``items`` that are this process's: neighbours stay together, none is shared."""
    state = processes()
    size = -(-len(items) // state.num_processes)
    return range(len(items))[state.process_index * size : (state.process_index + 1) * size]


def add_up(values: Tensor) -> Tensor:
    """The sum over all processes, on every one of them (alone: ``values`` themselves)."""
    state = processes()
    if state.num_processes == 1:
        return values
    return reduce(values.to(state.device), "sum").to(values.device)


def say(message: str) -> None:
    """Print once, however many processes there are."""
    if processes().is_main_process:
        print(message)
