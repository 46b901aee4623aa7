"""The pages one looks things up in: they cover what there is, and name what exists."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import minirm

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
CODE = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "minirm").rglob("*.py")))


def read(name: str) -> str:
    return (BOOK / name).read_text("utf-8")


def labels() -> set[str]:
    texts = [path.read_text("utf-8") for path in BOOK.glob("*.md")]
    return {label for text in texts for label in re.findall(r"^\((.+)\)=", text, re.MULTILINE)}


def test_the_api_reference_has_every_name_of_the_package() -> None:
    documented = set(re.findall(r"auto\w+:: minirm\.(\w+)$", read("api.md"), re.MULTILINE))
    whole = set(re.findall(r"automodule:: (\S+)\n   :members:\n", read("api.md")))
    with_their_module = {
        name for name in minirm.__all__ if getattr(getattr(minirm, name), "__module__", "") in whole
    }
    assert documented | with_their_module >= set(minirm.__all__)


def test_what_the_api_reference_names_is_public_and_described() -> None:
    names = re.findall(r"auto(?:class|function):: (\S+)", read("api.md"))
    listed = re.findall(r"automodule:: (\S+)\n   :members: (.+)", read("api.md"))
    names += [f"{module}.{name}" for module, members in listed for name in members.split(", ")]
    for full in names:
        module, _, name = full.rpartition(".")
        assert not name.startswith("_")
        assert (getattr(importlib.import_module(module), name).__doc__ or "").strip(), full


def test_notation_names_code_that_exists() -> None:
    lines = read("notation.md").split("## Letters")[0].splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:1] == "|"]
    symbols, *_ = zip(*rows, strict=True)
    assert len(symbols) == len(set(symbols)) > 20
    for row in rows[2:]:
        for name in re.findall(r"[A-Za-z_]\w+", " ".join(re.findall(r"`([^`]+)`", row[3]))):
            assert re.search(rf"\b{name}\b", CODE), f"{row[0]}: {name}"
        assert set(re.findall(r"{ref}`[^`<]+ <([^`]+)>`", row[4])) & labels()


def test_the_glossary_sends_the_reader_to_a_chapter() -> None:
    entries = re.findall(r"^(\S[^\n]*)\n  (\S.*)$", read("glossary.md"), re.MULTILINE)
    assert len(entries) > 40
    terms = [term for term, _ in entries]
    assert terms == sorted(terms, key=str.casefold)
    for term, meaning in entries:
        assert set(re.findall(r"See {ref}`([^`]+)`", meaning)) & labels(), term


@pytest.mark.parametrize("entry", re.split(r"\n(?=@)", read("references.bib"))[1:])
def test_a_reference_can_be_followed(entry: str) -> None:
    fields = dict(re.findall(r"^  (\w+) += \{(.*)\},?$", entry, re.MULTILINE))
    assert {"title", "author", "year"} <= fields.keys()
    assert re.fullmatch(r"\d{4}\.\d{4,5}", fields.get("eprint", "")) or fields.get("doi")
    assert fields.get("journal") or fields.get("booktitle")


def test_every_work_in_the_bibliography_is_cited() -> None:
    keys = set(re.findall(r"^@\w+\{(\w+),", read("references.bib"), re.MULTILINE))
    text = "\n".join(path.read_text("utf-8") for path in BOOK.glob("*.md"))
    cited = {key for group in re.findall(r"{cite:\w}`([^`]+)`", text) for key in group.split(",")}
    assert cited <= keys
