"""What a run has to remember to go on as if nothing had happened, and putting it back.

Weights that are trained, AdamW's moments, the schedule, the loss scale of fp16, random states. The
order of the pairs needs no memory: it is a function of the seed and the epoch.
"""

from __future__ import annotations

import hashlib
import random
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from accelerate.utils import gather_object
from torch import Tensor, nn

from minirm.distributed import gathered, processes, whole
from minirm.pairs import EncodedPair
from minirm.training.checkpoints import Checkpoint


def snapshot(
    model: nn.Module, optimizer: Any, schedule: Any, scaler: Any
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Everything that training changes: (tensors by name, the rest for JSON).

    Every rank must call it; what FSDP has spread over them the main process alone gets.
    """
    tensors: dict[str, Tensor] = {}
    for name, weight in _trained(model):
        tensors[f"model/{name}"] = gathered(weight)
        for key, value in optimizer.state.get(weight, {}).items():
            tensors[f"optimizer/{key}/{name}"] = gathered(value)
    generators = gather_object([_random_states()])
    for rank, states in enumerate(generators):
        tensors |= {f"random/{rank}/{name}": value for name, value in states.items()}
    version, numbers, gauss = random.getstate()
    return tensors, {
        "lr": [group["lr"] for group in optimizer.param_groups],
        "schedule": schedule.state_dict(),
        "scaler": None if scaler is None else scaler.state_dict(),
        "python_random": [version, list(numbers), gauss],
    }


def restore(
    checkpoint: Checkpoint, model: nn.Module, optimizer: Any, schedule: Any, scaler: Any
) -> None:
    """Put back what ``snapshot`` took, in place."""
    tensors, state = checkpoint.tensors, checkpoint.state
    fused = optimizer.param_groups[0].get("fused")  # then AdamW counts on the weight's device
    with torch.no_grad():
        for name, weight in _trained(model):
            weight.copy_(_placed_like(tensors[f"model/{name}"], weight))
            moments = {
                key: tensors[f"optimizer/{key}/{name}"]
                for key in ("step", "exp_avg", "exp_avg_sq")
                if f"optimizer/{key}/{name}" in tensors
            }
            if moments:
                optimizer.state[weight] = {
                    key: value.to(weight.device if fused else "cpu")
                    if key == "step"
                    else _placed_like(value, weight)
                    for key, value in moments.items()
                }
    for group, lr in zip(optimizer.param_groups, state["lr"], strict=True):
        group["lr"] = lr
    schedule.load_state_dict(state["schedule"])
    if scaler is not None and state["scaler"]:
        scaler.load_state_dict(state["scaler"])
    _set_random_states(tensors)
    version, numbers, gauss = state["python_random"]
    random.setstate((version, tuple(numbers), gauss))


def check_same_run(saved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise ValueError where a checkpoint belongs to a run with other settings or data."""
    for name, value in now.items():
        if saved.get(name) != value:
            raise ValueError(
                f"the checkpoint was made with {name}={saved.get(name)!r}, this run has "
                f"{name}={value!r}: go on with the same settings and data, or start anew in "
                "another output folder"
            )


def fingerprint(pairs: Sequence[EncodedPair]) -> str:
    """A hash of all token ids, of the margins, and of their order."""
    digest = hashlib.sha256()
    for pair in pairs:
        if pair.margin:
            digest.update(array("d", (pair.margin,)).tobytes())
        for side in (pair.chosen, pair.rejected):
            for ids in (side.prompt, side.response):
                digest.update(array("q", (len(ids), *ids)).tobytes())
    return digest.hexdigest()[:16]


def checksum(weights: Iterable[Tensor]) -> int:
    """A number that changes with any bit of any weight; the same on every device."""
    whole_numbers = {2: torch.int16, 4: torch.int32, 8: torch.int64, 1: torch.uint8}
    total = 0
    for place, weight in enumerate(weights, 1):
        bits = whole(weight.detach()).contiguous().view(whole_numbers[weight.element_size()])
        total = (total + place * int(bits.sum(dtype=torch.int64))) % 2**61
    return total


def _placed_like(value: Tensor, weight: Any) -> Tensor:
    value = value.to(weight.device)
    if not hasattr(weight, "device_mesh"):
        return value
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(value, weight.device_mesh, weight.placements)


def _trained(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]


def _random_states() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _set_random_states(tensors: Mapping[str, Tensor]) -> None:
    rank = processes().process_index
    if f"random/{rank}/cpu" in tensors:
        torch.set_rng_state(tensors[f"random/{rank}/cpu"])
    if f"random/{rank}/cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors[f"random/{rank}/cuda"])
