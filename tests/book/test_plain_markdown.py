"""From MyST to plain Markdown: nothing is left over, and what has no plain form is an error."""

import json
import re

import pytest
import yaml
from pages import BOOK, NAMES, ROOT, Book, Converter, Unknown, notebooks, page

LEFT_OVER = re.compile(
    r"\{[a-z:]+\}`"  # a role
    r"|^\s*>?\s*(`{3,}|:{3,}|~{3,})\s*\{"  # a directive
    r"|^:[a-z-]+:"  # an option
    r"|^\([\w-]+\)=$|^\+\+\+|^% "  # a label, a break, a comment
    r"|\{\{|\[\^|\.md\)|\]\(#|`<[\w-]+>`",
    re.MULTILINE,
)


def leftovers(source):
    prose = re.sub(r"^```\w+\n.*?^```$", "", source, flags=re.DOTALL | re.MULTILINE)
    prose = re.sub(r"(?<![`}])`[^`\n]+`", "", prose)
    prose = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", "", prose, flags=re.DOTALL)
    return [match[0] for match in LEFT_OVER.finditer(prose)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("edition", notebooks.EDITIONS)
def test_no_myst_is_left_over(name, edition):
    notebook = notebooks.notebook(BOOK, page(name), edition)
    left = {
        cell.source[:60]: found
        for cell in notebook.cells
        if cell.cell_type == "markdown" and (found := leftovers(cell.source))
    }
    assert left == {}


@pytest.mark.parametrize(
    "raw",
    ["see {eq}`a`", "```{note}\nx\n```", ":::{tip}\n:::", "(label)=", "x\n:label: y", "% no",
     "+++", "a[^1]", "[x](y.md)", "[x](#y)", "{{ x }}", "> ```{prf:proof}\n> ```"],
)  # fmt: skip
def test_the_search_for_leftovers_finds_them(raw):
    assert leftovers(raw)


CHAPTER = """\
(first)=
# First

```{prf:theorem} All is $x$
:label: thm
For all $x$

$$
a &= b \\\\
  &= c
$$ (eq-a)
```

```{prf:proof}
By {eq}`eq-a`.
```

```{exercise-start} Do it · ★★☆ · 15 minutes
:label: ex-do
```
Now do it.
```{exercise-end}
```

```{code-cell} ipython3
def my_it(x):
    raise NotImplementedError("replace this line")


with attempt():
    check_it(my_it)
```

```{solution-start} ex-do
:class: dropdown
```
The secret is twelve monkeys.

```{code-cell} ipython3
def my_it(x):
    return "twelve monkeys"


check_it(my_it)
```
```{solution-end}
```
"""


@pytest.fixture
def small(tmp_path):
    """A book of two chapters and a page without code, read."""
    (tmp_path / "index.md").write_text("# Start\n")
    (tmp_path / "one.md").write_text("---\nfile_format: mystnb\n---\n\n" + CHAPTER)
    more = (
        "```{exercise-start} Read · ★☆☆ · 5 minutes\n:label: ex-read\n```\n```{exercise-end}\n```\n"
    )
    (tmp_path / "two.md").write_text(f"(second)=\n# Second\n\n{more}")
    (tmp_path / "plain.md").write_text("# Plain\n")
    chapters = [{"file": name} for name in ("one", "two", "plain")]
    toc = {"format": "jb-book", "root": "index", "parts": [{"chapters": chapters}]}
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(toc))
    (tmp_path / "references.bib").write_text((ROOT / "book/references.bib").read_text("utf-8"))
    return Book.read(tmp_path)


