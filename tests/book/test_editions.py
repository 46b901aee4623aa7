"""The editions for a class: no solution astray, stubs that can be solved, a guide to it all."""

import ast
import json
import re
import zipfile
from itertools import count

import pytest
import torch
from pages import BOOK, NAMES, build, notebooks, page, teacher

from minirm.classroom import checking, hamiltonian


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


@pytest.fixture
def repeatable(monkeypatch):
    """The same draws in each run of the tests."""
    seeds = count()
    for module in (checking, hamiltonian):
        draw = lambda: torch.Generator().manual_seed(next(seeds))  # noqa: E731
        monkeypatch.setattr(module, "generator", draw)


@pytest.mark.usefixtures("repeatable")
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
