"""Chapters as notebooks, in three editions that differ in their solutions only.

``book``: solutions folded, their code to be read. ``student``: none. ``teacher``: open, in cells.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from .bibliography import listed
from .markdown import Converter, folded
from .source import BOOK, GATES, Book, Directive, Page, Unknown, config, parse

EDITIONS = ("book", "student", "teacher")
PROJECT = tomllib.loads((BOOK.parent / "pyproject.toml").read_text("utf-8"))["project"]
MODULES = {"scikit-learn": "sklearn"}  # where a package is not imported by its name
COLAB_RUNTIME = "2025.10"
HEADING = re.compile(r"(.+) · ([★☆]{3}) · (\d+) minutes(, on paper)?")
STUB = 'raise NotImplementedError("replace this line")'


@dataclass
class Exercise:
    """One exercise: its name and what stands beside it; where there is a stub, what checks it."""

    label: str
    number: int
    title: str
    stars: str
    minutes: int
    on_paper: bool = False
    function: str | None = None
    call: str | None = None

    @property
    def check(self) -> str | None:
        return self.call and self.call.partition("(")[0]

    @classmethod
    def of(cls, directive: Directive, number: int) -> Exercise:
        match = HEADING.fullmatch(directive.argument)
        if match is None:
            raise Unknown(f"expected 'Title · ★☆☆ · 10 minutes', got {directive.argument!r}")
        label = directive.options["label"]
        return cls(label, number, match[1], match[2], int(match[3]), bool(match[4]))


Item = tuple[str, Any]  # ("text", str), ("code", cell), or one of GATES with its directive


def items(page: Page) -> Iterator[Item]:
    """The page in order: its code cells, its gates, and the text between them."""
    for cell in page.cells:
        if cell.cell_type == "code":
            yield "code", cell
            continue
        lines, done = cell.source.split("\n"), 0
        for token in parse(cell.source):
            directive = Directive.of(token)
            gate = directive is not None and directive.name in GATES
            cut = token.type == "heading_open" and token.tag in ("h1", "h2") and token.level == 0
            if gate or cut:
                yield "text", "\n".join(lines[done : token.map[0]])
                done = token.map[0]
            if gate:
                yield directive.name, directive
                done = token.map[1]
        yield "text", "\n".join(lines[done:])


def checked(code: str) -> tuple[str, str] | None:
    """Name of the function, and the call that checks it, if this cell holds a stub."""
    if STUB not in code:
        return None
    calls = [
        (node.args[0].id, ast.unparse(node))
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id.startswith("check_")
        and node.args
        and isinstance(node.args[0], ast.Name)
    ]
    if len(calls) != 1:
        raise Unknown(
            f"a stub needs one call check_...(my_..., ...), got {len(calls)} in {code[:80]!r}"
        )
    return calls[0]


def exercises(book: Book, page: Page) -> list[Exercise]:
    """The page's exercises in order, with what checks them."""
    found: list[Exercise] = []
    solution = False
    for kind, value in items(page):
        if kind == "exercise-start":
            found.append(Exercise.of(value, book.target(value.options["label"]).number))
        elif kind in ("solution-start", "solution-end"):
            solution = kind == "solution-start"
        elif kind == "code" and not solution and (pair := checked(value.source)):
            found[-1].function, found[-1].call = pair
    return found


def notebook(book: Book, page: Page, edition: str = "book") -> nbformat.NotebookNode:
    """The page as a notebook: no outputs, and the same bytes each time."""
    return _Writer(book, page, edition).write()


