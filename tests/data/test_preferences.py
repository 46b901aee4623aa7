"""Data from outside: files, columns, conversations, bad rows, and the real sets where present."""

import json
import sys

import pytest
from tiny import assistant, user

from minirm import PreferencePair
from minirm.data.preferences import as_pair, load_preferences

ROW = {"prompt": "Q ", "chosen": "A", "rejected": "B"}
ROWS = [ROW, {"prompt": "R ", "chosen": "C", "rejected": "D", "kind": "x"}]
PAIRS = [PreferencePair("Q ", "A", "B"), PreferencePair("R ", "C", "D")]


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_json_lines_and_a_json_list_are_read_alike_with_their_other_columns(tmp_path):
    (tmp_path / "list.json").write_text(json.dumps(ROWS, indent=1))
    text = "\n".join(json.dumps(row) for row in ROWS) + "\n\n"
    for name in ("a.jsonl", "a.json", "a.txt"):
        (tmp_path / name).write_text(text)
    for name in ("a.jsonl", "a.json", "a.txt", "list.json"):
        pairs, rows = load_preferences(tmp_path / name)
        assert (pairs, rows) == (PAIRS, ROWS)


@pytest.mark.needs("pyarrow")
def test_parquet_is_read_strings_and_conversations(tmp_path):
    import pyarrow
    from pyarrow import parquet

    talk = {"prompt": user("Q"), "chosen": assistant("A"), "rejected": assistant("B")}
    for name, rows in (("strings", [ROW, ROW]), ("talk", [talk])):
        parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / f"{name}.parquet")
    assert load_preferences(tmp_path / "strings.parquet")[0] == PAIRS[:1] * 2
    assert load_preferences(tmp_path / "talk.parquet")[0] == [PreferencePair(**talk)]


def test_a_dataset_is_loaded_by_its_name_part_and_split(monkeypatch):
    class datasets:
        @staticmethod
        def load_dataset(name, config, split):
            asked.append((name, config, split))
            return iter(ROWS)

    asked = []
    monkeypatch.setitem(sys.modules, "datasets", datasets)
    assert load_preferences("owner/name", split="test_prefs")[0] == PAIRS
    assert load_preferences("owner/name", config="hard")[0] == PAIRS
    assert asked == [("owner/name", None, "test_prefs"), ("owner/name", "hard", "train")]


@pytest.mark.parametrize(
    ("source", "package"), [("owner/name", "datasets"), ("x.parquet", "pyarrow")]
)
def test_a_missing_package_is_an_error_that_names_it(source, package, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, package, None)
    if source.endswith("parquet"):
        source = tmp_path / source
        source.write_bytes(b"PAR1")
    with pytest.raises(ModuleNotFoundError, match=rf"package {package}: pip install minirm\[hub"):
        load_preferences(source)


@pytest.mark.parametrize("source", ["nowhere.jsonl", "./folder", "/a/b", "a/b/c", "."])
def test_a_file_that_is_not_there_is_an_error_that_repeats_it(source):
    with pytest.raises(FileNotFoundError, match=source.replace(".", r"\.")):
        load_preferences(source)


def test_unusual_columns_are_named():
    row = {"question": "Q ", "better": "A", "worse": "B"}
    columns = {"prompt": "question", "chosen": "better", "rejected": "worse"}
    assert as_pair(row, columns) == PAIRS[0]
    with pytest.raises(ValueError, match="no column 'chosen'; it has"):
        as_pair(row)
    with pytest.raises(ValueError, match="got answer"):
        as_pair(row, {"answer": "better"})


def test_strings_become_turns_or_get_a_separator_where_asked():
    assert as_pair(ROW, chat=True) == PreferencePair(user("Q "), assistant("A"), assistant("B"))
    row = ROW | {"prompt": "Q"}
    assert as_pair(row, separator="\n").prompt == "Q\n"
    assert as_pair(ROW | {"prompt": "Q\n"}, separator="\n").prompt == "Q\n"
    assert as_pair(row).prompt == "Q"


def test_prompts_that_run_into_their_responses_are_pointed_out_once(tmp_path, capsys):
    rows = [ROW | {"prompt": "Why?"}] * 3
    load_preferences(lines(tmp_path / "a.jsonl", rows))
    assert capsys.readouterr().err.count("'Why?A'; see separator=") == 1
    load_preferences(lines(tmp_path / "a.jsonl", rows), separator=" ")
    load_preferences(lines(tmp_path / "a.jsonl", ROWS))
    assert capsys.readouterr().err == ""


# ------------------------------------------------------------------------- conversations

