"""``minirm inspect``: what it says of files, and that it finds the leak that is known."""

import json

import pytest
from calling import call, write_rows

from minirm import PreferencePair
from minirm.data.preferences import Loaded

ROWS = [
    {"prompt": f"What is {i} and {i}? ", "chosen": f"It is {2 * i} .", "rejected": f"No idea , {i}"}
    for i in range(10)
]


def inspected(capsys, *arguments):
    assert call("inspect", *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_a_file_is_described(here, capsys):
    bad = [
        {"prompt": "Q ", "chosen": "", "rejected": "no"},
        {"prompt": "Q ", "chosen": "no", "rejected": "no"},
        {"prompt": "Q ", "chosen": 3, "rejected": "no"},
        {"prompt": "Q ", "chosen": "yes", "rejected": "  "},
    ]
    write_rows("a.jsonl", [*ROWS, ROWS[0], *bad])
    found = inspected(capsys, "a.jsonl")["files"]["a.jsonl"]
    assert (found["rows"], found["pairs"], found["format"]) == (15, 12, "strings")
    assert found["left_out"] == {"empty fields": 1, "identical answers": 1, "other": 1}
    assert found["blank"] == 1
    assert (found["repeats"]["prompts"], found["repeats"]["pairs"]) == (11, 1)
    # 4 words and marks each, but for "yes" against a blank: half of 11, and 1, of 12.
    assert found["lengths"]["longer"] == pytest.approx((11 / 2 + 1) / 12)
    assert found["foretold"]["unigram cues"] > 0.9
    assert "It".lower() in found["cue_words"]["chosen"]
    assert "tokens" not in found
    assert call("inspect", "a.jsonl") == 0
    out = capsys.readouterr().out
    assert out.startswith("a.jsonl: 15 rows, read as strings\n  pairs ")
    assert "1 row with empty fields, 1 row with identical answers" in out
    assert "1 text of nothing but blanks" in out


def test_what_a_test_shares_with_its_training_set_is_found(here, capsys):
    write_rows("train.jsonl", ROWS)
    test = [row | {"chosen": f"{row['chosen']} indeed"} for row in ROWS[:4]]
    test.append({"prompt": "Quite another one? ", "chosen": "It is .", "rejected": "No idea"})
    write_rows("test.jsonl", test)
    (part,) = inspected(capsys, "test.jsonl", "--train", "train.jsonl")["shared"]
    assert (part["data"], part["in"]) == ("test.jsonl", "train.jsonl")
    assert (part["prompts"], part["chosen"], part["rejected"]) == (0.8, 0, 0.8)
    assert part["memory"] == 0.9  # the rejected answer is known in four of five, one is a guess
    assert part["baselines"]["unigram cues"] == 1
    assert call("inspect", "test.jsonl", "--train", "train.jsonl") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("80% of the prompts of test.jsonl stand in train.jsonl")
    both = inspected(capsys, "test.jsonl", "train.jsonl")["shared"]
    assert [(p["data"], p["in"]) for p in both] == [
        ("test.jsonl", "train.jsonl"),
        ("train.jsonl", "test.jsonl"),
    ]
    assert [p["prompts"] for p in both] == [0.8, 0.4]


def test_files_of_one_name_are_told_apart(here, capsys):
    for name in ("one", "two"):
        (here / name).mkdir()
        write_rows(here / name / "test.jsonl", ROWS)
    assert call("inspect", "one/test.jsonl", "two/test.jsonl", "--html", "a.html") == 0
    out = capsys.readouterr().out
    assert "one/test.jsonl in two/test.jsonl" in out
    assert "prompts of two/test.jsonl stand in one/test.jsonl" in out
    page = (here / "a.html").read_text()
    assert "What is in one/test.jsonl, two/test.jsonl" in page
    assert "of the prompts of one/test.jsonl stand in two/test.jsonl" in page


def test_a_training_split_is_another_than_the_one_looked_at(here, capsys, monkeypatch):
    asked = []

    def load(name, *, split, **options):
        asked.append((name, split))
        rows = ROWS[:6] if split == "test" else ROWS[3:]
        pairs = [PreferencePair(**row) for row in rows]
        return Loaded(name, pairs, rows, {"strings": len(rows)}, {})

    monkeypatch.setattr("minirm.commands.inspect_data.load_preferences", load)
    (part,) = inspected(capsys, "own/set", "--split", "test", "--train", "own/set")["shared"]
    assert asked == [("own/set", "test"), ("own/set", "train")]
    assert (part["data"], part["in"], part["prompts"]) == ("own/set", "own/set (train)", 0.5)
    asked.clear()
    inspected(capsys, "own/set", "--split", "test", "--train", "other", "--train-split", "all")
    assert asked == [("own/set", "test"), ("other", "all")]
    asked.clear()
    assert inspected(capsys, "own/set", "--train", "own/set")["shared"] == []  # one and the same
    assert asked == [("own/set", "train")]


def test_sets_that_share_nothing_are_not_warned_of(here, capsys):
    write_rows("a.jsonl", ROWS[:5])
    write_rows("b.jsonl", [{"prompt": "Quite another? ", "chosen": "yes", "rejected": "no"}])
    assert call("inspect", "b.jsonl", "--train", "a.jsonl") == 0
    assert "do not train" not in capsys.readouterr().out


def test_a_models_tokenizer_and_context_are_looked_at(here, capsys):
    long = {"prompt": "Q ", "chosen": "yes " * 200, "rejected": "no"}
    write_rows("a.jsonl", [long, {"prompt": "Q ", "chosen": "yes", "rejected": "no"}])
    tokens = inspected(capsys, "a.jsonl", "--model", "rm")["files"]["a.jsonl"]["tokens"]
    assert tokens["context"] == 128
    assert tokens["over"]["128"] == 1
    assert tokens["changed"] == 0
    assert call("inspect", "a.jsonl", "--model", "rm") == 0
    assert "1 over 128 (the model)" in capsys.readouterr().out
    assert call("inspect", "a.jsonl", "--model", "no such model") == 1
    assert "there is no folder 'no such model'" in capsys.readouterr().err


def test_a_file_of_no_pairs_is_one_line(here, capsys):
    write_rows("a.jsonl", [{"prompt": "Q ", "chosen": "x", "rejected": "x"}])
    assert call("inspect", "a.jsonl") == 1
    assert capsys.readouterr().err.splitlines()[-1] == "minirm: a.jsonl holds no preference pair"


# Shares of prompts and of chosen answers that stand in the training sets, as data/README.md and
# the fact sheet have them.
LEAKS = {
    ("rewardmath_test", "rewardmath_train2000"): (0.990, 0.990),
    ("rewardmath_test", "rewardmath_train1000"): (0.850, 0.850),
    ("rewardbench_math_test", "rewardmath_train2000"): (0.905, 0),
    ("ultrafeedback_test", "ultrafeedback_train"): (0, 0.005),
}


@pytest.mark.slow
@pytest.mark.parametrize(("data", "training"), LEAKS)
def test_the_leaks_of_public_sets_are_found(data, training, here, data_dir, capsys):
    files = (data_dir / f"{name}.jsonl" for name in (data, training))
    test, train = map(str, files)
    (part,) = inspected(capsys, test, "--train", train)["shared"]
    assert (part["prompts"], part["chosen"]) == pytest.approx(LEAKS[data, training], abs=1e-9)
    if part["chosen"] > 0.5:
        assert part["memory"] == pytest.approx(0.5 + part["chosen"] / 2)


def test_public_instructions_that_are_negated_foretell_nothing_without_the_prompt(
    here, data_dir, capsys
):
    """LLMBar's Normal and Negation: the same answers, every label flipped."""
    lines = [(data_dir / f"llmbar_{k}.jsonl").read_text() for k in ("normal", "negation")]
    (here / "both.jsonl").write_text("".join(f"{text.strip()}\n" for text in lines))
    found = inspected(capsys, "both.jsonl")["files"]["both.jsonl"]
    assert (found["format"], found["pairs"]) == ("LLMBar", 118)
    assert found["lengths"]["longer"] == 0.5
