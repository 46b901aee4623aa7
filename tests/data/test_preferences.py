"""Loading: what is kept, left out and said aloud of a whole file, and the real sets."""

import json

import pytest
from tiny import assistant, user

from minirm import PreferencePair
from minirm.data.preferences import Loaded, glued_strings, load_preferences

ROW = {"prompt": "Q ", "chosen": "A", "rejected": "B"}
ROWS = [ROW, {"prompt": "R ", "chosen": "C", "rejected": "D", "kind": "x"}]
PAIRS = [PreferencePair("Q ", "A", "B"), PreferencePair("R ", "C", "D")]


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_pairs_come_with_their_rows_and_nothing_is_said_of_what_is_as_expected(tmp_path, capsys):
    file = lines(tmp_path / "a.jsonl", ROWS)
    loaded = load_preferences(file)
    assert (loaded.pairs, loaded.rows, dict(loaded.formats)) == (PAIRS, ROWS, {"strings": 2})
    assert (loaded.dropped, loaded.ties, loaded.notes()) == ({}, 0, [])
    talk = {"prompt": "Q", "chosen": assistant("A"), "rejected": assistant("B")}
    assert load_preferences(lines(tmp_path / "b.jsonl", [talk])).pairs[0].prompt == user("Q")
    assert capsys.readouterr().err == ""


