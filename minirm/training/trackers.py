"""TensorBoard, Weights & Biases and their like, through Accelerate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import (
    LOGGER_TYPE_TO_CLASS,
    GeneralTracker,
    get_available_trackers,
)

NAMES = tuple(sorted(LOGGER_TYPE_TO_CLASS))
PACKAGES = {"comet_ml": "comet-ml"}
"""What to install where the package is not called what the tracker is."""


def is_tracker(value: Any) -> bool:
    """A name, or a tracker of somebody's own making."""
    return isinstance(value, GeneralTracker) or value in NAMES


def check(tracker: Any, folder: Path | None) -> None:
    """See that a tracker can start, before any work.

    Raises:
        ModuleNotFoundError: its package is not installed.
        ValueError: it writes files, and there is no folder for them.
    """
    if not isinstance(tracker, str):
        return
    if tracker not in map(str, get_available_trackers()):
        raise ModuleNotFoundError(
            f"log_with={tracker!r} needs a package that is not installed: "
            f"pip install {PACKAGES.get(tracker, tracker)}"
        )
    if LOGGER_TYPE_TO_CLASS[tracker].requires_logging_directory and folder is None:
        raise ValueError(f"log_with={tracker!r} writes files: it needs an output_dir")


def start(accelerator: Accelerator, settings: Mapping[str, Any]) -> None:
    """Begin a run with whatever ``accelerator`` logs with."""
    plain = {
        k: v if isinstance(v, bool | int | float | str) else str(v) for k, v in settings.items()
    }
    accelerator.init_trackers("minirm", config=plain)


def finish(accelerator: Accelerator) -> None:
    """End the run there. (``Accelerator.end_training`` would end the processes' group too.)"""
    for tracker in accelerator.trackers:
        tracker.finish()
    accelerator.trackers.clear()
