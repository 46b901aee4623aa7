"""One row as pairs: each format, what becomes of every field, and what is refused."""

import pytest
from tiny import assistant, user

from minirm import PreferencePair
from minirm.data.formats import read_row

ROW = {"prompt": "Q ", "chosen": "A", "rejected": "B"}
GOOD, BAD = assistant("good"), assistant("bad")
HISTORY = user("one") + assistant("two") + user("three")
SYSTEM = [{"role": "system", "content": "S"}]


def pair_of(row, columns=None):
    (pair,) = read_row(row, columns).pairs
    return pair


def texts(row, columns=None):
    return [(pair.prompt, pair.chosen, pair.rejected) for pair in read_row(row, columns).pairs]


def test_strings_are_taken_as_they_are_with_the_place_they_come_from():
    reading = read_row({"prompt": " Q\n", "chosen": "A ", "rejected": "\tB"}, origin="x, line 3")
    assert reading.pairs == [PreferencePair(" Q\n", "A ", "\tB")]
    assert (reading.format, reading.pairs[0].origin) == ("strings", "x, line 3")


def test_unusual_columns_are_named():
    row = {"question": "Q ", "better": "A", "worse": "B"}
    columns = {"prompt": "question", "chosen": "better", "rejected": "worse"}
    assert pair_of(row, columns) == PreferencePair("Q ", "A", "B")
    with pytest.raises(ValueError, match=r"no column 'chosen'; it has \['better', 'question', 'wo"):
        read_row(row)
    with pytest.raises(ValueError, match="got answer"):
        read_row(row, {"answer": "better"})


