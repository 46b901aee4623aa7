"""What is read is not written over, and what is written is there whole or beside its place."""

import os
import stat
import sys
from pathlib import Path

import pytest

from minirm.commands.files import refuse_to_write_over, written_beside


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_text("input")


def spelt_otherwise(kind):
    """in.jsonl under another name."""
    Path("folder").mkdir()
    other = Path("other.jsonl")
    if kind == "symlink":
        other.symlink_to("in.jsonl")
    elif kind == "link to a link":
        Path("middle").symlink_to("in.jsonl")
        other.symlink_to("middle")
    elif kind == "hard link":
        other.hardlink_to("in.jsonl")
    elif kind == "linked folder":
        Path("linked").symlink_to(".")
        other = Path("linked") / "in.jsonl"
    elif kind == "absolute":
        other = Path("in.jsonl").absolute()
    elif kind == "round about":
        other = Path("folder") / ".." / "in.jsonl"
    else:
        other = Path("in.jsonl")
    return other


@pytest.mark.parametrize(
    "kind",
    ["same", "symlink", "link to a link", "hard link", "linked folder", "absolute", "round about"],
)
def test_an_input_is_known_under_every_name(kind):
    other = spelt_otherwise(kind)
    for output, source in ((other, Path("in.jsonl")), (Path("in.jsonl"), other)):
        with pytest.raises(FileExistsError, match="--output X is a file that is read here"):
            refuse_to_write_over(output, [Path("no.jsonl"), source], "--output X")
    with open(other) as file, pytest.raises(FileExistsError):
        refuse_to_write_over(Path("in.jsonl"), [file.fileno()], "--output X")


def test_what_is_another_file_or_none_is_let_through():
    Path("same-words.jsonl").write_text("input")
    for output in ("same-words.jsonl", "new.jsonl", "no/folder.jsonl", os.devnull, "."):
        refuse_to_write_over(Path(output), [Path("in.jsonl"), Path(os.devnull), Path(".")], "it")


@pytest.mark.parametrize("older", [None, "an older one"])
def test_a_file_has_its_name_once_it_is_whole(older):
    path = Path("out.jsonl")
    if older:
        path.write_text(older)
        path.chmod(0o640)
    with written_beside(path) as file:
        file.write("new")
        file.flush()
        assert Path("out.jsonl.partial").read_text() == "new"
        assert (path.read_text() if path.exists() else None) == older
    assert path.read_text() == "new"
    assert not Path("out.jsonl.partial").exists()
    if older:
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, OSError])
def test_after_an_error_the_older_file_and_the_part_are_both_there(kind):
    Path("out.jsonl").write_text("an older one")

    def stopped():
        with written_beside(Path("out.jsonl")) as file:
            file.write("half")
            raise kind("stop")

    with pytest.raises(kind) as caught:
        stopped()
    assert caught.value.__notes__ == ["what was written until then is in out.jsonl.partial"]
    assert Path("out.jsonl").read_text() == "an older one"
    assert Path("out.jsonl.partial").read_text() == "half"
    with (
        pytest.raises(FileExistsError, match=r"out\.jsonl\.partial holds what a run wrote"),
        written_beside(Path("out.jsonl")),
    ):
        pass
    assert Path("out.jsonl.partial").read_text() == "half"


def test_where_nothing_was_written_nothing_stays():
    with pytest.raises(ValueError, match="stop") as caught, written_beside(Path("out.jsonl")):
        raise ValueError("stop")
    assert not hasattr(caught.value, "__notes__")
    assert os.listdir() == ["in.jsonl"]
    Path("out.jsonl.partial").touch()  # as a killed run leaves it
    with written_beside(Path("out.jsonl")) as file:
        file.write("new")
    assert Path("out.jsonl").read_text() == "new"


def test_a_link_stays_a_link_and_what_it_points_to_is_written():
    Path("there").mkdir()
    Path("there/out.jsonl").write_text("old")
    Path("out.jsonl").symlink_to("there/out.jsonl")
    with written_beside(Path("out.jsonl")) as file:
        file.write("new")
    assert Path("out.jsonl").is_symlink()
    assert Path("there/out.jsonl").read_text() == "new"
    assert os.listdir("there") == ["out.jsonl"]


def test_another_name_of_an_older_file_keeps_what_was_in_it():
    Path("out.jsonl").hardlink_to("in.jsonl")
    with written_beside(Path("out.jsonl")) as file:
        file.write("new")
    assert (Path("in.jsonl").read_text(), Path("out.jsonl").read_text()) == ("input", "new")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_device_is_written_and_stays_one():
    with written_beside(Path("/dev/null")) as file:
        file.write("new")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize(
    ("path", "error", "complaint"),
    [
        (".", IsADirectoryError, r"--output \. is a folder: give a file"),
        ("no/out.jsonl", FileNotFoundError, "there is no folder 'no'"),
        ("in.jsonl/out.jsonl", FileNotFoundError, "there is no folder 'in.jsonl'"),
    ],
)
def test_a_place_that_takes_no_file_is_named(path, error, complaint):
    with pytest.raises(error, match=complaint), written_beside(Path(path)):
        pass
    assert os.listdir() == ["in.jsonl"]
