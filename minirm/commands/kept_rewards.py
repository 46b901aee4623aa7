"""Rewards kept in a file as they come, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from minirm.encoding import Encoded
from minirm.reward_model import RewardModel

Numbers = tuple[float, ...]
MODEL, ANSWER = 16, 24
"""So many hexadecimal digits name a model and an answer."""


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
        if not _begins_a_line(content[len(whole) :]):
            raise ValueError(
                f"--keep {path} ends in something that was not kept here, and would be cut off: "
                "name another file"
            )
        self._found: dict[tuple[str, str], Numbers] = {}
        lengths: dict[str, int] = {}
        for place, line in enumerate(whole.splitlines(), 1):
            try:
                model, answer, numbers = _read(line)
                if len(numbers) != lengths.setdefault(model, len(numbers)):
                    raise ValueError(f"{len(numbers)} numbers, not {lengths[model]} as before")
            except (ValueError, TypeError) as error:
                raise ValueError(
                    f"--keep {path}, line {place}: no reward that was kept here: {error}"
                ) from error
            self._found[model, answer] = numbers
        if whole != content:
            os.truncate(path, len(whole))

    def get(self, model: str, sequences: Sequence[Encoded]) -> list[Numbers] | None:
        """The numbers of all these answers, or None where one of them is not there."""
        found = [self._found.get((model, _named(sequence))) for sequence in sequences]
        kept = [numbers for numbers in found if numbers is not None]
        return kept if len(kept) == len(found) else None

    def add(self, model: str, sequences: Iterable[Encoded], numbers: Iterable[Numbers]) -> None:
        """Write the numbers of these answers, through to the disk; those not finite are not."""
        with self.path.open("a", encoding="utf-8") as file:
            for sequence, own in zip(sequences, numbers, strict=True):
                if all(map(math.isfinite, own)):
                    file.write(json.dumps([model, _named(sequence), own]) + "\n")
            file.flush()
            os.fsync(file.fileno())


_HEAD = json.dumps(["0" * MODEL, "0" * ANSWER, []])[:-2]


def _begins_a_line(tail: bytes) -> bool:
    """Whether that is how a kept line begins, cut off anywhere."""
    text = tail.decode("latin-1")  # where every byte is a character
    head, numbers = text[: len(_HEAD)], text[len(_HEAD) :]
    begins = _HEAD.startswith(re.sub("[0-9a-f]", "0", head))
    return begins and re.fullmatch(r"[-+.,e \d\]]*", numbers, re.ASCII) is not None


def _read(line: bytes) -> tuple[str, str, Numbers]:
    """A kept line, or a ValueError or TypeError that says why it is none."""
    model, answer, numbers = json.loads(line)
    if not (isinstance(numbers, list) and 1 <= len(numbers) <= 2):  # the reward, and ln pi_ref
        raise ValueError(f"expected one or two numbers, got {numbers}")
    if not all(type(number) in (int, float) and math.isfinite(number) for number in numbers):
        raise ValueError(f"expected finite numbers, got {numbers}")
    return str(model), str(answer), tuple(map(float, numbers))


def _named(sequence: Encoded) -> str:
    text = json.dumps([sequence.prompt, sequence.response])
    return hashlib.sha256(text.encode()).hexdigest()[:ANSWER]


def fingerprint(model: RewardModel) -> str:
    """What tells a reward model apart: its kind, its settings and the sums of its weights' bits.

    Sums of whole numbers, so that neither the device nor the number of threads changes them.
    """
    said: list[Any] = [model.kind, str(model.settings()), str(model.text_format)]
    for name, weight in [*model.named_parameters(), *model.named_buffers()]:
        bits = weight.detach().contiguous().view(torch.uint8).flatten().long()
        at = torch.arange(len(bits), device=bits.device) % 65521 + 1
        said.append([name, list(weight.shape), str(weight.dtype), int((bits * at).sum())])
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:MODEL]
