"""Room: several processes, one result. Each does its share; sums put the shares together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from accelerate import PartialState
from accelerate.utils import reduce
from torch import Tensor

T = TypeVar("T")


def share(items: Sequence[T]) -> range:
    """The places of ``items`` that are this process's: neighbours stay together, none is shared."""
    state = PartialState()
    size = -(-len(items) // state.num_processes)
    return range(len(items))[state.process_index * size : (state.process_index + 1) * size]


def add_up(values: Tensor) -> Tensor:
    """The sum over all processes, on every one of them (alone: ``values`` themselves)."""
    state = PartialState()
    if state.num_processes == 1:
        return values
    return reduce(values.to(state.device), "sum").to(values.device)


def say(message: str) -> None:
    """Print once, however many processes there are."""
    if PartialState().is_main_process:
        print(message)
