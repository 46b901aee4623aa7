"""The ledger of claims: what each row rests on is there, its figure computes, chapters link to it.

And a chapter types no decimal and no percentage into its prose: figures come from cells, from the
ledger, or stand in a formula as settings do.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("yaml")
ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
sys.path.insert(0, str(BOOK))

from _claims import figures, ledger, prose  # noqa: E402

CLAIMS = ledger.claims()
CHAPTERS = ledger.chapters()
PAGES = sorted(path.stem for path in BOOK.glob("*.md"))
TYPES_NUMBERS = ("api",)  # made from docstrings


def source(name: str) -> str:
    return (BOOK / f"{name}.md").read_text("utf-8")


def functions_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def labels() -> set[str]:
    text = "\n".join(source(name) for name in PAGES)
    return {a or b for a, b in re.findall(r"^\((.+)\)=|^:label: (\S+)", text, re.MULTILINE)}


BIBLIOGRAPHY = set(re.findall(r"^@\w+\{(\w+),", (BOOK / "references.bib").read_text("utf-8"), re.M))


# ------------------------------------------------------------------------------ the rows


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_what_a_claim_rests_on_exists(claim):
    for what in claim.rests_on:
        if what.startswith("tests/"):
            file, _, name = what.partition("::")
            assert name in functions_of(file), what
        elif what.startswith("results/"):
            header, _ = figures.load(what.removeprefix("results/"))
            assert header["command"]
        else:
            assert what in BIBLIOGRAPHY | labels(), what


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_a_claim_rests_on_what_its_kind_asks_for(claim):
    has = {
        "proved": any(what in labels() for what in claim.rests_on),
        "verified": any(what.startswith("tests/") for what in claim.rests_on),
        "measured": bool((claim.figure or {}).get("file"))
        or any(what in CHAPTERS or what.startswith("results/") for what in claim.rests_on),
        "reported": any(what in BIBLIOGRAPHY for what in claim.rests_on),
    }
    assert has[claim.kind]
    assert ("reported" in (claim.figure or {})) <= (claim.kind == "reported")
    assert claim.refuted_by.strip(". ")


@pytest.mark.parametrize("claim", [c for c in CLAIMS.values() if c.figure], ids=lambda c: c.id)
def test_a_figure_computes_and_its_results_file_names_its_command(claim):
    assert re.search(r"\d|" + "|".join(figures.WORDS), claim.said)
    assert ledger.PLACE not in claim.said
    if claim.kind == "measured":
        header, _ = figures.load(claim.figure["file"])
        assert header["command"].startswith("minirm ")


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_the_chapters_that_a_claim_names_link_to_it(claim):
    assert claim.where
    assert [label for label in claim.where if claim.id not in CHAPTERS[label].links] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_claim(page):
    for content in ledger.ROLE.findall(source(page)):
        assert ledger.link(content)[1].strip()


def test_the_ledger_is_sorted_by_chapter():
    shown = [claim.id for _, rows in ledger.by_chapter() for claim in rows]
    assert sorted(shown) == sorted(CLAIMS)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("id: a\n  kind: measured", "missing"),
        (
            "id: a\n  statement: s\n  where: [x]\n  kind: guessed\n  rests_on: []\n  refuted_by: r",
            "guessed",
        ),
        (
            "id: a\n  statement: is {figure}\n  where: []\n  kind: proved\n  rests_on: []"
            "\n  refuted_by: r",
            "go together",
        ),
    ],
)
def test_a_row_that_is_wrong_is_named(row, told):
    with pytest.raises(ledger.Wrong, match=f"'a'.*{told}"):
        ledger.read(f"- {row}\n")


# --------------------------------------------------------------------------- the figures


@pytest.fixture
def file(monkeypatch):
    rows = [
        {"base": base, "seed": seed, "step": step, "set": name, "accuracy": value}
        for (base, seed, step, name), value in {
            ("a", 0, 0, "x", ): 0.5, ("a", 0, 9, "x"): 0.2, ("a", 1, 9, "x"): 0.4,
            ("b", 0, 9, "x"): 0.5, ("b", 1, 9, "x"): 0.7, ("a", 0, 9, "y"): 0.1,
            ("b", 0, 9, "y"): 0.2, ("b", 1, 9, "y"): None,
        }.items()
    ]  # fmt: skip
    monkeypatch.setattr(figures, "load", lambda name: ({"command": "minirm"}, rows))
    return {"file": "f.json", "where": {"set": "x", "step": "last"}, "column": "accuracy"}


def test_a_mean_is_over_units_and_has_their_interval(file):
    found = figures.figure({**file, "unit": "base"})
    assert found.said() == "0.45 [−1.46, 2.36]"  # of .3 and .6: t with one degree of freedom
    assert found.said("mean") == "0.45"
    assert found.said("range") == "0.30 to 0.60"
    assert found.said("percent") == "45 percent"
    assert figures.figure({**file, "unit": "base", "bounded": True}).interval == ("0.00", "1.00")
    assert figures.figure({**file, "unit": ["base", "seed"]}).said("range") == "0.20 to 0.70"


def test_last_is_the_largest_number_and_the_word_itself_among_words(monkeypatch):
    rows = [
        {"reading": reading, "step": step, "seed": 0, "x": value}
        for reading, step, value in (("last", 0, 1.0), ("last", 50, 2.0), ("sum", 50, 3.0))
    ]
    monkeypatch.setattr(figures, "load", lambda name: ({"command": "minirm"}, rows))
    where = {"reading": "last", "step": "last"}
    found = figures.figure({"file": "f.json", "where": where, "column": "x", "unit": "seed"})
    assert found.said("mean") == "2.00"


def test_other_statistics(file):
    def say(**more):
        return figures.figure({**file, "unit": ["base", "seed"], **more}).said()

    assert say(statistic="max") == "0.70"
    assert say(statistic="median", show=".3f") == "0.450"
    assert say(statistic="count", above=0.4) == "2 of 4"
    assert say(statistic="count", equal=0.4) == "1 of 4"
    assert say(statistic="min", times=-1e-5, show=".1e") == "−7.0 × 10⁻⁶"
    count = figures.figure({**file, "unit": "base", "statistic": "count", "below": 0.4})
    assert (count.said("words"), count.said("percent")) == ("one of two", "50 percent")


def test_a_second_number_of_each_unit_is_taken_off_or_divided_by(file):
    file["where"] |= {"seed": 0}

    def say(**more):
        return figures.figure({**file, "unit": "base", **more}).said("range")

    assert say(minus={"set": "y"}) == "0.10 to 0.30"
    assert say(over={"set": "y"}) == "2.00 to 2.50"
    assert say(minus="step") == "−8.80 to −8.50"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"column": "margin"}, "no columns"),
        ({"where": {"set": "z"}}, "no row left"),
        ({"statistic": "mode"}, "mode"),
        ({"statistic": "count"}, "one of above"),
        ({"colour": "red"}, "colour"),
        ({"minus": {"set": "y", "base": "a"}}, "units differ"),
        ({"reported": 0.5}, "a text"),
    ],
)
def test_a_recipe_that_cannot_be_followed_says_why(file, change, told):
    with pytest.raises(figures.Recipe, match=told):
        figures.figure({**file, "unit": "base", **change})


def test_a_figure_has_no_form_that_it_lacks():
    reported = figures.figure({"reported": "0.022"})
    assert reported.said() == reported.said("mean") == "0.022"
    with pytest.raises(figures.Recipe, match="range"):
        reported.said("range")


def test_what_a_link_says(monkeypatch):
    rest = "\n  where: []\n  rests_on: []\n  refuted_by: r\n"
    text = (
        f"- id: a\n  statement: s\n  kind: proved{rest}"
        f"- id: b\n  statement: is {{figure}}\n  kind: reported{rest}"
        '  figure: {reported: "0.02"}\n'
    )
    monkeypatch.setattr(ledger, "claims", lambda: ledger.read(text))
    said = [ledger.link(x)[1] for x in ("a", "it is proved <a>", "b", "mean <b>", "so few <b>")]
    assert said == ["(proved)", "it is proved", "0.02", "0.02", "so few"]
    with pytest.raises(ledger.Wrong, match="'c'"):
        ledger.link("c")


def test_a_notebook_says_the_figure():
    pages = pytest.importorskip("pages")
    converter = pages.Converter(pages.BOOK, "unseen-tokens")
    plain = converter.convert(
        "It is {claim}`mean <collapse-implicit>`, {claim}`so low <theorem-2>`."
    )
    assert plain == f"It is {CLAIMS['collapse-implicit'].number.said('mean')}, so low."


# ------------------------------------------------------------------- numbers in the prose


@pytest.mark.parametrize("page", [name for name in PAGES if name not in TYPES_NUMBERS])
def test_a_chapter_types_no_decimal_and_no_percentage(page):
    assert prose.offenders(source(page)) == [], "a cell, {claim} or a formula has to say it"


@pytest.mark.parametrize(
    "text",
    ["it is 0.02 here", "about .5", "90 % of them", "90% of them", "12.5 percent", "80 per cent",
     "is $0.02$", "is $-1.5$", "is $\\approx 0.3$", "> quoted 1.5", "| a | 0.1 |",
     "```{note}\nit is 0.1\n```", ":::{tip} of 0.1\n:::",
     "````{prf:proof}\n```{note}\n1.5\n```\n````",
     "```{code-cell} ipython3\n1\n```\nthen 0.1\n```{exercise-end}\n```"],
)  # fmt: skip
def test_a_typed_number_is_found(text):
    assert len(prose.offenders(text)) == 1


@pytest.mark.parametrize(
    "text",
    ["$\\beta = 0.01$", "$$\nx = 0.5\n$$ (eq-a)", "`lr=0.1`", "{claim}`mean <a-0.1>`",
     "```{code-cell} ipython3\n:tags: [x]\nx = 0.1\n```", "```python\n0.1\n```", "~~~\n0.1\n~~~",
     "---\nversion: 0.1\n---\n", "section 5.1 of it", "2507.07981v1 in [it](https://arxiv.org/abs/2507.07)",
     "one in 1,000", "in 3 of 5", "1.", "2.3.1", "```{math}\n:label: x\n0.1\n```",
     "```{figure} x.svg\n:name: a-0.1\ntext\n```", "{cite:p}`a2020`", "95 % interval"],
)  # fmt: skip
def test_what_is_no_typed_number(text):
    assert prose.offenders(text) == []


# ------------------------------------------------------------------------- in the pages

CONF = """
import sys
sys.path.insert(0, {ext!r})
extensions = ["myst_parser", "claims"]
myst_enable_extensions = ["attrs_inline", "dollarmath"]
html_theme = "basic"
"""


@pytest.mark.slow
def test_a_page_says_a_figure_and_leads_to_its_row(tmp_path):
    """A small book with the extension: the role, the ledger, and a role that names no row."""
    pytest.importorskip("sphinx")
    claim = next(claim for claim in CLAIMS.values() if (claim.figure or {}).get("file"))
    (tmp_path / "conf.py").write_text(CONF.format(ext=str(BOOK / "_ext")))
    text = "# Start\n\nIt is {claim}`" + claim.id + "`.\n\n```{toctree}\nledger\n```\n"
    (tmp_path / "index.md").write_text(text)
    (tmp_path / "ledger.md").write_text("# Ledger\n\n```{ledger}\n```\n")
    build = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(tmp_path), str(tmp_path / "o")]
    told = subprocess.run(build, capture_output=True, text=True, check=True).stderr
    assert "claim" not in re.sub(r"undefined label: '(?!claim)|claims\.yml|\.\.\.claims", "", told)
    page = (tmp_path / "o/index.html").read_text("utf-8")
    assert f'href="ledger.html#claim-{claim.id}"' in page
    assert claim.number.said() in page
    shown = (tmp_path / "o/ledger.html").read_text("utf-8")
    assert all(f'id="claim-{name}"' in shown for name in CLAIMS)
    (tmp_path / "index.md").write_text(text.replace(claim.id, "no-such"))
    told = subprocess.run(build, capture_output=True, text=True, check=False).stderr
    assert "claims.yml has no claim 'no-such'" in told
