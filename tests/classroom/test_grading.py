"""The outcome of an exercise: each kind of it, and right answers written in every way."""

import sys
from pathlib import Path

import pytest
from right_answers import RIGHT_ANSWERS

from minirm import Trainer, classroom
from minirm.classroom.grading import EXERCISES, outcome

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


PULL = """
def my_gradients(chosen, rejected):
    g = pull(chosen - rejected)
    return -g, g
"""


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


@pytest.mark.parametrize("notebook", RIGHT_ANSWERS.values(), ids=RIGHT_ANSWERS)
def test_a_right_answer_is_right_however_it_is_written(notebook):
    cells = [cell.strip("\n") for cell in notebook.split("# %\n")]
    answer = [] if "my_gradients" in notebook else [PULL]
    assert result(*cells, *answer, "history = train()", "1 / 0") == "solved"


def test_wrong_state_is_seen_as_in_a_kernel():
    """What changes an answer below its definition counts; so these are not solved."""
    pull = "def pull(m):\n    return torch.sigmoid(cfg[0] * m) / len(m)"
    turn = "def turn():\n    cfg[0] = 1\nturn()"
    for last in ("cfg[0] = 1", "cfg.reverse()", "cfg = [1]", turn):
        assert result("cfg = [-1, 1]", pull, PULL) == "solved"
        said = result("cfg = [-1, 1]", pull, PULL, last)
        assert said.startswith("not yet: The weight is largest")


def test_the_error_of_what_is_missing_is_told():
    """Not only that a name is missing: why."""
    assert result("from gone import pull", PULL).startswith("crashed: ModuleNotFoundError")
    assert result("pull = open('gone.txt')", PULL).startswith("crashed: FileNotFoundError")
    stub = "def my_gradients(c, r):\n    raise NotImplementedError"
    assert result(stub) == "not written"
    assert result(stub, "def my_gradients(c, r) return").startswith("crashed: SyntaxError")


# ------------------------------------------------------------------------- every exercise

BOOK = Book.read()


@pytest.mark.parametrize("page", BOOK.chapters, ids=lambda page: page.name)
def test_students_start_from_not_written_and_teachers_have_it_solved(page, monkeypatch):
    def trains(*_, **__):
        raise AssertionError("a training cell was run")

    monkeypatch.setattr(Trainer, "fit", trains)
    monkeypatch.setattr(Trainer, "__init__", trains)
    for edition, expected in (("student", "not written"), ("teacher", "solved")):
        cells = notebooks.notebook(BOOK, page, edition).cells
        code = [cell.source for cell in cells if cell.cell_type == "code"]
        for exercise in EXERCISES[page.name]:
            found = outcome(code, exercise["function"], exercise["call"])
            assert (exercise["label"], found) == (exercise["label"], expected)


def test_every_check_in_the_list_is_in_the_library():
    checks = {e["call"].partition("(")[0] for rows in EXERCISES.values() for e in rows}
    assert checks <= set(classroom.__all__)
