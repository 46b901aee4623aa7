"""What a training run starts from: a language model, or a reward model to go on with."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from transformers import AutoConfig

from minirm.models import adapters
from minirm.models.bases import load_base, resolve
from minirm.models.saving import Saved, read, saved_kind


def start(
    name: str | os.PathLike[str], kind: str, *, dtype: torch.dtype = torch.float32
) -> tuple[Saved, str]:
    """What a reward of ``kind`` is to be built from, and a line that says what that is.

    A folder that holds a reward of the same kind is gone on with: its head, its adapter, its
    reference and its settings stay. A published one-label classifier keeps its head too.

    Args:
        name: as for ``load_base``, or a folder that ``save_pretrained`` wrote.
        kind: "explicit", "implicit" or "generative".
        dtype: of the weights; an adapter's base keeps the one it was trained over.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: nothing of that kind can be made of what the folder holds.
    """
    folder = Path(resolve(name))
    held = saved_kind(folder)
    classifier = held is None and _is_classifier(folder)
    held = "explicit" if classifier else held
    if held == kind:
        found = read(folder, kind)
        if not adapters.is_adapted(found.model):
            found.model.to(dtype)
        return found, f"going on with the {kind} reward in {name}"
    if held == "explicit":
        raise ValueError(
            f"{str(name)!r} holds an explicit reward{' (a classifier)' * classifier}, whose head "
            "has taken the place of what "
            f"predicts tokens: no {kind} reward can be made of it"
        )
    if held is not None and (folder / adapters.ADAPTER).is_file():
        raise ValueError(
            f"{str(name)!r} holds the adapter of an {held} reward: make a model of it with "
            f"`minirm merge` before it can be the base of an {kind} one"
        )
    model, tokenizer = load_base(name, dtype=dtype)
    return Saved(model, tokenizer, {}), f"starting from the language model {name}"


def _is_classifier(source: Path) -> bool:
    """Whether a folder, or a name on the hub, holds a sequence classifier."""
    if source.is_dir() and not (source / "config.json").is_file():
        return False
    architectures = AutoConfig.from_pretrained(source).architectures or []
    return any(name.endswith("ForSequenceClassification") for name in architectures)
