"""``minirm grade``. A folder of notebooks in, a table of what was solved out.

Of a notebook runs what an exercise needs, in a process of its own: its function, and what defines
the names that turn out to be missing. The rest, training above all, is left alone. The checks are
the library's, whatever the notebook calls by their names.
"""

from __future__ import annotations

import argparse
import ast
import csv
import json
import multiprocessing
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from symtable import symtable
from typing import Any

from minirm import classroom
from minirm.commands.shared import positive

# chapter -> its exercises (label, function, the call that checks it); `make notebooks` writes it
EXERCISES = json.loads(Path(classroom.__file__).with_name("exercises.json").read_text("utf-8"))
START = 120.0  # seconds for a process to be ready


def add(commands: argparse._SubParsersAction) -> None:
    grade = commands.add_parser(
        "grade",
        help="check a folder of students' notebooks",
        description="Check every exercise in every notebook under FOLDER and write one row a "
        "notebook: solved, not yet (with the hint), not written, crashed or timed out. Each "
        "exercise has a process and a time limit of its own. There is no limit on mischief: "
        "grading runs the students' code with your rights.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    grade.add_argument("folder", type=Path, metavar="FOLDER", help="notebooks, in subfolders too")
    grade.add_argument("--output", type=Path, default=Path("grades.csv"), metavar="FILE")
    grade.add_argument(
        "--seconds", type=positive, default=30.0, metavar="S", help="limit for one exercise"
    )
    grade.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    found = sorted(options.folder.rglob("*.ipynb"))
    notebooks = [path for path in found if ".ipynb_checkpoints" not in path.parts]
    if not notebooks:
        raise FileNotFoundError(f"there is no notebook in {str(options.folder)!r}")
    rows = []
    for path in notebooks:
        name = path.relative_to(options.folder).as_posix()
        rows.append({"notebook": name, **_grade(path, options.seconds)})
        print(f"{name}: {rows[-1]['solved']} of {rows[-1]['of']}", flush=True)
    labels = [e["label"] for chapter in EXERCISES.values() for e in chapter]
    columns = ["notebook", "chapter", "solved", "of"]
    columns += [label for label in labels if any(label in row for row in rows)]
    with open(options.output, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    print(f"written: {options.output}")


def _grade(path: Path, seconds: float) -> dict[str, str | int]:
    """One notebook: its chapter, and what became of each of its exercises."""
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return {"chapter": f"no notebook ({type(error).__name__})", "solved": 0, "of": 0}
    named = set(re.findall(r"\bcheck_\w+", "\n".join(code)))
    shared = {
        c: len(named & {e["call"].partition("(")[0] for e in rows}) for c, rows in EXERCISES.items()
    }
    chapter = max(shared, key=lambda c: shared[c])
    if not shared[chapter]:
        return {"chapter": "no exercise of this book in it", "solved": 0, "of": 0}
    done = {
        e["label"]: _limited(path.parent.resolve(), code, e, seconds) for e in EXERCISES[chapter]
    }
    solved = list(done.values()).count("solved")
    return {"chapter": chapter, "solved": solved, "of": len(done), **done}


def _limited(folder: Path, cells: list[str], exercise: Mapping[str, str], seconds: float) -> str:
    """The outcome of one exercise, whether or not its process lives to tell it."""
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
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


def _report(
    sender: Connection, folder: Path, cells: list[str], exercise: Mapping[str, str]
) -> None:
    os.environ |= {"MPLBACKEND": "agg", "MINIRM_PROGRESS": "0"}
    os.chdir(folder)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    sender.send("ready")
    sender.send(outcome(cells, exercise["function"], exercise["call"]))


def outcome(cells: Sequence[str], function: str, call: str) -> str:
    """What became of one exercise, in a line.

    ``call`` is tried, with the library's check, and whenever a name is missing on the way, the
    statements that define it are run and it is tried again.
    """
    check = call.partition("(")[0]
    library = {check: getattr(classroom, check)}
    space: dict[str, Any] = {"__name__": "__main__", "display": print}
    defining: dict[str, list[str]] = {}
    for code, name in _definitions(cells):
        defining.setdefault(name, []).append(code)

    def settled(action: Callable[[], None]) -> None:
        while True:
            try:
                return action()
            except NameError as missing:
                if missing.name not in defining:
                    raise
                for code in defining.pop(missing.name):
                    settled(lambda code=code: exec(code, space))

    try:
        if function not in defining:
            return "not written"
        settled(lambda: eval(call, space, library))
    except NotImplementedError:
        return "not written"
    except classroom.WrongAnswer as hint:
        return f"not yet: {hint}"
    except BaseException as error:  # SystemExit too: whatever it is, it costs this exercise alone
        return " ".join(f"crashed: {type(error).__name__}: {error}".split())
    return "solved"


def _definitions(cells: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each statement with each name that it binds; a cell that is not Python fails for its own."""
    for text in cells:
        text = re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", text)  # for IPython or the shell
        try:
            for statement in ast.parse(text).body:
                symbols = symtable(code := ast.unparse(statement), "cell", "exec").get_symbols()
                bound = [s.get_name() for s in symbols if s.is_assigned() or s.is_imported()]
                yield from ((code, name) for name in bound)
        except SyntaxError as error:
            for name in re.findall(r"(?m)^(?:def\s+)?(\w+)\s*[(=]", text):
                yield f"raise SyntaxError({str(error)!r})", name
