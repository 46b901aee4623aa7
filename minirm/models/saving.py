"""Reward models on disk, in Hugging Face's form: what is written, and what an opened folder holds.

A folder holds one model. Everything is written beside first; then the files of the model that was
saved there before go, by the list that it left, and the new ones get their names. Opening returns
values: who wants a reward model builds it from them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification

from minirm.distributed import gathered, is_spread, processes
from minirm.encoding import TextFormat
from minirm.models import adapters, heads
from minirm.models.bases import causal_lm, load_tokenizer, resolve
from minirm.progress import quiet_transformers

SETTINGS, REFERENCE, HEAD = "minirm.json", "reference", "head.safetensors"
OTHERS = (
    "config.json", "generation_config.json", "model.safetensors", "model.safetensors.index.json",
    "adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "tokenizer_config.json",
    "chat_template.jinja", HEAD, REFERENCE,
)  # fmt: skip
"""Names that a model's files have, ours or anybody's."""
WRITING, REPLACING = ".partial", ".replacing"


@dataclass(frozen=True)
class Saved:
    """What a folder holds, for somebody to build a reward model from.

    Attributes:
        model: of Hugging Face's classes, or of peft's.
        tokenizer: the folder's own.
        settings: the constructor's other arguments.
    """

    model: Any
    tokenizer: Any
    settings: dict[str, Any]


def write(path: Path, kind: str, settings: Mapping[str, Any], parts: Mapping[str, Any]) -> None:
    """Make ``path`` the folder of this model and of no other; other files there stay.

    Where FSDP has spread the weights, every process must call it; the main one writes.

    Args:
        path: a folder, made if it is missing.
        kind: "explicit", "implicit" or "generative".
        settings: of the reward, for its constructor; JSON.
        parts: "model", "tokenizer", and "reference" (None where there is none).

    Raises:
        OSError: the disk is full or cannot be written; what was there is as it was.
        FileExistsError: the folder holds another model, which was not written here.
        ValueError: an adapter would replace the base that it needs.
    """
    path = Path(path)
    model, reference = parts["model"], parts["reference"]
    if adapters.is_adapted(model):
        adapters.check_base_stays(model, path)
    check_place(path)
    weights, reference_weights = _weights(model), _weights(reference)
    spread = any(part is not None and is_spread(part) for part in (model, reference))
    if spread and not processes().is_main_process:
        return
    folder = path / WRITING
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with quiet_transformers():
            _write_model(model, folder, weights)
            parts["tokenizer"].save_pretrained(folder)
            if reference is not None:
                reference.save_pretrained(folder / REFERENCE, state_dict=reference_weights)
        files = sorted({SETTINGS, *(file.name for file in folder.iterdir())})
        settings = {"reward": kind, **settings, "files": files}
        (folder / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n")
    except (OSError, SafetensorError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise OSError(
            f"the model could not be written to {path}: {error}; what was there is left as it was"
        ) from error
    _replace(path)


def _replace(path: Path) -> None:
    """The finished folder's files take the place of the model that was written there before."""
    new = path / REPLACING
    shutil.rmtree(new, ignore_errors=True)
    os.rename(path / WRITING, new)
    for old in (path / name for name in _files_of_ours(path)):
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        else:
            old.unlink(missing_ok=True)
    for file in sorted(new.iterdir()):
        os.replace(file, path / file.name)
    new.rmdir()


def check_place(path: Path) -> None:
    """See that no model of somebody else's would be replaced at ``path``.

    Raises:
        FileExistsError: one would be.
    """
    ours = _files_of_ours(path)
    there = [name for name in OTHERS if name not in ours and (path / name).exists()]
    if there:
        raise FileExistsError(
            f"{path} holds {there[0]}, which was not written here and would be replaced: "
            "choose another folder"
        )


def _files_of_ours(path: Path) -> list[str]:
    """The names of what the last save into ``path`` wrote, also if it was cut off."""
    lists = [file for file in (path / SETTINGS, path / REPLACING / SETTINGS) if file.is_file()]
    return [
        name for file in lists for name in json.loads(file.read_text()).get("files", [SETTINGS])
    ]


