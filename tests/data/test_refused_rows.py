"""Rows that make no pair: named by their line, or left out and counted."""

import json

import pytest
from test_formats import BAD, DIALOGUE, GOOD, ROW, SYSTEM
from tiny import user

from minirm.data.preferences import load_preferences

TALK = {"prompt": "Q", "chosen": GOOD, "rejected": BAD}
RANKING = {"prompt": "Q ", "responses": ["a", "b"], "scores": [1, 2]}

REFUSED = {
    "two strings with no prompt": (
        {"chosen": "Q A", "rejected": "Q B"},
        "two strings need a prompt, and there is none",
    ),
    "a null prompt": (ROW | {"prompt": None}, "two strings need a prompt, and there is none"),
    "a prompt that is a number": (ROW | {"prompt": 3}, "the prompt must be a string or .* got 3"),
    "another prompt than the turns": (
        {"prompt": "P", "chosen": user("Q") + GOOD, "rejected": user("Q") + BAD},
        "the prompt is 'P', the conversations begin with another",
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
    "a string and a conversation": (TALK | {"rejected": "B"}, "must both be"),
    "the same twice": (ROW | {"rejected": "A"}, "are the same"),
    "the same conversation twice": (TALK | {"rejected": GOOD}, "are the same"),
    "an empty answer": (ROW | {"rejected": ""}, "the rejected is empty"),
    "an empty turn": (
        {"chosen": user("Q") + GOOD, "rejected": [*user("Q"), {**BAD[0], "content": ""}]},
        "the rejected is empty",
    ),
    "no turns": (TALK | {"chosen": []}, r"the chosen must be a string or .* got \[\]"),
    "nothing": (ROW | {"rejected": None}, "the rejected is null"),
    "a number": (ROW | {"rejected": 3}, "must be a string or a list of messages, got 3"),
    "a message without a role": (ROW | {"chosen": [{"content": "A"}]}, "has a role and a content"),
    "a string among the messages": (
        TALK | {"chosen": [*GOOD, 3]},
        "the chosen holds 3; a message has a role and a content",
    ),
    "a null content": (
        TALK | {"chosen": [{"role": "assistant", "content": None}]},
        "the chosen has a turn whose content is None",
    ),
    "a number for content": (
        TALK | {"prompt": [{"role": "user", "content": 3}]},
        "the prompt has a turn whose content is 3",
    ),
    "half a character": (ROW | {"chosen": "a\ud83d"}, r"the chosen holds half .* '\\ud83d' alone"),
    "half a character in a turn": (
        {"prompt": user("\udc00"), "chosen": GOOD, "rejected": BAD},
        "the prompt holds half a character",
    ),
    "other columns": (
        {"instruction": "Q ", "output": "A"},
        r"no column 'chosen'; it has \['instruction', 'output'\]",
    ),
    "one of the two": ({"prompt": "Q ", "chosen": "A"}, "no column 'rejected'; it has"),
    "a transcript and none": (
        {"chosen": DIALOGUE + " good", "rejected": "bad"},
        "the rejected does not begin with \"Human:\": 'bad'",
    ),
    "a transcript with no answer": (
        {"chosen": DIALOGUE + " good", "rejected": DIALOGUE + " "},
        "the rejected does not end in an answer",
    ),
    "a transcript that the human ends": (
        {"chosen": DIALOGUE + " good\n\nHuman: Thanks", "rejected": DIALOGUE + " bad"},
        r"the chosen does not end in an answer: .*Thanks'",
    ),
    "transcripts of two dialogues": (
        {"chosen": DIALOGUE + " good", "rejected": DIALOGUE.replace("one", "un") + " bad"},
        "chosen goes on with a turn of 'user'",
    ),
    "a transcript after another prompt": (
        {"prompt": "Human: x", "chosen": DIALOGUE + " good", "rejected": DIALOGUE + " bad"},
        "the prompt's turns and the turns that both conversations begin with differ",
    ),
    "a rejected answer among the chosen": (
        {"prompt": "Q ", "chosen": ["a", "b"], "rejected": ["x", "b"]},
        "are the same",
    ),
    "nothing rejected": ({"prompt": "Q ", "chosen": ["a"], "rejected": []}, r"got \[\]"),
    "responses alone": ({"prompt": "Q ", "responses": ["a", "b"]}, "need scores or ranks"),
    "scores and ranks": (RANKING | {"ranks": [2, 1]}, "scores or ranks, one of the two"),
    "a score too few": (RANKING | {"scores": [1]}, "2 responses and 1 scores"),
    "a score that is none": (RANKING | {"scores": [1, "N/A"]}, "finite number, got 'N/A'"),
    "a score that is a truth": (RANKING | {"scores": [1, True]}, "finite number, got True"),
    "an endless score": (RANKING | {"scores": [1, float("inf")]}, "finite number, got inf"),
    "one response": (RANKING | {"responses": ["a"], "scores": [1]}, "needs two responses"),
    "scores by name": (RANKING | {"scores": {"a": 1}}, "the scores must be a list"),
    "an empty response": (RANKING | {"responses": ["a", ""]}, "the response is empty"),
    "tools that are no JSON": (ROW | {"tools": "add"}, "the tools are not JSON"),
    "a tool alone": (ROW | {"tools": {"name": "add"}}, "the tools must be a list of objects"),
    "tools by name": (ROW | {"tools": '["add"]'}, "the tools must be a list of objects"),
    "a system's turn that is none": (
        ROW | {"chosen": {"from": "gpt", "value": "A"}, "rejected": BAD, "system": SYSTEM},
        "the system must be a string",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_row_that_makes_no_pair_is_named_or_left_out_and_counted(case, tmp_path, capsys):
    row, complaint = REFUSED[case]
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(["", json.dumps(ROW), "", json.dumps(row), json.dumps(ROW)]))
    with pytest.raises((ValueError, TypeError), match=rf"a\.jsonl, line 4: .*{complaint}") as error:
        load_preferences(file)
    assert "\n" not in str(error.value)
    assert capsys.readouterr().err == ""
    loaded = load_preferences(file, bad_rows="drop")
    assert [pair.origin for pair in loaded.pairs] == [f"{file}, line {n}" for n in (2, 5)]
    assert loaded.rows == [ROW, ROW]
    assert list(loaded.dropped) == [f"{file}, line 4"]
    assert "left out 1 of 3 rows: line 4; the first:" in capsys.readouterr().err
    file.write_text(json.dumps(row))
    with pytest.raises(ValueError, match=r"a\.jsonl holds no preference pair"):
        load_preferences(file, bad_rows="drop")


@pytest.mark.parametrize("given", ["", None, "much", float("nan"), float("-inf"), False, [1]])
def test_a_margin_that_is_no_number_makes_no_pair(given, tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps(ROW | {"gap": given}) + "\n" + json.dumps(ROW | {"gap": 1}))
    with pytest.raises(ValueError, match="line 1: the margin must be a finite number, got"):
        load_preferences(file, columns={"margin": "gap"})
    (pair,) = load_preferences(file, columns={"margin": "gap"}, bad_rows="drop").pairs
    assert pair.margin == 1
