"""Notebooks and editions: plain Markdown, fresh, the book's own numbers, and no solution astray."""

import ast
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from minirm import ExplicitRM, Trainer
from minirm.experiments.results import load_results

nbformat = pytest.importorskip("nbformat")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "book"), str(ROOT / "book/_ext")]

import notebook_links  # noqa: E402
from _editions import build, notebooks, teacher  # noqa: E402
from _editions.markdown import Converter  # noqa: E402
from _editions.source import Book, Page, Unknown  # noqa: E402

BOOK = Book.read()
NAMES = [page.name for page in BOOK.chapters]
HTML = ROOT / "book/_build/html"


def page(name):
    return next(page for page in BOOK.chapters if page.name == name)


def committed(name):
    return nbformat.read(ROOT / f"book/notebooks/{name}.ipynb", as_version=4)


# ------------------------------------------------------------------------- what is committed


def test_the_committed_notebooks_are_fresh(tmp_path):
    build.written(tmp_path)
    stale = [
        name
        for name in sorted({p.name for p in [*tmp_path.iterdir(), *build.NOTEBOOKS.glob("*")]})
        if not (tmp_path / name).is_file()
        or not (build.NOTEBOOKS / name).is_file()
        or (tmp_path / name).read_bytes() != (build.NOTEBOOKS / name).read_bytes()
    ]
    assert stale == [], "run `make notebooks` and commit what it writes"
    assert build.GRADED.read_text("utf-8") == notebooks.graded(BOOK), "run `make notebooks`"


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_valid_empty_and_ready_for_colab(name):
    notebook = committed(name)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert notebook.cells[0].source.startswith(f"# {page(name).title}\n")
    assert code[0].source.startswith("# Set-up")
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.accelerator == "GPU"
    assert re.fullmatch(r"20\d\d\.\d\d", notebook.metadata.colab.runtime_attributes.runtime_version)


@pytest.mark.parametrize("name", NAMES)
def test_every_code_cell_of_a_chapter_is_in_its_notebook_or_in_a_solution(name):
    cells = committed(name).cells
    kept = [cell.source for cell in cells if cell.cell_type == "code"]
    for cell in cells:
        kept += re.findall(r"^```python\n(.*?)^```$", cell.source, re.DOTALL | re.MULTILINE)
    kept = [ast.dump(ast.parse(code)) for code in kept]
    of_chapter = [cell.source for kind, cell in notebooks.items(page(name)) if kind == "code"]
    dumped = [ast.dump(ast.parse(code)) for code in of_chapter]
    assert sorted(dumped) == sorted(kept[1:])  # all but the set-up


# ------------------------------------------------------------------------- plain Markdown

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


@pytest.mark.needs("book")
@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_the_built_book_s(name):
    html = (HTML / f"{name}.html").read_text("utf-8")
    said = "\n".join(cell.source for cell in committed(name).cells)
    assert re.findall(r"\\tag\{(\d+)\}", said) == re.findall(r'class="eqno">\((\d+)\)', html)
    heads = re.findall(r"^(?:### |> \*\*)([A-Z]\w+ \d+)(?:\.|\*\*)", said, re.MULTILINE)
    assert heads == re.findall(r"admonition-title\">\s*<span[^>]*>(\w+ \d+)", html)


# ------------------------------------------------------------------------- the set-up cell


@pytest.fixture
def setup_run(monkeypatch, tmp_path):
    """Run the set-up cell where the named modules are missing; what it asked pip for."""

    def run(*missing):
        find, calls = importlib.util.find_spec, []

        def record(command, check):
            held = Path(command[command.index("--constraint") + 1]).read_text()
            calls.append((command, held, check))

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name in missing else find(name)
        )
        monkeypatch.setattr(subprocess, "run", record)
        exec(compile(notebooks.setup_cell(), "set-up", "exec"), {})
        return calls

    monkeypatch.delenv("MINIRM_SOURCE", raising=False)
    return run


def test_set_up_does_nothing_where_all_is_there(setup_run):
    assert setup_run() == []


