"""What became of the exercises in one notebook, each tried in a process of its own.

An exercise is graded as the learner's kernel would run it from top to bottom, in the notebook's
folder, but for what the answer does not need: ``slicing`` has the rule. A statement that fails is
passed over, and one that misses a name that is defined further down runs after it. The check is
the library's, whatever the notebook calls by its name. Shell commands run where their output is
needed; nothing is installed.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from minirm import classroom
from minirm.classroom.cells import code_cells
from minirm.classroom.slicing import Statement, needed

Exercise = Mapping[str, str]  # its label, its function, the call that checks it

# chapter -> its exercises; `make notebooks` writes it
EXERCISES: dict[str, list[Exercise]] = json.loads(
    Path(classroom.__file__).with_name("exercises.json").read_text("utf-8")
)
START = 120.0  # seconds for a process to be ready


def grade(path: Path, seconds: float) -> dict[str, str | int]:
    """One notebook: its chapter, and what became of each of its exercises.

    Args:
        path: the notebook.
        seconds: limit for one exercise.

    Returns:
        ``chapter`` (or why there is none), ``solved``, ``of``, and label -> outcome.
    """
    try:
        cells = code_cells(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return {"chapter": f"no notebook ({type(error).__name__})", "solved": 0, "of": 0}
    named = set(re.findall(r"\bcheck_\w+", "\n".join(cells)))
    shared = {
        c: len(named & {e["call"].partition("(")[0] for e in rows}) for c, rows in EXERCISES.items()
    }
    chapter = max(shared, key=lambda c: shared[c])
    if not shared[chapter]:
        return {"chapter": "no exercise of this book in it", "solved": 0, "of": 0}
    folder = path.parent.resolve()
    done = {e["label"]: _limited(folder, cells, e, seconds) for e in EXERCISES[chapter]}
    solved = list(done.values()).count("solved")
    return {"chapter": chapter, "solved": solved, "of": len(done), **done}


def outcome(cells: Sequence[str], function: str, call: str) -> str:
    """What became of one exercise, in a line; runs the learner's code in this process.

    Args:
        cells: the notebook's code cells.
        function: the name of the function that the learner writes.
        call: what checks it, such as ``check_rho(my_rho)``.

    Returns:
        "solved", "not yet: " and the hint, "not written", or "crashed: " and the error.
    """
    check = call.partition("(")[0]
    library = {check: getattr(classroom, check)}
    space: dict[str, Any] = {"__name__": "__main__", "display": print}
    failed = _run(needed(cells, set(re.findall(r"\w+", call)) - {check}), space)
    try:
        if function not in space:
            raise NotImplementedError
        eval(call, space, library)
    except BaseException as error:  # SystemExit too: whatever it is, it costs this exercise alone
        if isinstance(error, NotImplementedError):
            error = failed.get(function, error)
        elif isinstance(error, NameError):
            error = failed.get(error.name or "", error)
        return _said(error)
    return "solved"


def _run(statements: Sequence[Statement], space: dict[str, Any]) -> dict[str, BaseException]:
    """Run them in ``space``; for each name that is not bound for it, the error that came instead.

    As in a kernel, an error leaves everything as it was, and the rest goes on.
    """
    failed: dict[str, BaseException] = {}
    waiting: list[Statement] = list(statements)
    while waiting:
        early = []  # what misses a name that a later one may bind
        for statement in waiting:
            try:
                exec(statement.compiled(), space)
            except BaseException as error:
                failed |= dict.fromkeys(statement.binds, error)
                if isinstance(error, NameError):
                    early.append(statement)
            else:
                for name in statement.binds:
                    failed.pop(name, None)
        if len(early) == len(waiting):
            break
        waiting = early
    return failed


def _said(error: BaseException) -> str:
    if isinstance(error, NotImplementedError):
        return "not written"
    if isinstance(error, classroom.WrongAnswer):
        return f"not yet: {error}"
    return " ".join(f"crashed: {type(error).__name__}: {error}".split())


def _limited(folder: Path, cells: list[str], exercise: Exercise, seconds: float) -> str:
    """The outcome of one exercise, whether or not its process lives to tell it."""
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context: Any = multiprocessing.get_context(method)
    context.set_forkserver_preload([__name__])  # so that torch is imported once
    answer, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(sender, folder, cells, exercise))
    process.start()
    sender.close()
    try:
        if answer.poll(START) and answer.recv() and answer.poll(seconds):
            return answer.recv()
        return f"timed out: longer than {seconds:g} s"
    except EOFError:
        return "crashed: its process ended"
    finally:
        process.kill()
        process.join()


def _report(sender: Connection, folder: Path, cells: list[str], exercise: Exercise) -> None:
    os.environ |= {"MPLBACKEND": "agg", "MINIRM_PROGRESS": "0"}
    os.chdir(folder)
    sys.path.insert(0, str(folder))  # modules beside the notebook
    sys.dont_write_bytecode = True  # the folder stays as it was handed in
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    sender.send("ready")
    sender.send(outcome(cells, exercise["function"], exercise["call"]))
