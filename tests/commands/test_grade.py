"""``minirm grade``: each kind of outcome, and that a notebook costs nobody's row but its own."""

import csv
import json
import sys
from pathlib import Path

import pytest

from minirm import classroom, cli
from minirm.commands.grade import EXERCISES, outcome

pytest.importorskip("nbformat")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book"))

from _editions import notebooks  # noqa: E402
from _editions.source import Book  # noqa: E402

CALL = "check_reward_gradients(my_gradients)"
RIGHT = """
def my_gradients(chosen, rejected):
    g = torch.sigmoid(-(chosen - rejected)) / len(chosen)
    return -g, g
"""


def result(*cells):
    return outcome(["import torch", *cells], "my_gradients", CALL)


# ------------------------------------------------------------------------- one exercise


def test_solved(capsys):
    assert result(RIGHT) == "solved"
    assert capsys.readouterr().out.startswith("Right.")


def test_not_yet_comes_with_the_hint():
    said = result(RIGHT.replace("-g, g", "g, -g"))
    assert said.startswith("not yet: You gave the direction of the step.")


@pytest.mark.parametrize(
    "cells",
    [["def my_gradients(chosen, rejected):\n    raise NotImplementedError('replace this line')"],
     ["my_other = 1"], []],
)  # fmt: skip
def test_not_written(cells):
    assert result(*cells) == "not written"


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("def my_gradients(c, r):\n    return 1 / 0", "crashed: ZeroDivisionError: division by"),
        ("def my_gradients(c, r):\n    exit_now()", "crashed: NameError: name 'exit_now'"),
        ("import sys\ndef my_gradients(c, r):\n    sys.exit()", "crashed: SystemExit:"),
        ("def my_gradients(c, r) return 1", "crashed: SyntaxError: expected ':'"),
        ("def my_gradients(c):\n    return c", "crashed: TypeError: my_gradients() takes 1"),
        ("from gone import x as my_gradients", "crashed: ModuleNotFoundError: No module"),
    ],
)
def test_crashed(cell, said):
    found = result(cell)
    assert found.startswith(said)
    assert "\n" not in found


def test_only_what_is_needed_runs():
    """Neither a cell that fails nor one that never ends costs an exercise that is without it."""
    helper = (
        "half = pull(0)\nimport math as m\ndef pull(x):\n    return torch.sigmoid(-x) * m.e / m.e"
    )
    mine = (
        "def my_gradients(chosen, rejected):\n    g = pull(chosen - rejected) / len(chosen)\n"
        "    return -g, g\n\nwith attempt():\n    check_reward_gradients(my_gradients)"
    )
    others = ["1 / 0", "this is no Python", "chosen = [0 for _ in iter(int, 1)]", "!pip install x"]
    assert result(*others, mine, helper) == "solved"


def test_magics_and_the_last_of_two_versions_count():
    wrong = "def my_gradients(chosen, rejected):\n    return None"
    assert result("%matplotlib inline\n" + wrong, RIGHT) == "solved"
    assert result(RIGHT, wrong).startswith("not yet: Your function returned None")


def test_the_checks_are_the_library_s():
    wrong = "def my_gradients(chosen, rejected):\n    return chosen, rejected"
    mine = "def check_reward_gradients(f):\n    print('Right.')"
    assert result(wrong, mine).startswith("not yet: ")


# ------------------------------------------------------------------------- every exercise

BOOK = Book.read()


@pytest.mark.parametrize("page", BOOK.chapters, ids=lambda page: page.name)
def test_students_start_from_not_written_and_teachers_have_it_solved(page):
    for edition, expected in (("student", "not written"), ("teacher", "solved")):
        cells = notebooks.notebook(BOOK, page, edition).cells
        code = [cell.source for cell in cells if cell.cell_type == "code"]
        for exercise in EXERCISES[page.name]:
            found = outcome(code, exercise["function"], exercise["call"])
            assert (exercise["label"], found) == (exercise["label"], expected)


def test_every_check_in_the_list_is_in_the_library():
    checks = {e["call"].partition("(")[0] for rows in EXERCISES.values() for e in rows}
    assert checks <= set(classroom.__all__)


# ------------------------------------------------------------------------- a folder


def write(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    code = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "x"}, *code]}))


MARGIN = """
def my_margin(chosen, rejected):
    return (chosen - rejected).abs().mean() / torch.cat([chosen, rejected]).std()
"""
IMPORTS = "import torch\nfrom minirm.classroom import check_bradley_terry, attempt"


@pytest.mark.slow
def test_a_folder(tmp_path, capfd):
    loops = "def my_loss(chosen, rejected):\n    while True:\n        pass"
    leaves = "import os\ndef my_gradients(chosen, rejected):\n    os._exit(0)"
    folder = tmp_path / "in"
    write(folder / "ann/one.ipynb", IMPORTS, loops, leaves, MARGIN, "print('hello' * 9)")
    write(folder / "bob.ipynb", IMPORTS, RIGHT)
    write(folder / "other.ipynb", "print('nothing of this book')")
    write(folder / ".ipynb_checkpoints/bob.ipynb", IMPORTS)
    (folder / "torn.ipynb").write_text('{"cells": [')
    call = ["grade", str(folder), "--output", str(tmp_path / "out.csv"), "--seconds", "3"]
    assert cli.main(call) == 0
    said = capfd.readouterr().out
    assert "hello" not in said
    assert "ann/one.ipynb: 1 of 3\nbob.ipynb: 1 of 3\n" in said
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        ann, bob, other, torn = csv.DictReader(file)
    assert list(ann.items()) == [
        ("notebook", "ann/one.ipynb"),
        ("chapter", "preferences"),
        ("solved", "1"),
        ("of", "3"),
        ("ex-stable-loss", "timed out: longer than 3 s"),
        ("ex-gradient", "crashed: its process ended"),
        ("ex-normalised-margin", "solved"),
    ]
    labels = ("ex-stable-loss", "ex-gradient", "ex-normalised-margin")
    assert [bob[label] for label in labels] == ["not written", "solved", "not written"]
    assert other["chapter"] == "no exercise of this book in it"
    assert torn["chapter"] == "no notebook (JSONDecodeError)"
    assert other["solved"] == torn["solved"] == "0"


def test_a_folder_without_notebooks_is_an_error(tmp_path, capsys):
    assert cli.main(["grade", str(tmp_path)]) == 1
    assert "there is no notebook in" in capsys.readouterr().err
    assert not Path("grades.csv").exists()


def test_help_names_the_outcomes(capsys):
    with pytest.raises(SystemExit):
        cli.main(["grade", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "solved, not yet (with the hint), not written, crashed or timed out" in said