@pytest.mark.parametrize("missing", ["minirm", "anywidget"])
def test_set_up_holds_torch_and_installs_a_range(setup_run, missing):
    ((command, held, check),) = setup_run(missing)
    assert command[:5] == [sys.executable, "-m", "pip", "install", "--quiet"]
    assert command[-1] == "minirm[notebook]>=0.1,<0.2"
    assert held == f"torch=={importlib.metadata.version('torch')}\n"
    assert check
    assert not {"--upgrade", "-U", "--force-reinstall"} & set(command)


def test_set_up_without_a_torch_leaves_its_choice_to_pip(setup_run):
    ((_, held, _),) = setup_run("minirm", "torch")
    assert held == ""


def test_set_up_takes_a_wheel_beside_it_and_what_it_is_told(setup_run, tmp_path, monkeypatch):
    wheel = tmp_path / "minirm-0.1.0-py3-none-any.whl"
    wheel.touch()
    assert setup_run("minirm")[0][0][-1] == f"{wheel}[notebook]"
    monkeypatch.setenv("MINIRM_SOURCE", "minirm[notebook] @ file:///elsewhere")
    assert setup_run("minirm")[0][0][-1] == "minirm[notebook] @ file:///elsewhere"


def test_set_up_names_the_repository_where_that_has_an_address(monkeypatch):
    address = "https" + "://example.org/a/b"
    settings = {"repository": {"url": address}}
    monkeypatch.setattr(notebooks, "config", lambda: settings)
    assert notebooks.source() == f"minirm[notebook] @ git+{address}"
    assert json.dumps(notebooks.source()) in notebooks.setup_cell()


def test_set_up_asks_colab_for_custom_widgets(setup_run, monkeypatch):
    asked = []
    output = type(sys)("google.colab.output")
    output.enable_custom_widget_manager = lambda: asked.append(True)
    colab = type(sys)("google.colab")
    colab.output = output
    monkeypatch.setitem(sys.modules, "google", type(sys)("google"))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    assert setup_run() == []
    assert asked == [True]


def test_what_notebooks_need_the_book_needs_too():
    extras = notebooks.PROJECT["optional-dependencies"]
    assert set(extras["notebook"]) <= set(extras["book"])


# ------------------------------------------------------------------------- editions


def solution_text(name):
    """Lines of code and sentences that stand in the chapter's solutions and nowhere else."""
    inside, solved, rest = False, [], []
    for kind, value in notebooks.items(page(name)):
        if kind in ("solution-start", "solution-end"):
            inside = kind == "solution-start"
        elif kind in ("text", "code"):
            text = value if kind == "text" else value.source
            pieces = re.split(r"\n" if kind == "code" else r"(?<=[.:])\s|\n", text)
            (solved if inside else rest).extend(" ".join(piece.split()) for piece in pieces)
    outside = "\n".join(rest)
    return {piece for piece in solved if len(piece) > 20 and piece not in outside}


def strings(value):
    """Every string in a JSON value, keys and metadata too, without its line breaks."""
    if isinstance(value, dict):
        return [s for item in value.items() for part in item for s in strings(part)]
    if isinstance(value, list):
        if all(isinstance(part, str) for part in value):
            return [" ".join("".join(value).split())]
        return [s for part in value for s in strings(part)]
    return [" ".join(str(value).split())]


