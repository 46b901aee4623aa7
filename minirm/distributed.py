"""Several processes, one result. Each does its share; sums put the shares together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from accelerate import FullyShardedDataParallelPlugin, PartialState
from accelerate.utils import gather_object, parse_flag_from_env, reduce
from torch import Tensor, nn


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


def all_reduce(values: Tensor) -> Tensor:
    """The sum over all processes, on every one of them (alone: ``values`` themselves)."""
    state = processes()
    if state.num_processes == 1:
        return values
    return reduce(values.to(state.device), "sum").to(values.device)


def in_step(batches: Iterable) -> list:
    """The batches, the last one again until every process has as many as the one with the most.

    Where FSDP has spread the weights over the processes each forward pass takes all of them; one
    that stopped earlier would leave the others waiting.
    """
    batches = list(batches)
    missing = max(gather_object([len(batches)])) - len(batches)
    return batches + batches[-1:] * missing


def fsdp(layers: Iterable[str]) -> FullyShardedDataParallelPlugin | None:
    """What Accelerate needs to spread the weights (FSDP2), layer by layer, where it is asked to."""
    if not parse_flag_from_env("ACCELERATE_USE_FSDP"):
        return None
    return FullyShardedDataParallelPlugin(
        fsdp_version=2,
        auto_wrap_policy="transformer_based_wrap",
        transformer_cls_names_to_wrap=sorted(layers),
        cpu_ram_efficient_loading=False,  # every process has loaded them
    )


def gather_outside_forward(model: Any, *methods: str) -> None:
    """Let FSDP gather the weights for these methods as it does for ``forward``."""
    if not is_spread(model):
        return
    from torch.distributed.fsdp import register_fsdp_forward_method

    for method in methods:
        if hasattr(model, method):
            register_fsdp_forward_method(model, method)
    # Else what is in no layer would stay whole between steps, and a checkpoint miss it.
    model.set_reshard_after_forward(True, recurse=False)


def is_spread(model: nn.Module) -> bool:
    """Whether FSDP has given every process its part of the weights."""
    return any(hasattr(weight, "full_tensor") for weight in model.parameters())


def whole(value: Tensor) -> Tensor:
    """A tensor as one piece, also where FSDP has spread it over the processes (all must call)."""
    return value.full_tensor() if hasattr(value, "full_tensor") else value


def gathered(value: Tensor) -> Tensor:
    """``whole`` for writing to disk: what was spread ends in the main process's memory alone."""
    if not hasattr(value, "full_tensor"):
        return value
    value = whole(value)
    return value.cpu() if processes().is_main_process else torch.empty(0)


def say(message: str) -> None:
    """Print once, however many processes there are."""
    if processes().is_main_process:
        print(message)
