"""``minirm inspect MODEL --data FILE``: its report, its files, and what it refuses beforehand."""

import json
import re
from argparse import Namespace

import pytest
from calling import ROWS, call, status_of, write_rows
from tiny import perturb, tiny, tokenizer

from minirm import ImplicitRM


def error(capsys, *arguments):
    """The one line of an error, of a call that scores nothing."""
    status = status_of(arguments)
    lines = capsys.readouterr().err.strip().splitlines()
    return status, lines[-1]


@pytest.fixture
def worded(here):
    """Three questions in two wordings, one row each."""
    rows = [
        {"prompt": f"Do you {verb}? ", "chosen": f"{how}yes", "rejected": f"{how}no", "id": verb,
         "how": how or "plain"}
        for verb in ("help", "blame", "say") for how in ("", "I say ")
    ]  # fmt: skip
    write_rows("worded.jsonl", rows)
    return rows


def test_a_model_is_reported_on(here, capsys):
    assert call("inspect", "rm", "--data", "pairs.jsonl", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["reward"], found["data"]) == ("rm", "explicit", ["pairs.jsonl"])
    assert found["taken"] == {"items": 4, "pairs": 8}  # eight pairs on four prompts
    assert call("evaluate", "rm", "--data", "pairs.jsonl", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert found["accuracy"] == {"value": said["accuracy"], "interval": said["interval"]}
    assert call("inspect", "rm", "--data", "pairs.jsonl") == 0
    out = capsys.readouterr().out
    assert out.startswith("rm: an explicit reward, looked at on pairs.jsonl (read as strings)\n")
    assert "all items, 8 pairs" in out
    assert "rewrite " in out
    assert max(map(len, out.splitlines())) < 140


def test_an_implicit_one_too_and_few_items(here, capsys):
    perturb(ImplicitRM(tiny(), tokenizer())).save_pretrained("im")
    assert call("inspect", "im", "--data", "pairs.jsonl", "--max-items", 2) == 0
    out = capsys.readouterr().out
    assert "2 of 4 items, drawn at random (--max-items), 4 pairs" in out
    assert "With the first 10 % of each answer's tokens" in out


def test_report_json_and_page_in_one_call(here, capsys):
    args = ("inspect", "rm", "--data", "pairs.jsonl", "--json", "a.json", "--html", "a.html")
    assert call(*args) == 0
    out = capsys.readouterr().out
    assert out.startswith("rm: an explicit reward")
    assert json.loads((here / "a.json").read_text())["model"] == "rm"
    assert (here / "a.html").read_text().startswith("<!DOCTYPE html>")
    assert call(*args) == 0  # a report may be written anew
    assert call("inspect", "pairs.jsonl", "--html", "d.html", "--json", "d.json") == 0
    assert "pairs.jsonl" in (here / "d.html").read_text()
    assert "files" in json.loads((here / "d.json").read_text())


def test_wordings_in_a_column_and_in_files_are_the_same(worded, capsys):
    call("inspect", "rm", "--data", "worded.jsonl", "--item", "id", "--wording", "how", "--json")
    one = json.loads(capsys.readouterr().out)
    assert one["given"]["wordings"] == ["plain", "I say "]
    assert one["given"]["items"] == one["taken"]["items"] == 3
    write_rows("plain.jsonl", worded[::2])
    write_rows("say.jsonl", worded[1::2])
    call("inspect", "rm", "--data", "plain.jsonl", "say.jsonl", "--item", "prompt", "--json")
    two = json.loads(capsys.readouterr().out)
    assert two["given"]["wordings"] == ["plain.jsonl", "say.jsonl"]
    assert two["given"]["meaning"] == pytest.approx(one["given"]["meaning"])
    assert two["accuracy"] == one["accuracy"]  # on the first wording


def test_files_of_one_name_in_two_folders_are_two_wordings(worded, here, capsys):
    for name, rows in {"en": worded[::2], "fr": worded[1::2]}.items():
        (here / name).mkdir()
        write_rows(here / name / "test.jsonl", rows)
    args = ("rm", "--data", "en/test.jsonl", "fr/test.jsonl", "--item", "prompt", "--json")
    assert call("inspect", *args) == 0
    found = json.loads(capsys.readouterr().out)["given"]
    assert found["wordings"] == ["en/test.jsonl", "fr/test.jsonl"]


def test_items_that_lack_a_wording_are_said_to_be_left_out(worded, capsys):
    write_rows("worded.jsonl", worded[:-1])
    args = ("rm", "--data", "worded.jsonl", "--item", "id", "--wording", "how")
    assert call("inspect", *args, "--html", "a.html") == 0
    assert "left out: 1 item that lacks a wording" in capsys.readouterr().out
    with open("a.html") as page:
        assert "Left out: 1 item that lacks a wording." in page.read()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rm"], "'rm' is a folder, not data: to look at what a model reads"),
        (["rm", "base", "--data", "pairs.jsonl"], "one model is looked at, got 2 names"),
        (["pairs.jsonl", "--item", "id"], "--item is for a model: minirm inspect MODEL --data"),
        (["rm", "--data", "pairs.jsonl", "--train", "x"], "--train is for data alone"),
        (["rm", "--data", "pairs.jsonl", "--model", "x"], "--model is for data alone"),
        (["rm", "--data", "pairs.jsonl", "--wording", "kind"], "--wording needs --item"),
        (["rm", "--data", "pairs.jsonl", "--html", "a.pdf"], "--html writes to a file that ends"),
        (["pairs.jsonl", "--json", "x.jsonl"], "--json writes to a file that ends in .json, got"),
        (["pairs.jsonl", "--beta", "0.1"], "--beta is for a model"),
        (["pairs.jsonl", "--max-items", "100"], "--max-items is for a model"),
        (["pairs.jsonl", "--seed", "0"], "--seed is for a model"),
        (["pairs.jsonl", "--batch-size", "8"], "--batch-size is for a model"),
    ],
)
def test_a_bad_call_is_one_line(arguments, says, here, capsys):
    status, line = error(capsys, "inspect", *arguments)
    assert status == 2
    assert says in line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--item", "nix"], "pairs.jsonl, line 1: no column 'nix' (--item); it has"),
        (["--item", "kind", "--wording", "nix"], "line 1: no column 'nix' (--wording)"),
        (["--item", "kind", "--wording", "prompt"], "are both item 'a' in wording "),
        (["--item", "kind", "--wording", "kind"], "are both item"),
        (["--html", "no/a.html"], "there is no folder 'no'"),
    ],
)
def test_a_fault_in_the_data_is_told_before_any_reward(arguments, says, here, capsys, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("opened a model")

    monkeypatch.setattr("minirm.commands.inspect_model.open_reward", never)
    status, line = error(capsys, "inspect", "rm", "--data", "pairs.jsonl", *arguments)
    assert status == 1
    assert says in line


@pytest.mark.parametrize("what", [["rm", "--data", "pairs.jsonl"], ["pairs.jsonl"]])
def test_several_processes_are_refused_for_each_would_do_it_all(what, here, capsys, monkeypatch):
    monkeypatch.setattr("minirm.commands.inspect.processes", lambda: Namespace(num_processes=2))
    status, line = error(capsys, "inspect", *what, "--html", "a.html")
    assert status == 2
    assert "inspect is for one process: each of 2 would do all of it" in line
    assert not (here / "a.html").exists()


def test_no_data_is_written_over(here, capsys):
    content = json.dumps(ROWS)
    (here / "rows.json").write_text(content)
    for arguments in (["rows.json", "--json", "rows.json"], ["pairs.jsonl", "--json", "rows.json"]):
        status, line = error(capsys, "inspect", *arguments)
        assert status == 1
        assert "is a file that is read here" in line or "no report of `minirm inspect`" in line
    own = "<!DOCTYPE html><title>My own page</title>"
    (here / "own.html").write_text(own)
    status, line = error(capsys, "inspect", "pairs.jsonl", "--html", "own.html")
    assert status == 1
    assert "--html own.html: that file is there and is no report of `minirm inspect`" in line
    assert (here / "own.html").read_text() == own
    config = (here / "rm" / "config.json").read_text()
    status, _ = error(capsys, "inspect", "rm", "--data", "pairs.jsonl", "--json", "rm/config.json")
    assert status == 1
    assert (here / "rows.json").read_text() == content
    assert (here / "rm" / "config.json").read_text() == config


def test_what_does_not_fit_is_left_out_and_said(here, capsys):
    long = {"prompt": "Q ", "chosen": "yes " * 200, "rejected": "no"}
    write_rows("some.jsonl", [*ROWS, long, {"prompt": "Q ", "chosen": "x", "rejected": "x"}])
    assert call("inspect", "rm", "--data", "some.jsonl") == 0
    out = capsys.readouterr().out
    assert "left out: 1 row that makes no pair, 1 pair over the model's context" in out
    write_rows("long.jsonl", [long])
    status, line = error(capsys, "inspect", "rm", "--data", "long.jsonl")
    assert status == 1
    assert (
        "none of 1 pair can be read: longer than the model's context of 128 tokens 1, bad 0" in line
    )


SEVERAL = re.compile(r"\b(?<![.,-])1 (?:distinct |rewritten )?\w*[^s\W]s\b(?! (?:the|of|to|in)\b)")


def test_one_of_a_kind_is_not_called_several(here, capsys):
    """One item, one pair, one of everything, in every report and page."""
    twice = {"prompt": "Is it so? ", "chosen": "Yes, it is.", "rejected": "No, it is not."}
    same = {"prompt": "Q ", "chosen": "x", "rejected": "x"}
    long = {"prompt": "Q ", "chosen": "yes " * 200, "rejected": "no"}
    write_rows("one.jsonl", [twice, same])
    write_rows("long.jsonl", [twice, long])
    write_rows("two.jsonl", [twice, twice | {"chosen": "So it is."}, twice | {"subset": "mine"}])
    more = ("--overlong", "drop", "--bad-rows", "drop")
    said = []
    for args in (
        ("inspect", "one.jsonl", "two.jsonl", "--html", "data.html", "--model", "rm"),
        ("inspect", "rm", "--data", "one.jsonl", "--html", "model.html"),
        ("evaluate", "rm", "--data", "one.jsonl", *more),
        ("evaluate", "rm", "--data", "long.jsonl", *more),
        ("inspect", "rm", "--data", "long.jsonl"),
        ("evaluate", "rm", "rm", "--data", "two.jsonl", *more),
    ):
        assert call(*args) == 0
        said += capsys.readouterr()
    said += [
        re.sub(r"<[^>]*>", " ", (here / name).read_text()) for name in ("data.html", "model.html")
    ]
    assert any("1 pair" in text for text in said)
    assert any("1 item," in text for text in said)
    for text in said:
        assert SEVERAL.findall(text) == []