@pytest.fixture(scope="module")
def zips(tmp_path_factory):
    """The files of both zips: edition -> name -> bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "DIST", tmp_path_factory.mktemp("dist"))
        (build.DIST / "minirm-0.1.0-py3-none-any.whl").write_bytes(b"a wheel")
        build.write_student()
        build.write_teacher()
        first = (build.DIST / "minirm-student.zip").read_bytes()
        build.write_student()
        assert (build.DIST / "minirm-student.zip").read_bytes() == first
        found = {}
        for edition in ("student", "teacher"):
            with zipfile.ZipFile(build.DIST / f"minirm-{edition}.zip") as archive:
                names = archive.namelist()
                found[edition] = {name.partition("/")[2]: archive.read(name) for name in names}
        return found


def test_zips_hold_the_notebooks_and_the_wheel(zips):
    notebook_names = {f"{name}.ipynb" for name in NAMES}
    common = {"START-HERE.txt", "minirm-0.1.0-py3-none-any.whl"}
    assert set(zips["student"]) == notebook_names | common
    assert set(zips["teacher"]) == notebook_names | common | {"teachers-guide.html"}


@pytest.mark.parametrize("name", NAMES)
def test_no_solution_is_in_the_student_s_zip(zips, name):
    secrets = solution_text(name)
    inside = "\n".join(
        text
        for file, content in zips["student"].items()
        if file.endswith(".ipynb")
        for text in strings(json.loads(content))
    )
    assert [secret for secret in secrets if secret in inside] == []
    assert "olution" not in json.dumps(json.loads(zips["student"][f"{name}.ipynb"])["metadata"])
    if any(kind == "solution-start" for kind, _ in notebooks.items(page(name))):
        teacher_s = "\n".join(strings(json.loads(zips["teacher"][f"{name}.ipynb"])))
        known = [secret for secret in secrets if secret in teacher_s]
        assert len(known) >= 3, "the search would find them"


def functions(code):
    return {n.name: n for n in ast.parse(code).body if isinstance(n, ast.FunctionDef)}


def body(function):
    """The statements of a function without its docstring, as text."""
    documented = ast.get_docstring(function) is not None
    return [ast.unparse(statement) for statement in function.body[documented:]]


def is_its_solution_minus_marked_lines(stub, solution, exercise):
    """The rule for a stub.

    Put a block of lines in place of its one line ``raise NotImplementedError("replace this
    line")``, and it is the solution's function, but for the docstring, which says what goes in and
    out. What follows in the stub's cell is the check, and the solution's cell has the same check.
    """
    a, b = (functions(code).get(exercise.function) for code in (stub, solution))
    if b is None or ast.dump(a.args) != ast.dump(b.args) or body(a).count(RAISE) != 1:
        return False
    at = body(a).index(RAISE)
    before, after = body(a)[:at], body(a)[at + 1 :]
    whole = body(b)
    middle = whole[at : len(whole) - len(after)]
    call = exercise.call
    return (
        len(middle) > 0
        and RAISE not in whole
        and before + middle + after == whole
        and ast.unparse(ast.parse(stub).body[-1]) == f"with attempt():\n    {call}"
        and call in [ast.unparse(statement) for statement in ast.parse(solution).body]
    )


RAISE = ast.unparse(ast.parse(notebooks.STUB))


def stubs(name):
    """(exercise, the stub's cell, the solution's cells) of each checked exercise."""
    found, exercises = {}, {e.label: e for e in notebooks.exercises(BOOK, page(name))}
    label, place = None, 0
    for kind, value in notebooks.items(page(name)):
        if kind in ("exercise-start", "solution-start"):
            label = value.options["label"] if kind == "exercise-start" else value.argument
            place = int(kind == "solution-start")
        elif kind == "code" and label:
            found.setdefault(label, ([], []))[place].append(value.source)
    return [(e, *found[e.label]) for e in exercises.values() if e.check]


@pytest.mark.parametrize("name", NAMES)
def test_a_stub_is_its_solution_minus_marked_lines(name):
    broken = []
    for exercise, written, solved in stubs(name):
        stub = next(code for code in written if notebooks.STUB in code)
        good = any(
            is_its_solution_minus_marked_lines(stub, code, exercise)
            for code in solved
            if exercise.function in functions(code)
        )
        broken += [] if good else [exercise.label]
    assert broken == []


def test_the_rule_for_stubs_can_be_broken():
    exercise = notebooks.Exercise("ex", 1, "t", "★☆☆", 5, False, "my_f", "check_f(my_f)")
    stub = (
        f'def my_f(x):\n    """x -> y"""\n    y = x + 1\n    {notebooks.STUB}\n    return y'
        "\n\n\nwith attempt():\n    check_f(my_f)"
    )
    right = "def my_f(x):\n    y = x + 1\n    y = y * 2\n    return y\n\n\ncheck_f(my_f)"
    assert is_its_solution_minus_marked_lines(stub, right, exercise)
    for old, new in (("(x):", "(x, z):"), ("x + 1", "x + 2"), ("return y", "return x"),
                     ("\n    y = y * 2", ""), ("check_f(my_f)", "")):  # fmt: skip
        assert not is_its_solution_minus_marked_lines(stub, right.replace(old, new), exercise)


def test_the_guide_knows_every_chapter_exercise_and_mistake(zips):
    guide = zips["teacher"]["teachers-guide.html"].decode()
    assert "<!--" not in guide
    cases = teacher.wrong_code()
    assert len(cases) >= 11
    for chapter in BOOK.chapters:
        assert f"<h3>{chapter.title}</h3>" in guide
        for exercise in notebooks.exercises(BOOK, chapter):
            name = (exercise.check or "").removeprefix("check_")
            if name in cases:
                told = list(teacher.hints(name))
                assert len(told) >= 3
                assert len({hint for _, hint in told}) == len(told)
                assert f"<h3>{chapter.title}: {exercise.title}" in guide
                assert guide.count("<tr>") > len(told)


# ------------------------------------------------------------------------- the pages


def test_a_page_links_to_colab_only_where_there_is_an_address():
    assert "olab" not in notebook_links.links("x", "")
    assert "olab" not in notebook_links.links("x", "https" + "://example.org/a/b")
    line = notebook_links.links("x", "https" + "://github.com/a/b/", "trunk")
    assert "colab.research.google.com/github/a/b/blob/trunk/book/notebooks/x.ipynb" in line
    assert 'href="x.ipynb" download' in line


@pytest.mark.needs("book")
@pytest.mark.parametrize("name", NAMES)
def test_a_built_page_offers_its_notebook(name):
    html = (HTML / f"{name}.html").read_text("utf-8")
    assert f'<a href="{name}.ipynb" download' in html
    notebook = ROOT / f"book/notebooks/{name}.ipynb"
    assert (HTML / f"{name}.ipynb").read_bytes() == notebook.read_bytes()
    address = yaml.safe_load((ROOT / "book/_config.yml").read_text("utf-8"))["repository"]["url"]
    assert ("Open in Colab" in html) == ("github.com" in address)


# ------------------------------------------------------------------------- away from the book


def test_the_book_s_results_are_found_from_anywhere_and_others_are_not(tmp_path, monkeypatch):
    here = load_results(ROOT / "book/results/persona.json")
    monkeypatch.chdir(tmp_path)
    assert load_results("results/persona.json") == here
    for name in ("persona.json", "results/none.json", "elsewhere/persona.json"):
        with pytest.raises(FileNotFoundError):
            load_results(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_chapter_finds_its_files_without_the_book_s_folder(name):
    code = "\n".join(v.source for kind, v in notebooks.items(page(name)) if kind == "code")
    named = re.findall(r"""(\w+)\(\s*["']([^"']*\.jsonl?)["']""", code)
    finders = {"load_results", "results_file"}
    assert [f"{call}({file!r})" for call, file in named if call not in finders] == []
    assert [file for _, file in named if not (ROOT / "book" / file).is_file()] == []


def test_fast_shortens_training_and_says_so(monkeypatch):
    from tiny import PAIRS, tiny, tokenizer

    model = ExplicitRM(tiny(), tokenizer())
    assert Trainer(model, PAIRS, epochs=7).settings.epochs == 7
    monkeypatch.setenv("MINIRM_FAST", "1")
    with pytest.warns(UserWarning, match="MINIRM_FAST=1: 2 epochs instead of 7"):
        assert Trainer(model, PAIRS, epochs=7).settings.epochs == 2
    assert Trainer(model, PAIRS, epochs=1).settings.epochs == 1


def test_pages_are_read_as_the_book_reads_them():
    with pytest.raises(FileNotFoundError):
        Page.read(ROOT / "book/none.md")
