"""``minirm grade``. A folder of notebooks in, a table of what was solved out."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from minirm.classroom.grading import EXERCISES, grade
from minirm.commands.shared import positive


def add(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser(
        "grade",
        help="check a folder of students' notebooks",
        description="Check every exercise in every notebook under FOLDER and write one row a "
        "notebook: solved, not yet (with the hint), not written, crashed or timed out. Each "
        "exercise has a process and a time limit of its own. Of a notebook runs what an answer "
        "needs; training that it does not need is left alone. There is no limit on mischief: "
        "grading runs the students' code with your rights.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    command.add_argument("folder", type=Path, metavar="FOLDER", help="notebooks, in subfolders too")
    command.add_argument("--output", type=Path, default=Path("grades.csv"), metavar="FILE")
    command.add_argument(
        "--seconds", type=positive, default=30.0, metavar="S", help="limit for one exercise"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Grade them one by one; the table is written when all are done.

    Raises:
        OSError: there is no such folder, no notebook in it, or nowhere to write the table.
        ValueError: the table would take the place of a notebook.
    """
    notebooks = _notebooks(options.folder)
    _writable(options.output, notebooks)
    rows = []
    for path in notebooks:
        name = path.relative_to(options.folder).as_posix()
        rows.append({"notebook": name, **grade(path, options.seconds)})
        print(f"{name}: {rows[-1]['solved']} of {rows[-1]['of']}", flush=True)
    labels = [e["label"] for chapter in EXERCISES.values() for e in chapter]
    columns = ["notebook", "chapter", "solved", "of"]
    columns += [label for label in labels if any(label in row for row in rows)]
    with open(options.output, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows({key: _text(value) for key, value in row.items()} for row in rows)
    print(f"written: {options.output}")


def _notebooks(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise NotADirectoryError(f"expected a folder of notebooks, got {str(folder)!r}")
    found = sorted(folder.rglob("*.ipynb"))
    notebooks = [path for path in found if ".ipynb_checkpoints" not in path.parts]
    if not notebooks:
        raise FileNotFoundError(f"there is no notebook in {str(folder)!r}")
    return notebooks


def _writable(output: Path, notebooks: list[Path]) -> None:
    """Say before the work starts that the table has no place to go to."""
    if not output.parent.is_dir():
        raise NotADirectoryError(f"--output {str(output)!r}: there is no such folder")
    if output.is_dir():
        raise IsADirectoryError(f"--output {str(output)!r} is a folder, expected a file")
    if output.exists() and any(output.samefile(path) for path in notebooks if path.exists()):
        raise ValueError(f"--output {str(output)!r} is one of the notebooks; give another file")


def _text(value: str | int) -> str | int:
    """With an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{value}" if str(value).startswith(("=", "+", "-", "@", "\t", "\r")) else value