# ------------------------------------------------------------------------- conversations

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
    "answers that are messages by themselves": (
        {"prompt": user("Q"), "chosen": GOOD[0], "rejected": BAD[0]},
        user("Q"),
    ),
    "turns, and answers that are strings": (
        {"prompt": HISTORY, "chosen": "good", "rejected": "bad"},
        HISTORY,
    ),
    "three parts": ({"prompt": HISTORY, "chosen": GOOD, "rejected": BAD}, HISTORY),
    "a prompt of turns, and again": (
        {"prompt": HISTORY, "chosen": HISTORY + GOOD, "rejected": HISTORY + BAD},
        HISTORY,
    ),
    "a prompt that goes on with an answer's beginning": (
        {
            "prompt": user("Q"),
            "chosen": assistant("Well.") + GOOD,
            "rejected": assistant("Well.") + BAD,
        },
        user("Q") + assistant("Well."),
    ),
    "several turns before they part": (
        {"prompt": "one", "chosen": HISTORY + GOOD, "rejected": HISTORY + BAD},
        HISTORY,
    ),
    "with a system's turn": (
        {
            "prompt": "Q",
            "chosen": SYSTEM + user("Q") + GOOD,
            "rejected": SYSTEM + user("Q") + BAD,
        },
        SYSTEM + user("Q"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOKEN)
def test_conversations_are_split_where_they_part(case):
    row, prompt = SPOKEN[case]
    assert texts(row) == [(prompt, GOOD, BAD)]


def test_every_field_of_a_message_is_kept_but_nulls_and_what_the_copies_of_a_turn_dispute():
    call = [{"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}]
    asked = {"role": "user", "content": "Q", "name": "ann", "id": 1, "lang": "en", "x": None}
    called = {"role": "assistant", "content": None, "tool_calls": call}
    told = {"role": "tool", "content": "3", "tool_call_id": "7", "name": "add"}
    thought = {"role": "assistant", "content": "3", "reasoning_content": "1 + 2"}
    row = {
        "chosen": [asked, called, told, thought],
        "rejected": [asked | {"id": 2}, called, told, *BAD],
    }
    first = {"role": "user", "content": "Q", "name": "ann", "lang": "en"}
    assert texts(row) == [([first, called, told], [thought], BAD)]


def test_pairs_that_differ_in_a_call_alone_are_pairs():
    calls = [
        {"role": "assistant", "tool_calls": [{"function": {"name": name}}]} for name in ("f", "g")
    ]
    row = {"prompt": "Q", "chosen": [calls[0]], "rejected": [calls[1]]}
    assert texts(row) == [(user("Q"), [calls[0]], [calls[1]])]


def test_content_in_parts_is_the_text_of_its_parts():
    def parts(*texts):
        return [{"type": "text", "text": text} for text in texts]

    row = {
        "prompt": [{"role": "user", "content": parts("Q", "?")}],
        "chosen": [{"role": "assistant", "content": parts("good")}],
        "rejected": BAD,
    }
    assert texts(row) == [(user("Q?"), GOOD, BAD)]
    assert read_row(row).format == "conversations in content parts"
    row["chosen"][0]["content"].append({"type": "image", "url": "x"})
    with pytest.raises(ValueError, match=r"the chosen has a part that is no text: .*image"):
        read_row(row)


def test_conversations_may_be_written_as_json_in_strings():
    row = {"prompt": "Q", "chosen": '[{"role": "assistant", "content": "good"}]'}
    row["rejected"] = '[{"from": "gpt", "value": "bad"}]'
    assert texts(row) == [(user("Q"), GOOD, BAD)]
    assert read_row(row).format == "conversations written as JSON in strings"
    lists = {"prompt": "Q ", "chosen": "[1, 2]", "rejected": '[{"a": 1}]'}  # answers, not messages
    assert texts(lists) == [("Q ", "[1, 2]", '[{"a": 1}]')]
    with pytest.raises(ValueError, match="the chosen seems to be messages as Python prints them"):
        read_row({"prompt": "Q", "chosen": str(GOOD), "rejected": str(BAD)})


# ------------------------------------------------------------------------------ ShareGPT


def said(speaker, text):
    return {"from": speaker, "value": text}


def test_sharegpt_with_its_system_and_its_tools():
    row = {
        "conversations": [said("human", "one"), said("gpt", "two"), said("human", "three")],
        "chosen": said("gpt", "good"),
        "rejected": said("gpt", "bad"),
        "system": "S",
        "tools": '[{"name": "add"}]',
    }
    reading = read_row(row)
    assert reading.pairs == [PreferencePair(SYSTEM + HISTORY, GOOD, BAD, tools=[{"name": "add"}])]
    assert reading.format == "ShareGPT conversations"
    whole = [said("system", "S"), said("human", "Q"), said("tool", "3")]
    row = {"chosen": [*whole, said("gpt", "good")], "rejected": [*whole, said("gpt", "bad")]}
    turns = [*SYSTEM, *user("Q"), {"role": "tool", "content": "3"}]
    assert texts(row) == [(turns, GOOD, BAD)]
    row["chosen"][2] = said("observation", "3")
    with pytest.raises(ValueError, match="the chosen has a turn from 'observation'"):
        read_row(row)


def test_a_system_column_of_other_formats_is_used_where_named_and_agrees():
    row = ROW | {"system": "S"}
    assert texts(row) == [("Q ", "A", "B")]
    turns = (SYSTEM + user("Q "), assistant("A"), assistant("B"))
    assert texts(row, {"system": "system"}) == [turns]
    row |= {"prompt": SYSTEM + user("Q ")}
    assert texts(row, {"system": "system"}) == [turns]
    with pytest.raises(ValueError, match="the system's column and the system's turn"):
        read_row(row | {"system": "T"}, {"system": "system"})


# ------------------------------------------------------------------------ HH transcripts

DIALOGUE = "\n\nHuman: one\n\nAssistant: two\n\nHuman: three\n\nAssistant:"
TRANSCRIPTS = {
    "answers after a dialogue": ({}, " good", " bad", HISTORY, GOOD, BAD),
    "the prompt again": ({"prompt": DIALOGUE}, " good", " bad", HISTORY, GOOD, BAD),
    "more turns after they part": (
        {},
        " good\n\nHuman: more\n\nAssistant: a",
        " bad",
        HISTORY,
        GOOD + user("more") + assistant("a"),
        BAD,
    ),
    "blanks, paragraphs and colons are the speaker's own": (
        {},
        "  good: \n\nNote: x ",
        " bad\nHuman: no turn",
        HISTORY,
        assistant(" good: \n\nNote: x "),
        assistant("bad\nHuman: no turn"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TRANSCRIPTS)
def test_hh_transcripts_become_conversations(case):
    extra, chosen, rejected, *expected = TRANSCRIPTS[case]
    row = {"chosen": DIALOGUE + chosen, "rejected": DIALOGUE + rejected, **extra}
    reading = read_row(row)
    assert reading.pairs == [PreferencePair(*expected)]
    assert reading.format == "HH transcripts"


def test_strings_with_a_prompt_that_is_no_transcript_are_strings():
    row = {"prompt": DIALOGUE, "chosen": " good", "rejected": " bad"}
    assert texts(row) == [(DIALOGUE, " good", " bad")]
    row = {"prompt": "Write a scene. ", "chosen": "Human: Hi!", "rejected": "Human: Ho!"}
    assert texts(row) == [("Write a scene. ", "Human: Hi!", "Human: Ho!")]


# --------------------------------------------------------------- more answers than two


def test_lists_of_answers_make_a_pair_of_every_chosen_and_every_rejected():
    row = {"prompt": "Q ", "chosen": ["a", "b"], "rejected": ["x", "y", "z"]}
    assert texts(row) == [("Q ", c, r) for c in "ab" for r in "xyz"]
    assert texts({"prompt": "Q ", "chosen": "a", "rejected": ["x"]}) == [("Q ", "a", "x")]
    talks = {"prompt": "Q", "chosen": [GOOD], "rejected": [BAD, assistant("worse")]}
    assert texts(talks) == [(user("Q"), GOOD, BAD), (user("Q"), GOOD, assistant("worse"))]
    assert read_row(row).format.startswith("lists of answers")


RANKINGS = {
    "scores": ({"responses": list("abc"), "scores": [1, 3, 2.5]}, {"ba", "bc", "ca"}, 0),
    "ranks": ({"responses": list("abc"), "ranks": [1, 3, 2]}, {"ab", "ac", "cb"}, 0),
    "ratings": ({"completions": list("abc"), "ratings": [5, 5, 1]}, {"ac", "bc"}, 1),
    "all alike": ({"responses": list("abc"), "scores": [2, 2, 2]}, set(), 3),
    "the same answer twice": ({"responses": list("aab"), "scores": [1, 2, 3]}, {"ba"}, 1),
}


@pytest.mark.parametrize("case", RANKINGS)
def test_rankings_become_pairs_and_ties_are_counted(case):
    row, expected, ties = RANKINGS[case]
    reading = read_row({"prompt": "Q ", **row})
    assert {pair.chosen + pair.rejected for pair in reading.pairs} == expected
    assert reading.ties == ties
    assert reading.format.startswith("rankings")


def test_a_ranking_of_conversations_and_one_under_other_names():
    row = {"prompt": "Q", "responses": [BAD, GOOD], "scores": [-1.0, 0.0]}
    assert texts(row) == [(user("Q"), GOOD, BAD)]
    row = ROW | {"texts": ["x", "y"], "helpful": [0, 1], "scores": [1, 0]}
    assert texts(row) == [("Q ", "A", "B")]
    columns = {"responses": "texts", "scores": "helpful"}
    assert texts(row, columns) == [("Q ", "y", "x")]


# ------------------------------------------------------------------------ tools, margin

TOOLS = [{"type": "function", "function": {"name": "add"}}]


@pytest.mark.parametrize(
    ("given", "tools"),
    [
        (TOOLS, TOOLS),
        ('[{"type": "function", "function": {"name": "add"}}]', TOOLS),
        (None, None),
        ([], None),
        (" ", None),
        ("[]", None),
    ],
)
def test_tools_are_a_list_or_the_json_of_one(given, tools):
    assert pair_of(ROW | {"tools": given}).tools == tools
    assert pair_of(ROW | {"functions": given}, {"tools": "functions"}).tools == tools


@pytest.mark.parametrize("given", [2, 2.0, "2", " 2.0 "])
def test_a_margin_is_used_where_its_column_is_named(given):
    row = ROW | {"margin": given, "gap": 0.5}
    assert pair_of(row).margin == 0
    assert pair_of(row, {"margin": "margin"}).margin == 2
    assert pair_of(row, {"margin": "gap"}).margin == 0.5