def _write_model(model: Any, folder: Path, weights: dict[str, Tensor] | None) -> None:
    if adapters.is_adapted(model):
        adapters.save_adapter(model, folder, weights)
    elif heads.has_own_head(model):
        weights = dict(model.state_dict() if weights is None else weights)
        head = {name: weights.pop(name).contiguous() for name in [*weights] if "score." in name}
        safetensors.torch.save_file(head, folder / HEAD)
        model.save_pretrained(folder, state_dict=weights)
    else:
        model.save_pretrained(folder, state_dict=weights)


def _weights(model: Any) -> dict[str, Tensor] | None:
    """What FSDP has spread over the processes, put together on the main one; else None."""
    if model is None or not is_spread(model):
        return None
    named = model.state_dict(keep_vars=True)
    once = {id(weight): gathered(weight.detach()) for weight in named.values()}  # tied: one tensor
    return {name: once[id(weight)] for name, weight in named.items()}


def read(path: Any, kind: str) -> Saved:
    """What ``write`` wrote; as "explicit", any one-label sequence classifier too.

    Args:
        path: a folder, or for a published classifier its name on the hub.
        kind: "explicit", "implicit" or "generative".

    Raises:
        FileNotFoundError: there is no such folder, or nothing says which reward it holds.
        ValueError: it holds another kind of reward, or none; or a save into it was cut off.
    """
    source = resolve(path)
    folder = Path(source)
    settings = _read_settings(folder, kind)
    tokenizer = load_tokenizer(source)
    with quiet_transformers():
        if (folder / adapters.ADAPTER).is_file():
            model = adapters.load_adapter(folder, kind, tokenizer)
        elif (folder / HEAD).is_file():
            model = _with_own_head(folder)
        elif kind == "explicit":
            model = _classifier(source)
        else:
            model = causal_lm(source, dtype="auto")
        has_reference = settings.pop("has_reference", False)
        if kind == "implicit":
            settings["reference"] = _read_reference(folder) if has_reference else None
    return Saved(model, tokenizer, settings)


def saved_kind(path: Any) -> str | None:
    """Which reward a folder holds: "explicit", "implicit" or "generative".

    None where it was not written here.
    """
    file = Path(path) / SETTINGS
    return json.loads(file.read_text())["reward"] if file.is_file() else None


def _read_settings(folder: Path, kind: str) -> dict[str, Any]:
    if (folder / REPLACING).is_dir():
        raise ValueError(
            f"a save into {str(folder)!r} was cut off: the new model lies whole in {REPLACING} "
            "there; move its files one folder up, over what is left of the old one"
        )
    file = folder / SETTINGS
    if not file.is_file():
        if kind == "explicit":  # any one-label classifier is one, and is read as transformers does
            return {"text_format": TextFormat(ends_in_eos=False)}
        raise FileNotFoundError(
            f"{str(folder)!r} has no {SETTINGS}, which holds what the weights do not "
            f"(beta, reference, question); was it saved by {kind.capitalize()}RM.save_pretrained?"
        )
    settings = json.loads(file.read_text())
    settings.pop("files", None)
    saved = settings.pop("reward")
    if saved != kind:
        raise ValueError(
            f"{str(folder)!r} holds another kind of reward ({saved}) than "
            f"{kind.capitalize()}RM opens"
        )
    settings["text_format"] = TextFormat(**settings.get("text_format", {}))
    return settings


def _classifier(source: str) -> Any:
    model, report = AutoModelForSequenceClassification.from_pretrained(
        source, output_loading_info=True, dtype="auto"
    )
    missing = sorted(report["missing_keys"])
    if any(name.startswith("score") for name in missing):
        raise ValueError(f"{source!r} holds no reward head (score.weight): train one first")
    if missing:
        raise ValueError(f"{source!r} is no whole model: {missing[0]} is missing")
    return model


def _with_own_head(folder: Path) -> Any:
    model = causal_lm(folder, dtype="auto")
    weight = safetensors.torch.load_file(folder / HEAD)["score.weight"]
    head = nn.Linear(weight.shape[1], 1, bias=False, dtype=weight.dtype, device="meta")
    head.weight = nn.Parameter(weight)
    return heads.attach(model, head)


def _read_reference(folder: Path) -> Any:
    if not (folder / REFERENCE).is_dir():
        return "base"  # an adapter's base, with the adapter off
    return causal_lm(folder / REFERENCE, dtype="auto")
