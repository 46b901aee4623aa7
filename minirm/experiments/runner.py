"""Many runs and one table. An experiment's runs and the function that measures one come in.

A run is a frozen dataclass of plain settings, which each experiment defines; ``measure(run)``
gives its rows. Whoever adds a setting adds a field.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, replace
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from minirm.experiments.results import ResultsFile, Row
from minirm.metrics import t_interval
from minirm.progress import progress_bar

log = logging.getLogger("minirm")

Measure = Callable[[Any], Sequence[Row]]
FAILURES = (OSError, ValueError, FloatingPointError, RuntimeError)
"""What the world or a setting does to a run; anything else is a mistake in the code."""


def grid(
    kind: Callable[..., Any],
    idle: Callable[[Any], Collection[str]] = lambda run: (),
    **choices: Iterable[Any],
) -> list[Any]:
    """Every combination of the choices once, the last one named varying fastest.

    Args:
        kind: the experiment's dataclass of settings.
        idle: names the settings that change nothing in a run. They keep their defaults, so that
            combinations that differ in nothing else are one run.
        choices: the values of each setting, by its name.
    """
    runs: dict[Any, None] = {}
    for values in itertools.product(*choices.values()):
        run = kind(**dict(zip(choices, values, strict=True)))
        runs[replace(run, **{name: getattr(kind, name) for name in idle(run)})] = None
    return list(runs)


def measure_all(
    measure: Measure,
    runs: Sequence[Any],
    *,
    jobs: int = 1,
    keep: ResultsFile | None = None,
    progress: bool | None = None,
    until: float | None = None,
) -> list[Row]:
    """The rows of every run, in the runs' order.

    Args:
        measure: trains one run and gives its rows; a function of a module, where ``jobs`` is more
            than one.
        runs: hashable, each once.
        jobs: runs at once. More than one are processes of their own, with one thread each.
        keep: where each run is kept as it ends. Those that are there already are not run again.
        progress: True or False; None shows a bar where somebody can watch. Without a bar the
            logger "minirm" gets a line for each run.
        until: when all has to be over, by ``time.monotonic``. No run begins that would not end
            by then, were it to take as long as the longest so far; the rows are those of the runs
            that were done.

    Raises:
        ValueError: there is nothing to run, or ``keep`` is not this experiment's file.
        RuntimeError: a run failed; its settings are named. The others at work end and are kept.
    """
    if not runs or jobs < 1 or len(set(runs)) < len(runs):
        raise ValueError(f"expected one or more runs, each once, and jobs, got {jobs=}, {runs=}")
    done: dict[Any, Sequence[Row]] = dict(keep.finished(runs)) if keep else {}
    if keep and done:
        log.info("%d of %d runs are in %s already", len(done), len(runs), keep.path)
    took: list[float] = []
    left = _in_time((run for run in runs if run not in done), took, until)
    with progress_bar(total=len(runs), initial=len(done), desc="runs", show=progress) as bar:
        for run, rows, seconds in _ended(measure, left, jobs):
            done[run] = rows
            took.append(seconds)
            if keep:
                done[run] = keep.add(run, rows)
            bar.update()
            if bar.disable:
                log.info("%d of %d runs: %s", len(done), len(runs), described(run))
    if len(done) < len(runs):
        log.info("the time is up: %d of %d runs are left", len(runs) - len(done), len(runs))
    return [row for run in runs if run in done for row in done[run]]


def described(run: Any) -> str:
    """The settings of a run, those that are None left out."""
    return ", ".join(f"{k}={v}" for k, v in asdict(run).items() if v is not None)


def table(
    rows: Sequence[Row],
    *,
    by: Sequence[str],
    line: str,
    values: Sequence[str],
    unit: str = "seed",
) -> str:
    """Means over independent units and Student's 95 % interval of each, as text.

    What varies inside a unit is averaged first, so that the interval counts units and nothing
    else. A single unit has no interval.

    Args:
        rows: all at the same stage, such as after training.
        by: columns that make a block; one that is None goes unnamed in its heading.
        line: the column that makes a line of a block.
        values: the columns to average.
        unit: the column that tells independent draws apart: "seed", or "base" where the claim is
            about base models.
    """
    blocks: dict[tuple, dict[Any, dict[Any, list[Row]]]] = {}
    for row in rows:
        lines = blocks.setdefault(tuple(row[name] for name in by), {})
        lines.setdefault(row[line], {}).setdefault(row[unit], []).append(row)
    cells = []
    for block, lines in blocks.items():
        named = [f"{k} {_number(v)}" for k, v in zip(by, block, strict=True) if v is not None]
        cells.append([", ".join(named), f"{unit}s", *values])
        for name, units in lines.items():
            means = [[_mean(rows, v) for rows in units.values()] for v in values]
            cells.append([f"  {name}", str(len(units)), *map(_with_interval, means)])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    padded = ([c.ljust(w) for c, w in zip(row, widths, strict=True)] for row in cells)
    return "\n".join("   ".join(row).rstrip() for row in padded)


def _with_interval(values: Sequence[float]) -> str:
    mean = _number(sum(values) / len(values))
    if len(values) == 1:
        return mean
    low, high = t_interval(values)
    return f"{mean} [{_number(low)}, {_number(high)}]"


def _mean(rows: Sequence[Row], name: str) -> float:
    return sum(row[name] for row in rows) / len(rows)


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _in_time(runs: Iterator[Any], took: Sequence[float], until: float | None) -> Iterator[Any]:
    """The runs, as long as there is time for one more like the longest that ended."""
    for run in runs:
        if until is not None and time.monotonic() + max(took, default=0.0) > until:
            return
        yield run


def _ended(
    measure: Measure, left: Iterator[Any], jobs: int
) -> Iterator[tuple[Any, Sequence[Row], float]]:
    """Each run with its rows and the seconds that it took, as they end."""
    if jobs == 1:
        for run in left:
            start = time.monotonic()
            try:
                rows = measure(run)
            except FAILURES as error:
                raise _failed(run, error) from error
            yield run, rows, time.monotonic() - start
        return
    failed = None
    with ProcessPoolExecutor(jobs, get_context("spawn"), _start_worker) as pool:
        # No more are handed out than are at work, so that after a failure none has to be called
        # back.
        at_work = {
            pool.submit(measure, run): (run, time.monotonic())
            for run in itertools.islice(left, jobs)
        }
        while at_work:
            for future in wait(at_work, return_when=FIRST_COMPLETED).done:
                run, start = at_work.pop(future)
                try:
                    rows = future.result()
                except FAILURES as error:
                    failed = failed or (run, error)
                    continue
                yield run, rows, time.monotonic() - start
                for run in itertools.islice(left, 0 if failed else 1):
                    at_work[pool.submit(measure, run)] = run, time.monotonic()
    if failed:
        raise _failed(*failed) from failed[1]


def _failed(run: Any, error: Exception) -> RuntimeError:
    return RuntimeError(f"the run {described(run)} failed: {error}")


def _start_worker() -> None:
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a word

    if (parent := parent_process()) is not None:
        threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: BaseProcess) -> None:
    parent.join()  # killed, it cannot call its workers back
    os._exit(1)
