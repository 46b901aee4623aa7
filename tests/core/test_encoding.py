"""How a model reads text: its format is its own, and is kept."""

import json

import pytest
from tiny import (
    PROMPTS,
    RESPONSES,
    assistant,
    byte_tokenizer,
    qwen_tokenizer,
    tiny,
    tokenizer,
    user,
)

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, PreferencePair, Trainer
from minirm.pairs import TextFormat, encode, encode_pairs

KINDS = [ExplicitRM, ImplicitRM, GenerativeRM]


def model(kind, **options):
    if kind is ImplicitRM:
        options |= {"reference": None, "beta": 1.0}
    return kind(tiny(), tokenizer(), **options)


def chat_model(kind=ExplicitRM, **options):
    tok = qwen_tokenizer()
    if kind is GenerativeRM:
        options |= {"yes": "Y", "no": "N"}
    return kind(tiny(vocab=len(tok) + 1), tok, **options)


@pytest.mark.parametrize("separator", ["\n", "\n\n", " Answer: "])
def test_a_separator_stands_between_strings_once(separator):
    spaced = TextFormat(separator=separator)
    expected = encode(tokenizer(), "Q" + separator, "A")
    assert encode(tokenizer(), "Q", "A", text_format=spaced) == expected
    assert encode(tokenizer(), "Q" + separator, "A", text_format=spaced) == expected


def test_a_separator_leaves_conversations_alone():
    tok = qwen_tokenizer()
    spaced = TextFormat(separator="\n")
    assert encode(tok, user("Q"), assistant("A"), text_format=spaced) == encode(
        tok, user("Q"), assistant("A")
    )


def test_with_chat_strings_are_turns():
    tok, chat = qwen_tokenizer(), TextFormat(chat=True)
    assert encode(tok, "Q", "A", text_format=chat) == encode(tok, user("Q"), assistant("A"))
    assert encode(tok, user("Q"), assistant("A"), text_format=chat) == encode(
        tok, user("Q"), assistant("A")
    )


def test_chat_needs_a_chat_template():
    with pytest.raises(ValueError, match=r"row 0, chosen: .* has no chat template"):
        encode_pairs(
            [PreferencePair("Q", "A", "B")],
            lambda *sides: encode(byte_tokenizer(), *sides, text_format=TextFormat(chat=True)),
        )


def test_chat_and_a_separator_contradict_each_other():
    with pytest.raises(ValueError, match=r"separator='\\n' stands between strings, and chat=True"):
        TextFormat(chat=True, separator="\n")


@pytest.mark.parametrize("day", ["today", "03 Feb 2026", "2026-02-30", 2026])
def test_a_date_that_is_none_is_an_error_that_repeats_it(day):
    with pytest.raises(ValueError, match=f"date must be written .* got {day!r}"):
        TextFormat(date=day)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_reads_by_its_format_when_it_trains_evaluates_and_scores(kind):
    spaced, plain = model(kind, text_format=TextFormat(separator="\n")), model(kind)
    assert plain.text_format == TextFormat()
    by_hand = [plain.encode("Q\n", side) for side in ("yes", "no")]
    if kind is GenerativeRM:  # its question says where the answer begins
        by_hand = [plain.encode("Q", side) for side in ("yes", "no")]
    (pair,) = Trainer(spaced, [PreferencePair("Q", "yes", "no")]).pairs
    assert [pair.chosen, pair.rejected] == by_hand
    assert spaced.score(["Q", "Q"], ["yes", "no"]).equal(plain.score_encoded(by_hand))


@pytest.mark.parametrize("kind", [ExplicitRM, GenerativeRM])
@pytest.mark.parametrize(
    "how", [TextFormat(chat=True), TextFormat(chat=True, date="2024-02-29"), TextFormat()]
)
def test_the_format_is_saved_with_the_model_and_used_by_default(tmp_path, kind, how):
    rm = chat_model(kind, text_format=how)
    rm.save_pretrained(tmp_path / "rm")
    again = kind.from_pretrained(tmp_path / "rm")
    assert again.text_format == how
    assert again.score(["Q"], ["A"]).equal(rm.score(["Q"], ["A"]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_separator_is_saved_and_a_folder_without_a_format_is_plain(tmp_path, kind):
    rm = model(kind, text_format=TextFormat(separator="\n"))
    rm.save_pretrained(tmp_path / "rm")
    again = kind.from_pretrained(tmp_path / "rm")
    assert again.text_format == rm.text_format
    assert again.score(PROMPTS, RESPONSES).equal(rm.score(PROMPTS, RESPONSES))
    file = tmp_path / "rm" / "minirm.json"
    settings = json.loads(file.read_text())
    del settings["text_format"]  # as an earlier version wrote it
    file.write_text(json.dumps(settings))
    assert kind.from_pretrained(tmp_path / "rm").text_format == TextFormat()
