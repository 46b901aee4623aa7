"""What is written: the notebooks in the repository, and the two zips for a class."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import nbformat

from .notebooks import graded, notebook
from .source import BOOK, Book, config
from .teacher import guide

ROOT = BOOK.parent
NOTEBOOKS = BOOK / "notebooks"
GRADED = ROOT / "minirm/classroom/exercises.json"
DIST = ROOT / "dist"

START = """\
These are the notebooks of the book "{title}".

Open one in Jupyter or VS Code, or upload it to Google Colab, and run its first code cell: it
installs what is missing. Where a file minirm-*.whl came with the notebooks, keep it beside them
(in Colab, upload it too); it holds the library that they use.

Every exercise has a function to be written, and a check that says what is right and what is not
yet. Your notebook is what you hand in.
"""


def written(folder: Path, edition: str = "book") -> None:
    """Write every chapter's notebook into ``folder``, its code formatted as all code here."""
    book = Book.read()
    folder.mkdir(parents=True, exist_ok=True)
    for page in book.chapters:
        text = nbformat.writes(notebook(book, page, edition))
        (folder / f"{page.name}.ipynb").write_text(text.rstrip() + "\n", "utf-8")
    command = [sys.executable, "-m", "ruff", "format", "--quiet", "--no-cache"]
    subprocess.run([*command, "--config", ROOT / "pyproject.toml", folder], check=True)


def write_notebooks() -> None:
    """``book/notebooks``, and the list of exercises that ``minirm grade`` goes by."""
    for old in NOTEBOOKS.glob("*.ipynb"):
        old.unlink()
    written(NOTEBOOKS)
    exercises = graded(Book.read())
    if GRADED.read_text("utf-8") != exercises:  # the build drops its cache for a newer file
        GRADED.write_text(exercises, "utf-8")
    print(f"written: {NOTEBOOKS}, {GRADED}")


def write_student() -> None:
    _zip("student", {})


def write_teacher() -> None:
    _zip("teacher", {"teachers-guide.html": guide()})


def _zip(edition: str, more: dict[str, str]) -> None:
    """The edition's notebooks with ``more`` beside them, and the wheel that ``dist`` may have."""
    book = Book.read()
    name = f"minirm-{edition}"
    texts = {"START-HERE.txt": START.format(title=config()["title"]), **more}
    files = {name: text.encode() for name, text in texts.items()}
    with tempfile.TemporaryDirectory() as folder:
        written(Path(folder), edition)
        for page in book.chapters:
            files[f"{page.name}.ipynb"] = Path(folder, f"{page.name}.ipynb").read_bytes()
    for wheel in sorted(DIST.glob("minirm-*.whl")):
        files[wheel.name] = wheel.read_bytes()
    DIST.mkdir(exist_ok=True)
    with zipfile.ZipFile(DIST / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file, content in files.items():
            archive.writestr(zipfile.ZipInfo(f"{name}/{file}"), content)  # dated 1980, always
    print(f"written: {DIST / name}.zip")