GOOD, BAD = assistant("good"), assistant("bad")
HISTORY = user("one") + assistant("two") + user("three")
SPOKEN = {
    "UltraFeedback: the prompt as a string, and again as the first turn": (
        {"prompt": "Q", "chosen": user("Q") + GOOD, "rejected": user("Q") + BAD},
        user("Q"),
    ),
    "the prompt in the conversations alone": (
        {"chosen": user("Q") + GOOD, "rejected": user("Q") + BAD},
        user("Q"),
    ),
    "a string prompt, and answers alone": (
        {"prompt": "Q", "chosen": GOOD, "rejected": BAD},
        user("Q"),
    ),
    "three parts": ({"prompt": HISTORY, "chosen": GOOD, "rejected": BAD}, HISTORY),
    "a prompt of turns, and again": (
        {"prompt": HISTORY, "chosen": HISTORY + GOOD, "rejected": HISTORY + BAD},
        HISTORY,
    ),
    "several turns before they part": (
        {"prompt": "one", "chosen": HISTORY + GOOD, "rejected": HISTORY + BAD},
        HISTORY,
    ),
    "with a system's turn": (
        {
            "prompt": "Q",
            "chosen": [{"role": "system", "content": "S"}, *user("Q"), *GOOD],
            "rejected": [{"role": "system", "content": "S"}, *user("Q"), *BAD],
        },
        [{"role": "system", "content": "S"}, *user("Q")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOKEN)
def test_conversations_are_split_where_they_part(case):
    row, prompt = SPOKEN[case]
    assert as_pair(row) == PreferencePair(prompt, GOOD, BAD)


def test_fields_of_messages_that_nobody_asked_for_are_no_difference():
    row = {
        "chosen": [{"role": "user", "content": "Q", "id": 1}, *GOOD],
        "rejected": [{"role": "user", "content": "Q", "id": 2}, *BAD],
    }
    assert as_pair(row) == PreferencePair(user("Q"), GOOD, BAD)


REFUSED = {
    "t08: two strings with no prompt": (
        {"chosen": "Q A", "rejected": "Q B"},
        "prompt that is a string",
    ),
    "another prompt than the turns": (
        {"prompt": "P", "chosen": user("Q") + GOOD, "rejected": user("Q") + BAD},
        "the conversations begin with another",
    ),
    "other turns than the prompt": (
        {"prompt": user("P"), "chosen": user("Q") + GOOD, "rejected": user("Q") + BAD},
        "differ",
    ),
    "parting at a user's turn": (
        {"chosen": user("Q") + GOOD, "rejected": user("R") + BAD},
        "chosen goes on with a turn of 'user'",
    ),
    "no prompt at all": ({"chosen": GOOD, "rejected": BAD}, "there is no prompt"),
    "a string and a conversation": (
        {"prompt": "Q", "chosen": GOOD, "rejected": "B"},
        "must both be",
    ),
    "the same twice": (ROW | {"rejected": "A"}, "are the same"),
    "an empty answer": (ROW | {"rejected": ""}, "the rejected is empty"),
    "nothing": (ROW | {"rejected": None}, "no column 'rejected'"),
    "a number": (ROW | {"rejected": 3}, "must be a string or a list of messages, got 3"),
    "a message without a role": (ROW | {"chosen": [{"content": "A"}]}, "has a role and a content"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_t21_a_row_that_makes_no_pair_is_named_or_left_out_and_counted(case, tmp_path, capsys):
    row, complaint = REFUSED[case]
    file = lines(tmp_path / "a.jsonl", [ROW, row, ROW])
    with pytest.raises((ValueError, TypeError), match=rf"row 1: .*{complaint}"):
        load_preferences(file)
    pairs, rows = load_preferences(file, bad_rows="drop")
    assert (len(pairs), rows) == (2, [ROW, ROW])
    assert "left out 1 of 3 rows; the first:" in capsys.readouterr().err
    with pytest.raises(ValueError, match="holds no preference pair"):
        load_preferences(lines(tmp_path / "b.jsonl", [row]), bad_rows="drop")


@pytest.mark.parametrize(
    ("text", "complaint"), [("{", "line 1 is not JSON"), ("[1]\n", "line 1 is no JSON object")]
)
def test_a_line_that_is_no_object_is_named(text, complaint, tmp_path):
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(ValueError, match=complaint):
        load_preferences(tmp_path / "a.jsonl")


def test_a_limit_reads_no_further(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps(ROW) + "\n" + json.dumps(ROWS[1]) + "\nnot JSON")
    assert load_preferences(tmp_path / "a.jsonl", limit=1)[0] == PAIRS[:1]
    with pytest.raises(ValueError, match="line 3"):
        load_preferences(tmp_path / "a.jsonl")


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
    pairs, rows = load_preferences(file, chat=True, bad_rows="drop")
    usable = [r for r in raw if r["chosen"] and r["rejected"] and r["chosen"] != r["rejected"]]
    assert len(raw) == REAL[name]
    assert rows == usable
    assert [p.chosen[0]["content"] for p in pairs] == [r["chosen"] for r in usable]
    assert [p.prompt[0]["content"] for p in pairs] == [r["prompt"] for r in usable]


def test_the_originals_of_the_paraphrases_are_other_columns_of_the_same_file(data_dir):
    columns = {"chosen": "orig_chosen", "rejected": "orig_rejected"}
    file = data_dir / "ultrafeedback_test_paraphrased.jsonl"
    originals, _ = load_preferences(file, columns=columns, chat=True)
    published, _ = load_preferences(data_dir / "ultrafeedback_test.jsonl", chat=True)
    assert [p.chosen for p in originals] == [p.chosen for p in published]
