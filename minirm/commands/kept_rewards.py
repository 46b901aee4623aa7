"""Rewards kept in a file as they come, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from minirm.encoding import Encoded
from minirm.reward_model import RewardModel

Numbers = tuple[float, ...]


class KeptRewards:
    """A file of JSON lines, one for each answer: whose reward, of what, and the numbers.

    A line that a stop has cut off is done again. Lines of other models stay and are not used.

    Args:
        path: the file; it need not exist.
        resume: go on with what is there.

    Raises:
        FileExistsError: something is there, and ``resume`` is False.
        FileNotFoundError: its folder is not there.
        ValueError: it holds something else.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path = path
        if path.is_dir() or not path.parent.is_dir():
            raise FileNotFoundError(f"--keep {path}: give a file in a folder that is there")
        content = path.read_bytes() if path.exists() else b""
        if content and not resume:
            raise FileExistsError(
                f"--keep {path} holds something already: go on with it by --resume, or name "
                "another file"
            )
        whole = content[: content.rfind(b"\n") + 1]
        self._found: dict[tuple[str, str], Numbers] = {}
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                model, answer, numbers = json.loads(line)
                self._found[str(model), str(answer)] = tuple(map(float, numbers))
            except (ValueError, TypeError) as error:
                raise ValueError(
                    f"--keep {path}, line {number}: no reward that was kept here: {error}"
                ) from error
        if whole != content:
            os.truncate(path, len(whole))

    def get(self, model: str, sequences: Sequence[Encoded]) -> list[Numbers] | None:
        """The numbers of all these answers, or None where one of them is not there."""
        found = [self._found.get((model, _named(sequence))) for sequence in sequences]
        kept = [numbers for numbers in found if numbers is not None]
        return kept if len(kept) == len(found) else None

    def add(self, model: str, sequences: Iterable[Encoded], numbers: Iterable[Numbers]) -> None:
        """Write the numbers of these answers, through to the disk."""
        with self.path.open("a", encoding="utf-8") as file:
            for sequence, own in zip(sequences, numbers, strict=True):
                file.write(json.dumps([model, _named(sequence), own]) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _named(sequence: Encoded) -> str:
    text = json.dumps([sequence.prompt, sequence.response])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def fingerprint(model: RewardModel) -> str:
    """What tells a reward model apart: its kind, its settings and the sums of its weights' bits.

    Sums of whole numbers, so that neither the device nor the number of threads changes them.
    """
    said: list[Any] = [model.kind, str(model.settings()), str(model.text_format)]
    for name, weight in [*model.named_parameters(), *model.named_buffers()]:
        bits = weight.detach().contiguous().view(torch.uint8).flatten().long()
        at = torch.arange(len(bits), device=bits.device) % 65521 + 1
        said.append([name, list(weight.shape), str(weight.dtype), int((bits * at).sum())])
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]
