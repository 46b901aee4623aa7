"""The teacher's guide, with the tables that are computed: times, and what each mistake is told."""

from __future__ import annotations

import ast
import contextlib
import io
import runpy
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from minirm import classroom

from .notebooks import exercises
from .source import BOOK, Book, Page, config

GUIDE = Path(__file__).with_name("teachers-guide.md")
CASES = BOOK.parent / "tests/classroom/cases"
WORDS_A_MINUTE = 150
STYLE = """
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; font: 17px/1.55 Georgia, serif }
h1, h2, h3 { line-height: 1.2 } pre, code { font-size: 0.85em } pre { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { border-top: 1px solid #999; padding: 0.35rem 0.6rem; text-align: left }
td { vertical-align: top }
td code { overflow-wrap: anywhere }
@media (prefers-color-scheme: dark) { body { background: #16181c; color: #e4e4e4 } }
"""


def guide() -> str:
    """The guide as one page of HTML that needs nothing else."""
    book = Book.read()
    text = GUIDE.read_text("utf-8")
    text = text.replace("<!-- times -->", times(book))
    text = text.replace("<!-- wrong answers -->", wrong_answers(book))
    body = MarkdownIt("commonmark").enable("table").render(text)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n'
        f"<title>{config()['title']}: teacher's guide</title>\n"
        f"<style>{STYLE}</style>\n{body}</html>\n"
    )


def times(book: Book) -> str:
    """A table with the minutes that each chapter takes to read and to practise."""
    rows = ["| chapter | reading | exercises | their minutes |", "|---|---|---|---|"]
    for page in book.chapters:
        found = exercises(book, page)
        minutes = " + ".join(f"{e.minutes}{' (paper)' if e.on_paper else ''}" for e in found)
        rows.append(f"| {page.title} | {_reading(page)} min | {len(found)} | {minutes} |")
    return "\n".join(rows)


def _reading(page: Page) -> int:
    words = sum(len(c.source.split()) for c in page.cells if c.cell_type == "markdown")
    return 5 * round(words / WORDS_A_MINUTE / 5)


def wrong_answers(book: Book) -> str:
    """For each exercise with a check, every wrong answer of the tests and the hint it gets."""
    told = {name: list(hints(name)) for name in wrong_code()}
    parts = []
    for page in book.chapters:
        for exercise in exercises(book, page):
            name = (exercise.check or "").removeprefix("check_")
            if name not in told:  # on paper
                continue
            rows = ["| what it computes | what the check says |", "|---|---|"]
            rows += [f"| `{code}` | {hint} |".replace("\n", " ") for code, hint in told[name]]
            head = f"{exercise.title} ({exercise.stars}, {exercise.minutes} minutes)"
            parts.append(f"### {page.title}: {head}\n\n" + "\n".join(rows))
    return "\n\n".join(parts)


def hints(name: str) -> Iterator[tuple[str, str]]:
    """Code and hint of each wrong answer that the tests have for one check.

    Args:
        name: of the check, without "check_".

    Raises:
        ValueError: the check lets one of them pass.
    """
    code, functions = _wrong()[name]
    for text, function in zip(code, functions, strict=True):
        yield text.replace("|", "\\|"), _hint(name, function)


def _hint(name: str, function: Callable[..., Any]) -> str:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            getattr(classroom, f"check_{name}")(function)
    except classroom.WrongAnswer as error:
        return str(error).replace("|", "\\|")
    raise ValueError(f"check_{name} lets a wrong answer pass")


def wrong_code() -> dict[str, list[str]]:
    """The wrong answers' code as it stands in the tests, by check."""
    return {name: code for name, (code, _) in _wrong().items()}


@cache
def _wrong() -> dict[str, tuple[list[str], list[Callable[..., Any]]]]:
    """By check, the wrong answers' code and the functions themselves."""
    found = {}
    for path in sorted(CASES.glob("[!_]*.py")):
        space = runpy.run_path(str(path))
        cases = next(
            node.value
            for node in ast.parse(path.read_text("utf-8")).body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CASES"
        )
        for key, (_, wrong) in zip(cases.keys, (v.elts for v in cases.values), strict=True):
            lambdas = (node.body if isinstance(node, ast.Lambda) else node for node in wrong.elts)
            code = [ast.unparse(node) for node in lambdas]
            found[key.value] = (code, space["CASES"][key.value][1])
    return found
