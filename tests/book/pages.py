"""What the tests of the editions share: the book's own tools, the book, its notebooks."""

import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "book"), str(ROOT / "book/_ext")]

import notebook_links  # noqa: E402
from _editions import build, notebooks, teacher  # noqa: E402
from _editions.markdown import Converter  # noqa: E402
from _editions.source import Book, Page, Unknown  # noqa: E402

__all__ = [
    "BOOK",
    "HTML",
    "NAMES",
    "ROOT",
    "Book",
    "Converter",
    "Page",
    "Unknown",
    "build",
    "committed",
    "nbformat",
    "notebook_links",
    "notebooks",
    "page",
    "teacher",
]

BOOK = Book.read()
NAMES = [page.name for page in BOOK.chapters]
HTML = ROOT / "book/_build/html"


def page(name):
    return next(page for page in BOOK.chapters if page.name == name)


def committed(name):
    return nbformat.read(ROOT / f"book/notebooks/{name}.ipynb", as_version=4)
