"""The committed notebooks: fresh, whole, with the built book's numbers, and at home anywhere."""

import ast
import re

import pytest
import yaml
from pages import (
    BOOK,
    HTML,
    NAMES,
    ROOT,
    Page,
    build,
    committed,
    nbformat,
    notebook_links,
    notebooks,
    page,
)
from tiny import PAIRS, tiny, tokenizer

from minirm import ExplicitRM, Trainer
from minirm.experiments.results import load_results


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


@pytest.mark.needs("book")
@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_the_built_book_s(name):
    html = (HTML / f"{name}.html").read_text("utf-8")
    said = "\n".join(cell.source for cell in committed(name).cells)
    assert re.findall(r"\\tag\{(\d+)\}", said) == re.findall(r'class="eqno">\((\d+)\)', html)
    heads = re.findall(r"^(?:### |> \*\*)([A-Z]\w+ \d+)(?:\.|\*\*)", said, re.MULTILINE)
    assert heads == re.findall(r"admonition-title\">\s*<span[^>]*>(\w+ \d+)", html)


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
    finders = {"load_results", "results_file", "last_rows"}
    assert [f"{call}({file!r})" for call, file in named if call not in finders] == []
    assert [file for _, file in named if not (ROOT / "book" / file).is_file()] == []


def test_fast_shortens_training_and_says_so(monkeypatch):
    model = ExplicitRM(tiny(), tokenizer())
    assert Trainer(model, PAIRS, epochs=7).settings.epochs == 7
    monkeypatch.setenv("MINIRM_FAST", "1")
    with pytest.warns(UserWarning, match="MINIRM_FAST=1: 2 epochs instead of 7"):
        assert Trainer(model, PAIRS, epochs=7).settings.epochs == 2
    assert Trainer(model, PAIRS, epochs=1).settings.epochs == 1


def test_pages_are_read_as_the_book_reads_them():
    with pytest.raises(FileNotFoundError):
        Page.read(ROOT / "book/none.md")
