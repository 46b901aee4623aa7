"""Citations by author and year, and the list of what a page cited."""

from __future__ import annotations

from pybtex.backends.markdown import Backend
from pybtex.database import BibliographyData
from pybtex.richtext import Text
from pybtex.style.formatting.plain import Style

from .source import Unknown


def cite(references: BibliographyData, keys: list[str], *, textual: bool) -> str:
    """``Bradley and Terry (1952)``, or if not textual ``(Bradley and Terry, 1952)``."""
    said = []
    for key in keys:
        if key not in references.entries:
            raise Unknown(f"references.bib has no {key!r}")
        entry = references.entries[key]
        people = [
            str(Text.from_latex(" ".join([*p.prelast_names, *p.last_names])))
            for p in entry.persons["author"]
        ]
        who = " and ".join(people) if len(people) < 3 else f"{people[0]} et al."
        year = entry.fields["year"]
        said.append(f"{who} ({year})" if textual else f"{who}, {year}")
    return ", ".join(said) if textual else f"({'; '.join(said)})"


def listed(references: BibliographyData, keys: list[str]) -> str:
    """The cited works as a Markdown list, by author."""
    entries = Style().format_bibliography(references, keys)
    return "\n".join(f"- {_lone(entry.text.render(Backend()))}" for entry in entries)


def _lone(text: str) -> str:
    """On one line, and without the escapes that plain Markdown does not need."""
    for mark in ".-(){}#":
        text = text.replace(f"\\{mark}", mark)
    return " ".join(text.split())
