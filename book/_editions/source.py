"""The book's source, as the book's own build reads it: chapters, directives, labels, numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser
from pybtex.database import BibliographyData, parse_file

BOOK = Path(__file__).resolve().parents[1]
GATES = ("exercise-start", "exercise-end", "solution-start", "solution-end")
PROOFS = (
    "algorithm", "assumption", "axiom", "conjecture", "corollary", "criterion", "definition",
    "example", "lemma", "observation", "proof", "property", "proposition", "remark", "theorem",
)  # fmt: skip
MATH = ("math_block", "math_block_label")


class Unknown(ValueError):
    """Something in the source that the converter has no plain form for."""


@cache
def config() -> dict[str, Any]:
    return yaml.safe_load((BOOK / "_config.yml").read_text("utf-8"))


@cache
def _myst() -> MdParserConfig:
    parse = config()["parse"]
    return MdParserConfig(
        enable_extensions=set(parse["myst_enable_extensions"]),
        url_schemes=parse["myst_url_schemes"],
    )


def parse(text: str) -> list[Token]:
    return create_md_parser(_myst(), RendererHTML).parse(text, {})


@dataclass
class Directive:
    """One fence with a name in braces; its body is MyST again."""

    name: str
    argument: str
    options: dict[str, str]
    body: str

    @classmethod
    def of(cls, token: Token) -> Directive | None:
        match = re.match(r"\{([\w:-]+)\}\s*(.*)", token.info)
        if token.type not in ("fence", "colon_fence") or match is None:
            return None
        lines, options = token.content.split("\n"), {}
        while lines and (option := re.match(r":([\w-]+):\s*(.*)$", lines[0])):
            options[option[1]] = option[2]
            lines.pop(0)
        return cls(match[1], match[2].strip(), options, "\n".join(lines).strip("\n"))


def directives(text: str) -> Iterator[tuple[Token, Directive | None]]:
    """Every block of ``text`` in order, those inside of directives after the directive itself."""
    for token in parse(text):
        directive = Directive.of(token)
        yield token, directive
        if directive is not None and directive.name != "math":
            yield from directives(directive.body)


@dataclass
class Page:
    """One page of the book: its name, its title, and its cells as myst-nb reads them."""

    name: str
    cells: list[Any]

    @classmethod
    def read(cls, path: Path) -> Page:
        notebook = read_myst_markdown_notebook(path.read_text("utf-8"), _myst(), path=path)
        return cls(path.stem, notebook.cells)

    @property
    def title(self) -> str:
        return next(
            match[1]
            for cell in self.cells
            if cell.cell_type == "markdown" and (match := re.search(r"(?m)^# (.+)$", cell.source))
        )

    @property
    def has_exercises(self) -> bool:
        return any("{exercise-start}" in cell.source for cell in self.cells)


@dataclass
class Target:
    """What a label stands for: "equation", "exercise", "proposition", ..., or a "section"."""

    page: str
    kind: str
    number: int | None = None
    title: str = ""


@dataclass
class Book:
    """All pages in the order of the table of contents, and what their labels point to."""

    pages: list[Page]
    targets: dict[str, Target] = field(default_factory=dict)
    references: BibliographyData = field(default_factory=BibliographyData)

    @classmethod
    def read(cls, folder: Path = BOOK) -> Book:
        toc = yaml.safe_load((folder / "_toc.yml").read_text("utf-8"))
        names = [toc["root"]]
        for part in [toc, *toc.get("parts", [])]:
            names += [chapter["file"] for chapter in part.get("chapters", [])]
        pages = [Page.read(folder / f"{name}.md") for name in names]
        book = cls(pages, references=parse_file(str(folder / "references.bib")))
        book._number()
        return book

    @property
    def chapters(self) -> list[Page]:
        """The pages that become notebooks: those with something to do, reference pages not."""
        return [page for page in self.pages if page.has_exercises]

    def title(self, name: str) -> str:
        return next(page.title for page in self.pages if page.name == name)

    def has_notebook(self, name: str) -> bool:
        return any(page.name == name for page in self.chapters)

    def target(self, label: str) -> Target:
        if label not in self.targets:
            raise Unknown(f"no label {label!r} in the book")
        return self.targets[label]

    def _number(self) -> None:
        """Number everything as Sphinx does: one count for each kind, through the whole book."""
        counts: Counter[str] = Counter()
        for page in self.pages:
            waiting: list[str] = []  # labels that stand before a heading
            for cell in page.cells:
                if cell.cell_type != "markdown":
                    continue
                for token, directive in directives(cell.source):
                    if token.type == "myst_target":
                        waiting.append(token.content)
                    elif token.type == "inline" and waiting:
                        for label in waiting:
                            self._add(label, Target(page.name, "section", title=token.content))
                        waiting = []
                    elif token.type == "math_block_label":
                        counts["equation"] += 1
                        self._add(token.info, Target(page.name, "equation", counts["equation"]))
                    elif directive is not None:
                        self._number_directive(page.name, directive, counts)

    def _number_directive(self, page: str, directive: Directive, counts: Counter[str]) -> None:
        label = directive.options.get("label") or directive.options.get("name")
        kind = {"exercise-start": "exercise", "math": "equation", "figure": "figure"}.get(
            directive.name, directive.name.removeprefix("prf:")
        )
        numbered = kind in ("exercise", "figure") or (
            directive.name.startswith("prf:") and kind != "proof"
        )
        if "nonumber" in directive.options or not (numbered or (kind == "equation" and label)):
            return
        counts[kind] += 1
        if label:
            self._add(label, Target(page, kind, counts[kind], directive.argument))

    def _add(self, label: str, target: Target) -> None:
        if label in self.targets:
            raise Unknown(f"the label {label!r} stands twice in the book")
        self.targets[label] = target
