"""What a run leaves on the disk: the model, its history, checkpoints, and what failed.

The main process writes. ``history.jsonl`` grows by a line a record; it is that of the latest run
into the folder.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from minirm import distributed
from minirm.models import saving
from minirm.reward_model import RewardModel
from minirm.training import checkpoints
from minirm.training.checkpoints import Checkpoint
from minirm.training.monitor import NotFinite

HISTORY = "history.jsonl"
Record = dict[str, float]


class RunFolder:
    """The folder of a run; everything under it is made when there is something to write.

    Args:
        path: the folder.
        keep: checkpoints to keep, the newest.
    """

    def __init__(self, path: Path, keep: int) -> None:
        self.path, self.keep = path, keep
        self._checkpoints = path / "checkpoints"
        self._begun = False

    def check_new(self) -> None:
        """See that nobody's checkpoints are there.

        Raises:
            ValueError: an earlier run's are.
            FileExistsError: there is a file where the folder should be, or somebody else's model.
        """
        if self.path.is_file():
            raise FileExistsError(f"{self.path} is a file, not a folder to write to")
        saving.check_place(self.path)
        if (there := checkpoints.any_in(self._checkpoints)) is not None:
            raise ValueError(
                f"{there} is the checkpoint of an earlier run: go on from it with resume=True "
                "(--resume), or choose another output folder"
            )

    def begin(self, history: Sequence[Record]) -> None:
        """Start the file of the history with the records so far, in place of what is there."""
        if not distributed.processes().is_main_process:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        beside = self.path / f".{HISTORY}.partial"
        beside.write_text("".join(map(_line, history)))
        os.replace(beside, self.path / HISTORY)

    def add(self, record: Record) -> None:
        """Add a record to the file of the history."""
        if distributed.processes().is_main_process:
            with (self.path / HISTORY).open("a") as file:
                file.write(_line(record))

    def save_model(self, model: RewardModel) -> None:
        _save(model, self.path)

    def save_failure(self, model: RewardModel, history: Sequence[Record], error: NotFinite) -> str:
        """Save the weights before the step that failed, and what failed; returns the message."""
        folder = RunFolder(self.path / f"before-step-{error.step}", self.keep)
        folder.begin(history)
        folder.save_model(model)
        report = {"step": error.step, "rows": error.rows, "margins": repr(error.margins)}
        if distributed.processes().is_main_process:
            text = json.dumps(report | {"message": str(error)})
            (folder.path / "failure.json").write_text(text)
        return f"{error}; the weights before that step are in {folder.path}"

    def save_checkpoint(
        self, step: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any]
    ) -> None:
        if distributed.processes().is_main_process:
            checkpoints.save(self._checkpoints, step, tensors, state, keep=self.keep)

    def date(self) -> str | None:
        """The day that the run's chat template is told, if it is; what a checkpoint says of it."""
        return checkpoints.saved_state(self._checkpoints).get("date")

    def load_checkpoint(self) -> Checkpoint | None:
        """The newest whole checkpoint; None, and a line that says so, where there is none."""
        checkpoint = checkpoints.load(self._checkpoints)
        if checkpoint is None:
            distributed.say(f"no checkpoint in {self._checkpoints}: starting from the beginning")
        return checkpoint


def _save(model: RewardModel, path: Path) -> None:
    state = distributed.processes()
    if state.is_main_process or distributed.is_spread(model):  # all gather, one writes
        model.save_pretrained(path)
    state.wait_for_everyone()


def _line(record: Record) -> str:
    """A record as a line of JSON, which has no word for NaN or infinity: null."""
    return json.dumps({k: v if math.isfinite(v) else None for k, v in record.items()}) + "\n"
