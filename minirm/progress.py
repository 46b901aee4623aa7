"""The progress bar, and when to keep quiet."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from logging import INFO, Handler, LogRecord, getLogger
from typing import Any

from tqdm.auto import tqdm
from transformers.utils import logging


def progress_bar(
    iterable: Iterable[Any] | None = None,
    *,
    total: int | None = None,
    initial: int = 0,
    desc: str,
    show: bool | None = None,
) -> Any:
    """tqdm's bar for a terminal or a notebook.

    Args:
        show: None shows it where somebody can watch: a terminal, or a notebook with a live
            kernel. The environment variable ``MINIRM_PROGRESS=0`` (set while the book is built)
            keeps it quiet.
    """
    if show is None:
        show = os.environ.get("MINIRM_PROGRESS", "1") != "0" and _somebody_watches()
    return tqdm(iterable, total=total, initial=initial, desc=desc, disable=not show, leave=False)


def _somebody_watches() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules


@contextmanager
def without_loading_bars() -> Iterator[None]:
    """Keep transformers from drawing a bar for weights that load in an instant."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@contextmanager
def lines_of_logging() -> Iterator[None]:
    """Print what the library logs, a line a record, on stdout and clear of any bar."""
    handler = _Lines(INFO)
    logger = getLogger("minirm")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _Lines(Handler):
    def emit(self, record: LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stdout)
        sys.stdout.flush()  # into a file or a pipe, too, while the run goes on