@pytest.mark.needs("pyarrow")
def test_conversations_of_a_parquet_are_those_of_its_json_lines(tmp_path):
    import pyarrow
    from pyarrow import parquet

    call = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f"}}]}
    rows = [
        {"prompt": user("Q"), "chosen": assistant("A"), "rejected": assistant("B"), "tools": None},
        {
            "prompt": user("R"),
            "chosen": [call],
            "rejected": assistant("B"),
            "tools": [{"name": "f"}],
        },
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    found = load_preferences(tmp_path / "a.parquet").pairs
    assert found == load_preferences(lines(tmp_path / "a.jsonl", rows)).pairs
    assert found[1] == PreferencePair(user("R"), [call], assistant("B"), [{"name": "f"}])


def test_a_csv_is_loaded_with_its_margin_and_its_conversations(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text('prompt,chosen,rejected,gap\n"Q, or\nR? ",A,B,0.5\nQ ,A,B,2\n')
    loaded = load_preferences(file, columns={"margin": "gap"})
    assert loaded.pairs == [
        PreferencePair("Q, or\nR? ", "A", "B", margin=0.5),
        PreferencePair("Q ", "A", "B", margin=2.0),
    ]
    assert [pair.origin for pair in loaded.pairs] == [f"{file}, line 2", f"{file}, line 4"]


# ------------------------------------------------------------------------------ said aloud

TALK = {"chosen": "\n\nHuman: Q\n\nAssistant: A", "rejected": "\n\nHuman: Q\n\nAssistant: B"}
SAID = {
    "one format": ([TALK] * 3, "read as HH transcripts\n"),
    "two formats": ([TALK, TALK, ROW], "read as HH transcripts (2 rows); strings (1 row)\n"),
    "a margin": ([ROW, ROW | {"margin": 1}], "the column 'margin' is not used; to use it, name it"),
    "a system": ([ROW | {"system": "S"}], "the column 'system' is not used; to use it, name it"),
    "ties": (
        [{"prompt": "Q ", "completions": list("abc"), "ratings": [1, 1, 0]}, ROW],
        "left out 1 couple of answers that are ranked or worded alike",
    ),
}


@pytest.mark.parametrize("case", SAID)
def test_what_is_not_as_expected_is_said_once_with_the_source(case, tmp_path, capsys):
    rows, sentence = SAID[case]
    file = lines(tmp_path / "a.jsonl", rows)
    notes = load_preferences(file).notes()
    said = capsys.readouterr().err
    assert said.count(f"{file}: {sentence}") == 1
    assert said.splitlines() == notes


def test_columns_that_were_named_or_belong_to_their_format_are_no_news(tmp_path, capsys):
    file = lines(tmp_path / "a.jsonl", [ROW | {"margin": 1, "gap": 2}])
    load_preferences(file, columns={"margin": "margin"})
    load_preferences(file, columns={"margin": "gap"})
    turns = {"conversations": {"from": "human", "value": "Q"}, "system": "S"}
    turns |= {"chosen": {"from": "gpt", "value": "A"}, "rejected": {"from": "gpt", "value": "B"}}
    load_preferences(lines(tmp_path / "b.jsonl", [turns]))
    assert capsys.readouterr().err == f"{tmp_path / 'b.jsonl'}: read as ShareGPT conversations\n"


def test_of_several_processes_one_speaks(tmp_path, capsys, monkeypatch):
    file = lines(tmp_path / "a.jsonl", [TALK])
    for rank, times in (("0", 1), ("1", 0), ("7", 0)):
        monkeypatch.setenv("RANK", rank)
        load_preferences(file)
        assert capsys.readouterr().err.count("read as HH transcripts") == times


def test_what_was_left_out_is_counted_and_named_by_its_lines(tmp_path, capsys):
    file = tmp_path / "a.jsonl"
    good = json.dumps(ROW)
    file.write_text("\n".join([good, "", "{", "[]", good, json.dumps(ROW | {"chosen": ""})]))
    loaded = load_preferences(file, bad_rows="drop")
    assert [pair.origin for pair in loaded.pairs] == [f"{file}, line {n}" for n in (1, 5)]
    broken = loaded.dropped[f"{file}, line 3"]
    assert broken.startswith("not JSON: Expecting")
    assert broken.endswith("(column 2)")
    assert loaded.dropped == {
        f"{file}, line 3": broken,
        f"{file}, line 4": "no JSON object: []",
        f"{file}, line 6": "the chosen is empty",
    }
    said = f"{file}: left out 3 of 5 rows: line 3, line 4, line 6; the first: not JSON: Expecting"
    assert said in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"a\.jsonl, line 3: not JSON: Expecting"):
        load_preferences(file)


def test_of_many_rows_left_out_ten_are_named():
    dropped = {f"x.csv, line {n}": f"reason {n}" for n in range(2, 302)}
    (note,) = Loaded("x.csv", [], [], {"strings": 700}, dropped).notes()
    places = ", ".join(f"line {n}" for n in range(2, 12))
    assert note == f"x.csv: left out 300 of 1000 rows: {places}, ...; the first: reason 2"


def test_the_row_of_a_ranking_stands_beside_each_of_its_pairs(tmp_path):
    ranking = {"prompt": "Q ", "responses": list("abc"), "ranks": [1, 2, 3], "kind": "x"}
    tied = {"prompt": "Q ", "responses": list("ab"), "ranks": [1, 1]}
    file = lines(tmp_path / "a.jsonl", [ROW, tied, ranking])
    loaded = load_preferences(file)
    assert loaded.rows == [ROW, ranking, ranking, ranking]
    assert [pair.origin for pair in loaded.pairs] == [f"{file}, line {n}" for n in (1, 3, 3, 3)]
    assert loaded.ties == 1
    with pytest.raises(ValueError, match="holds no preference pair"):
        load_preferences(lines(file, [tied]))


# ------------------------------------------------------------------------------ bad calls


def test_a_column_that_no_row_has_is_an_error(tmp_path):
    file = lines(tmp_path / "a.jsonl", ROWS)
    for columns in ({"tools": "functions"}, {"system": "functions"}):
        with pytest.raises(ValueError, match=r"no row has a column 'functions'; there are \['ch"):
            load_preferences(file, columns=columns)
    with pytest.raises(ValueError, match=r"line 1: no column 'functions'; it has \['chosen', "):
        load_preferences(file, columns={"chosen": "functions"})
    with pytest.raises(ValueError, match=r"columns are named for prompt, .*; got topic"):
        load_preferences(file, columns={"topic": "kind"})
    with pytest.raises(ValueError, match=r"bad_rows must be .*, got 'skip'"):
        load_preferences(file, bad_rows="skip")


def test_a_limit_reads_no_further(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps(ROW) + "\n\n" + json.dumps(ROWS[1]) + "\nnot JSON")
    assert load_preferences(file, limit=1).pairs == PAIRS[:1]
    assert load_preferences(file, limit=2).pairs == PAIRS
    with pytest.raises(ValueError, match="line 4"):
        load_preferences(file, limit=3)


# ------------------------------------------------------------ what stands between two strings


def test_prompts_that_run_into_their_responses_are_pointed_out():
    glued = PreferencePair("Why?", "Because.", "No.")
    apart = [PreferencePair("Why? ", "So.", "No."), PreferencePair("Why?", "\nSo.", "No.")]
    warning = glued_strings([apart[0], glued, glued])
    assert warning is not None
    assert "'Why?Because.'" in warning
    assert glued_strings([glued] * 3, separator="\n") is None
    assert glued_strings([glued] * 3, chat=True) is None
    assert glued_strings([glued, *apart]) is None
    assert glued_strings([glued, apart[0]]) is None
    assert glued_strings([PreferencePair(user("Q"), assistant("A"), assistant("B"))]) is None
    assert glued_strings([]) is None


# ------------------------------------------------------------------------- the real sets

REAL = {
    "rewardbench_math_test": 200,
    "rewardmath_test": 200,
    "rewardmath_train1000": 1000,
    "ultrafeedback_test": 200,
    "ultrafeedback_test_paraphrased": 200,
    "ultrafeedback_train200_paraphrased": 200,
}


@pytest.mark.parametrize("name", REAL)
def test_the_real_sets_are_read_whole(name, data_dir):
    file = data_dir / f"{name}.jsonl"
    with file.open() as text:
        raw = [json.loads(line) for line in text]
    loaded = load_preferences(file, bad_rows="drop")
    usable = [r for r in raw if r["chosen"] and r["rejected"] and r["chosen"] != r["rejected"]]
    assert len(raw) == REAL[name]
    assert loaded.rows == usable
    assert [p.chosen for p in loaded.pairs] == [r["chosen"] for r in usable]
    assert [p.prompt for p in loaded.pairs] == [r["prompt"] for r in usable]


def test_the_originals_of_the_paraphrases_are_other_columns_of_the_same_file(data_dir):
    columns = {"chosen": "orig_chosen", "rejected": "orig_rejected"}
    file = data_dir / "ultrafeedback_test_paraphrased.jsonl"
    originals = load_preferences(file, columns=columns).pairs
    published = load_preferences(data_dir / "ultrafeedback_test.jsonl").pairs
    assert [p.chosen for p in originals] == [p.chosen for p in published]
