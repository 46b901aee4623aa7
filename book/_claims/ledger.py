"""The rows of ``claims.yml``, the chapters that link to them, and what a link says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from . import figures
from .figures import FORMS, Figure

BOOK = Path(__file__).resolve().parents[1]
KINDS = {
    "proved": "on the page that is named, from the assumptions that stand there",
    "verified": "by a test that runs with all others and could fail",
    "measured": "here, over several seeds or base models, by a command that anybody can run",
    "reported": "by the work that is cited, and not checked here",
}
PLACE = "{figure}"  # where the figure stands in a statement
ROLE = re.compile(r"\{claim\}`([^`]+)`")


class Wrong(ValueError):
    """A row, or a link to one, that is not as it should be."""


@dataclass(frozen=True)
class Claim:
    """One row.

    Attributes:
        id: its name, which the role ``claim`` uses.
        statement: one sentence of MyST, with ``{figure}`` where its figure stands.
        where: labels of the chapters that say it and link to the row, the main one first.
        kind: one of ``KINDS``.
        rests_on: ids of tests, files in ``results``, keys of the bibliography, labels of proofs.
        refuted_by: what would have to be seen for it to be given up.
        figure: how to get its number, for ``figures.figure``; or None.
    """

    id: str
    statement: str
    where: list[str]
    kind: str
    rests_on: list[str]
    refuted_by: str
    figure: dict[str, Any] | None = field(default=None)

    @property
    def number(self) -> Figure:
        """Its figure, from the results file.

        Raises:
            Wrong: it has none.
        """
        if self.figure is None:
            raise Wrong(f"the claim {self.id!r} has no figure")
        return figures.figure(self.figure)

    @property
    def said(self) -> str:
        """The statement with its figure in it."""
        if self.figure is None:
            return self.statement
        return self.statement.replace(PLACE, self.number.said(self.figure.get("said", "")))


@cache
def claims() -> dict[str, Claim]:
    """All rows by id, in the order of the file.

    Raises:
        Wrong: a row lacks something or has too much, or an id stands twice.
    """
    return read((BOOK / "claims.yml").read_text("utf-8"))


def read(text: str) -> dict[str, Claim]:
    """The rows of a ledger, given as YAML."""
    rows: dict[str, Claim] = {}
    for row in yaml.safe_load(text):
        try:
            claim = Claim(**row)
        except TypeError as error:
            raise Wrong(f"{row.get('id', row)!r}: {error}") from error
        if claim.id in rows:
            raise Wrong(f"the id {claim.id!r} stands twice in the ledger")
        if claim.kind not in KINDS:
            raise Wrong(f"{claim.id!r}: the kind must be one of {list(KINDS)}, got {claim.kind!r}")
        if (claim.figure is None) != (PLACE not in claim.statement):
            raise Wrong(f"{claim.id!r}: a figure and its place in the statement go together")
        rows[claim.id] = claim
    return rows


def find(name: str) -> Claim:
    """The row of that id.

    Raises:
        Wrong: there is none.
    """
    if name not in claims():
        raise Wrong(f"claims.yml has no claim {name!r}")
    return claims()[name]


def link(content: str) -> tuple[Claim, str]:
    """What a role ``claim`` with this content leads to and says.

    ``id``: the figure with its interval; of a row without one, its kind in brackets.
    ``form <id>``: the figure in one of ``figures.FORMS``. ``any words <id>``: these words.
    """
    explicit = re.fullmatch(r"(.+?)\s*<([^<>]+)>", content, re.DOTALL)
    words, name = explicit.groups() if explicit else ("", content)
    claim = find(name)
    if words in FORMS:
        return claim, claim.number.said(words)
    return claim, words or (f"({claim.kind})" if claim.figure is None else claim.number.said())


@dataclass(frozen=True)
class Chapter:
    """A page of the book that has a label: its file without the ending, its label, its title."""

    page: str
    label: str
    title: str

    @property
    def links(self) -> list[str]:
        """Ids of the claims that its text links to."""
        text = (BOOK / f"{self.page}.md").read_text("utf-8")
        return [link(content)[0].id for content in ROLE.findall(text)]


def chapters(folder: Path = BOOK) -> dict[str, Chapter]:
    """The labelled pages by label, in the order of the table of contents."""
    toc = yaml.safe_load((folder / "_toc.yml").read_text("utf-8"))
    pages = [toc["root"]]
    for part in [toc, *toc.get("parts", [])]:
        pages += [chapter["file"] for chapter in part.get("chapters", [])]
    found = {}
    for page in pages:
        text = (folder / f"{page}.md").read_text("utf-8")
        if match := re.search(r"(?m)^\(([\w-]+)\)=\n+# (.+)$", text):
            found[match[1]] = Chapter(page, match[1], match[2])
    return found


def by_chapter() -> list[tuple[Chapter, list[Claim]]]:
    """The rows under the chapter that each of them belongs to, chapters in the book's order.

    Raises:
        Wrong: a row names a chapter that is not in the table of contents.
    """
    known = chapters()
    for claim in claims().values():
        for label in claim.where:
            if label not in known:
                raise Wrong(f"{claim.id!r}: no chapter of the book has the label {label!r}")
    rows = [
        (chapter, [claim for claim in claims().values() if claim.where[0] == label])
        for label, chapter in known.items()
    ]
    return [(chapter, mine) for chapter, mine in rows if mine]