@pytest.mark.parametrize(
    ("source", "plain"),
    [
        ("as {prf:ref}`thm` and {eq}`eq-a` say",
         "as Theorem 1 of [First](one.ipynb) and (1) of [First](one.ipynb) say"),
        ("{ref}`here <second>` and {ref}`first`", "here and [First](one.ipynb)"),
        ("{numref}`ex-do`", "Exercise 1 of [First](one.ipynb)"),
        ("{doc}`one` and [it](one.md), not [that](plain.md)",
         "[First](one.ipynb) and [it](one.ipynb), not that"),
        ("in [0, 1] see [it](one.md)", "in [0, 1] see [it](one.ipynb)"),
        ("[](one.md) and [out](https://arxiv.org)",
         "[First](one.ipynb) and [out](https://arxiv.org)"),
        ("{cite:t}`bradley1952rank` {cite:p}`bradley1952rank,razin2025why`",
         "Bradley and Terry (1952) (Bradley and Terry, 1952; Razin et al., 2026)"),
        ("`{eq}` stays, $\\{x\\}$ too, and {math}`y`", "`{eq}` stays, $\\{x\\}$ too, and $y$"),
        ("```{admonition} Before *you*\n:class: tip\nGuess {eq}`eq-a`.\n\n$$\nx\n+ y\n$$\n```",
         "> **Before *you***\n>\n> Guess (1) of [First](one.ipynb).\n>\n> $$ x + y $$"),
        ("```{admonition} Hint\n:class: dropdown\nThink.\n```",
         "<details>\n<summary>Hint</summary>\n\nThink.\n\n</details>"),
        (":::{note}\nMind.\n:::", "> **Note**\n>\n> Mind."),
        ("````{prf:definition} D\n:nonumber:\n```{note}\nx\n```\n````",
         "> **Definition** (D)\n>\n> > **Note**\n> >\n> > x"),
        ("(a)=\n## T\n\n% why\n\nx\n\n+++\n\ny", "## T\n\nx\n\ny"),
        ("- a\n\n  $$\n  x\n  $$ (eq-a)", "- a\n\n  $$ x \\tag{1} $$"),
        ("\\begin{align}\na\n\\end{align}", "$$\n\\begin{align}\na\n\\end{align}\n$$"),
        ("so[^n]\n\n[^n]: because", "so<sup>1</sup>"),
        ("| a | b |\n|---|---|\n| {eq}`eq-a` | `x` |",
         "| a | b |\n|---|---|\n| (1) of [First](one.ipynb) | `x` |"),
        ("```console\nminirm {x}\n```", "```console\nminirm {x}\n```"),
    ],
)  # fmt: skip
def test_conversion(small, source, plain):
    assert Converter(small, "two").convert(source) == plain


@pytest.mark.parametrize(
    ("source", "named"),
    [("```{mermaid}\nx\n```", "mermaid"), ("{kidding}`x`", "kidding"), ("{ref}`gone`", "gone"),
     ("{cite:p}`nobody2020`", "nobody2020"), ("[x](gone)", "gone"), ("term\n: what", "dl"),
     ("{{ x }}", "substitution"), ("- ```{note}\n  x\n  ```", "note"), ("{eq}`thm`", "thm")],
)  # fmt: skip
def test_what_has_no_plain_form_is_an_error_that_names_it(small, source, named):
    with pytest.raises(Unknown, match=named):
        Converter(small, "two").convert(source)


def test_a_chapter_in_the_three_editions(small):
    texts = {
        edition: [
            (cell.cell_type, cell.source)
            for cell in notebooks.notebook(small, small.chapters[0], edition).cells[2:]
        ]
        for edition in notebooks.EDITIONS
    }
    theorem = (
        "> **Theorem 1** (All is $x$)\n>\n> For all $x$\n>\n"
        "> $$ a &= b \\\\ &= c \\tag{1} $$\n\n> *Proof.* By (1). ∎"
    )
    exercise = "### Exercise 1. Do it\n\n*★★☆ · 15 minutes*\n\nNow do it."
    assert texts["student"][:2] == [("markdown", theorem), ("markdown", exercise)]
    assert [kind for kind, _ in texts["student"]] == ["markdown", "markdown", "code"]
    assert texts["book"][:3] == texts["teacher"][:3] == texts["student"]
    (kind, folded), *more = texts["book"][3:]
    assert (kind, more) == ("markdown", [])
    assert folded.startswith("<details>\n<summary>Solution</summary>\n\nThe secret")
    assert '```python\ndef my_it(x):\n    return "twelve monkeys"' in folded
    assert [kind for kind, _ in texts["teacher"][3:]] == ["markdown", "markdown", "code"]
    assert "twelve" not in json.dumps(notebooks.notebook(small, small.chapters[0], "student"))
    assert json.loads(notebooks.graded(small))["one"] == [
        {"label": "ex-do", "function": "my_it", "call": "check_it(my_it)"}
    ]


def test_labels_are_unique(small, tmp_path):
    (tmp_path / "two.md").write_text("(first)=\n# Second\n")
    with pytest.raises(Unknown, match="'first' stands twice"):
        Book.read(tmp_path)
