"""Checkpoints on disk. Each one is whole or not there; safetensors and JSON, never a pickle.

A checkpoint is a folder ``step-00000040``. It is written beside its place, every file is forced to
the disk, a list of their SHA-256 sums comes last, and only then does the folder get its name: a
process that is killed at any moment leaves either the finished folder or a ``.partial`` one that
nobody reads. What a disk damages later the sums give away.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

MANIFEST = "manifest.json"
STATE = "state.json"
SHARD = 512 * 2**20
"""Most bytes of tensors in one file: a file is put together in memory before it is written."""


@dataclass(frozen=True)
class Checkpoint:
    """What was saved after ``step`` steps: tensors by name (on the CPU), and the rest as JSON."""

    step: int
    tensors: dict[str, Tensor]
    state: dict[str, Any]


def save(
    folder: Path,
    step: int,
    tensors: Mapping[str, Tensor],
    state: Mapping[str, Any],
    *,
    keep: int = 2,
) -> Path:
    """Write the checkpoint of ``step`` below ``folder``, and remove all but the newest ``keep``.

    Raises:
        OSError: the disk is full or cannot be written; older checkpoints are left as they were.
    """
    final = folder / f"step-{step:08d}"
    partial = folder / f".{final.name}.partial"
    try:
        shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
        partial.mkdir(parents=True)
        sums = {}
        for number, shard in enumerate(_shards(tensors)):
            name = f"tensors-{number:03d}.safetensors"
            sums[name] = _write(partial / name, safetensors.torch.save(shard))
        sums[STATE] = _write(partial / STATE, _json(state))
        _write(partial / MANIFEST, _json({"step": step, "sha256": sums}))
        _sync(partial)
        shutil.rmtree(final, ignore_errors=True)  # only a damaged one can stand here
        os.rename(partial, final)
        _sync(folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        older = _newest_first(folder)
        kept = f"the newest one before it is {older[0]}" if older else "there is none before it"
        raise OSError(
            f"the checkpoint of step {step} could not be written to {folder}: "
            f"{error.strerror or error}; {kept}"
        ) from error
    for old in _newest_first(folder)[keep:]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def load(folder: Path) -> Checkpoint | None:
    """The newest checkpoint below ``folder`` that is whole; None where there is none.

    One that is damaged is passed over, with a line on stderr that says why.
    """
    for path in _newest_first(folder):
        try:
            return _read(path)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            print(f"skipped the damaged checkpoint {path}: {error}", file=sys.stderr)
    return None


def saved_state(folder: Path) -> dict[str, Any]:
    """The newest checkpoint's state without its tensors; empty where none can be read."""
    for path in _newest_first(folder):
        try:
            return json.loads((path / STATE).read_bytes())
        except (OSError, ValueError):  # damaged: ``load`` will say so
            continue
    return {}


def any_in(folder: Path) -> Path | None:
    """The newest checkpoint's folder, whole or not; None where there is none."""
    return next(iter(_newest_first(folder)), None)


def _newest_first(folder: Path) -> list[Path]:
    return sorted((p for p in folder.glob("step-*") if p.is_dir()), reverse=True)


def _read(path: Path) -> Checkpoint:
    manifest = json.loads((path / MANIFEST).read_bytes())
    tensors: dict[str, Tensor] = {}
    state: dict[str, Any] = {}
    for name, expected in manifest["sha256"].items():
        data = (path / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != expected:
            raise ValueError(f"{name} is not what was written (its SHA-256 differs)")
        if name == STATE:
            state = json.loads(data)
        else:
            tensors |= safetensors.torch.load(data)
    return Checkpoint(manifest["step"], tensors, state)


def _shards(tensors: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    size = 0
    for name, tensor in tensors.items():
        more = tensor.numel() * tensor.element_size()
        if shard and size + more > SHARD:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor.detach().cpu().contiguous()
        size += more
    yield shard


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1).encode()


def _write(path: Path, data: bytes) -> str:
    """Write ``data`` through to the disk; returns its SHA-256."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return hashlib.sha256(data).hexdigest()


def _sync(folder: Path) -> None:
    """Force a folder's names to the disk, where the system can open a folder (not Windows)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