class _Writer:
    def __init__(self, book: Book, page: Page, edition: str) -> None:
        if edition not in EDITIONS:
            raise ValueError(f"edition must be one of {EDITIONS}, got {edition!r}")
        self.book, self.page, self.edition = book, page, edition
        self.converter = Converter(book, page.name)
        self.cells: list[Any] = []
        self.solution: list[str] | None = None  # what a folded one has so far
        self.head = ""  # of an exercise, to stand in one cell with its text

    def write(self) -> nbformat.NotebookNode:
        known = {exercise.label: exercise for exercise in exercises(self.book, self.page)}
        for kind, value in items(self.page):
            if kind == "text":
                self._text(value)
            elif kind == "code":
                self._code(value)
            elif kind == "exercise-start":
                self.head = _head(known[value.options["label"]]) + "\n\n"
            elif kind == "solution-start":
                self._open(known[value.argument])
            elif kind == "solution-end":
                self._close()
        self._end()
        first = self.cells[0].source.partition("\n")
        rest = new_markdown_cell(first[2].strip())
        self.cells[:1] = [
            new_markdown_cell(f"{first[0]}\n\n{self._about()}"),
            new_code_cell(setup_cell()),
            rest,
        ]
        return self._finished()

    def _say(self, text: str) -> None:
        if text:
            self.cells.append(new_markdown_cell(self.head + text))
            self.head = ""

    def _text(self, source: str) -> None:
        if self.solution is not None and self.edition == "student":
            return
        text = self.converter.convert(source)
        if self.solution is None or self.edition == "teacher":
            self._say(text)
        elif text:
            self.solution.append(text)

    def _code(self, cell: Any) -> None:
        if self.solution is None or self.edition == "teacher":
            hidden = {"hide-input", "remove-input"} & set(cell.metadata.get("tags", []))
            metadata = {"jupyter": {"source_hidden": True}} if hidden else {}
            self.cells.append(new_code_cell(cell.source, metadata=metadata))
        elif self.edition == "book":
            self.solution.append(f"```python\n{cell.source}\n```")

    def _open(self, exercise: Exercise) -> None:
        self.solution = []
        if self.edition == "teacher":
            self._say(f"**Solution of exercise {exercise.number}**")

    def _close(self) -> None:
        if self.edition == "book":
            self._say(folded("Solution", "\n\n".join(self.solution)))
        self.solution = None

    def _end(self) -> None:
        notes = [
            f"<sup>{number}</sup> {self.converter.notes[label]}"
            for number, label in enumerate(self.converter.noted, 1)
        ]
        if notes:
            self._say("## Notes\n\n" + "\n\n".join(notes))
        if self.converter.cited:
            works = listed(self.book.references, self.converter.cited)
            self._say(f"## References\n\n{works}")

    def _about(self) -> str:
        title = config()["title"]
        about = {
            "book": f"*A chapter of the book “{title}”, as a notebook.*",
            "student": f"*A chapter of the book “{title}”. The exercises are at the end.*",
            "teacher": f"*A chapter of the book “{title}”, with the solutions: for teachers.*",
        }
        return (
            f"{about[self.edition]} The next cell installs what is missing and does nothing where "
            "all is there. No GPU is needed; one is used if there is one."
        )

    def _finished(self) -> nbformat.NotebookNode:
        seen: dict[str, int] = {}
        for cell in self.cells:  # the same cell has the same name, wherever others were added
            name = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
            seen[name] = seen.get(name, 0) + 1
            cell["id"] = name if seen[name] == 1 else f"{name}-{seen[name]}"
        metadata = {
            "accelerator": "GPU",
            "colab": {
                "gpuType": "T4",
                "provenance": [],
                "runtime_attributes": {"runtime_version": COLAB_RUNTIME},
                "toc_visible": True,
            },
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        return new_notebook(cells=self.cells, metadata=metadata)


def _head(exercise: Exercise) -> str:
    place = ", on paper" if exercise.on_paper else ""
    return (
        f"### Exercise {exercise.number}. {exercise.title}\n\n"
        f"*{exercise.stars} · {exercise.minutes} minutes{place}*"
    )


def source() -> str:
    """What pip is asked for: the repository where its address is set, else a range of versions."""
    wanted = f"{PROJECT['name']}[notebook]"
    if address := config()["repository"]["url"]:
        return f"{wanted} @ git+{address}"
    version = re.search(
        r'__version__ = "(\d+)\.(\d+)', (BOOK.parent / "minirm/__init__.py").read_text("utf-8")
    )
    return f"{wanted}>={version[1]}.{version[2]},<{version[1]}.{int(version[2]) + 1}"


def setup_cell() -> str:
    """The code of the first cell."""
    extra = [re.match(r"[\w-]+", line)[0] for line in PROJECT["optional-dependencies"]["notebook"]]
    modules = json.dumps([PROJECT["name"], *(MODULES.get(name, name) for name in extra)])
    text = Path(__file__).with_name("setup_cell.py").read_text("utf-8").rstrip()
    return text.replace("NEEDED", modules).replace("[SOURCE]", json.dumps([source()]))


def graded(book: Book) -> str:
    """``exercises.json`` of the library: what ``minirm grade`` looks for, by chapter."""
    keep = ("label", "function", "call")
    table = {
        page.name: [
            {key: asdict(exercise)[key] for key in keep}
            for exercise in exercises(book, page)
            if exercise.call
        ]
        for page in book.chapters
    }
    return json.dumps(table, indent=1) + "\n"
