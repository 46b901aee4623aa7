"""``minirm grade``: a folder in, a table out; a notebook costs nobody's row but its own."""

import csv
import json
from pathlib import Path

import pytest

from minirm import cli

RIGHT = """
def my_gradients(chosen, rejected):
    g = torch.sigmoid(-(chosen - rejected)) / len(chosen)
    return -g, g
"""


def notebook(*cells):
    code = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    return json.dumps({"cells": [{"cell_type": "markdown", "source": "x"}, *code]})


def write(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebook(*cells))


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


@pytest.mark.slow
def test_each_notebook_is_graded_where_it_lies(tmp_path, capfd):
    """Beside its modules and data, with a byte order mark, of format 3; and the table is text."""
    beside = (
        "from pulls import pull\nimport json\nwith open('sign.json') as file:\n"
        "    sign = json.load(file)\ndef my_gradients(c, r):\n    g = pull(sign * (c - r))\n"
        "    return -g, g"
    )
    folder = tmp_path / "in"
    for name in ("=1+1", "+a", "-b", "@c", "\td"):
        write(folder / name / "a.ipynb", IMPORTS, beside)
        sign = 1 if name == "@c" else -1
        (folder / name / "sign.json").write_text(str(sign))
        module = "import torch\ndef pull(m):\n    return torch.sigmoid(m) / len(m)\n"
        (folder / name / "pulls.py").write_text(module)
    (folder / "mark.ipynb").write_text("\ufeff" + notebook(IMPORTS, RIGHT), "utf-8")
    cells = [{"cell_type": "code", "input": cell} for cell in (IMPORTS, RIGHT)]
    (folder / "old.ipynb").write_text(json.dumps({"worksheets": [{"cells": cells}]}))
    before = sorted(folder.rglob("*"))
    assert cli.main(["grade", str(folder), "--output", str(tmp_path / "out.csv")]) == 0
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        found = {row["notebook"]: row["ex-gradient"] for row in csv.DictReader(file)}
    hint = found.pop("'@c/a.ipynb")
    assert hint.startswith("not yet: The weight is largest")
    names = ["'\td/a.ipynb", "'+a/a.ipynb", "'-b/a.ipynb", "'=1+1/a.ipynb"]
    assert found == dict.fromkeys([*names, "mark.ipynb", "old.ipynb"], "solved")
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("link", [None, "symlink_to", "hardlink_to"])
def test_the_table_never_takes_the_place_of_a_notebook(tmp_path, capsys, link):
    path = tmp_path / "in/a.ipynb"
    write(path, IMPORTS, RIGHT)
    text = path.read_text()
    output = path
    if link:
        output = tmp_path / "out.csv"
        getattr(output, link)(path)
    assert cli.main(["grade", str(tmp_path / "in"), "--output", str(output)]) == 1
    assert "is one of the notebooks; give another file" in capsys.readouterr().err
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("folder", "output", "said"),
    [
        ("none", "out.csv", "expected a folder of notebooks, got"),
        ("in/a.ipynb", "out.csv", "expected a folder of notebooks, got"),
        ("in", "none/out.csv", "there is no such folder"),
        ("in", "in", "is a folder, expected a file"),
    ],
)
def test_what_cannot_be_done_is_said_first(tmp_path, capsys, folder, output, said):
    write(tmp_path / "in/a.ipynb", IMPORTS, RIGHT)
    call = ["grade", str(tmp_path / folder), "--output", str(tmp_path / output)]
    assert cli.main(call) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert repr(str(tmp_path / (output if folder == "in" else folder))) in printed.err


def test_a_folder_without_notebooks_is_an_error(tmp_path, capsys):
    assert cli.main(["grade", str(tmp_path)]) == 1
    assert "there is no notebook in" in capsys.readouterr().err
    assert not Path("grades.csv").exists()


def test_help_names_the_outcomes(capsys):
    with pytest.raises(SystemExit):
        cli.main(["grade", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "solved, not yet (with the hint), not written, crashed or timed out" in said
