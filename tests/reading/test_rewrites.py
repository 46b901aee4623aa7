"""Rewrites keep what they say they keep, and there is none where nothing can be rewritten."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from readers import pairs
from tiny import assistant, patient, user

from minirm import PreferencePair
from minirm.reading.attribution import PIECES, pieces
from minirm.reading.rewrites import rewrites, sentences, shuffled

TEXT = st.text(st.sampled_from("aB .!?\n\t'あ。"), max_size=60)


def by_name(some):
    return {rewrite.name: rewrite for rewrite in rewrites(some)}


def words(text):
    return re.findall(r"\w+", text)


@patient
@given(TEXT)
def test_sentences_and_pieces_add_up_to_the_text(text):
    assert "".join(sentences(text)) == text
    cut = pieces(text)
    assert len(cut) <= PIECES
    assert "".join(cut) == (text if text.strip() else "")
    assert all(piece.strip() for piece in cut)


@patient
@given(TEXT)
def test_another_order_has_the_same_sentences_and_is_another(text):
    found = shuffled(text)
    whole = [piece.strip() for piece in sentences(text) if piece.strip()]
    assert (found is None) == (len(set(whole)) < 2)
    if found is not None:
        assert sorted(found.split()) == sorted(text.split())
        assert found != (" ".join(whole))


@patient
@given(TEXT, TEXT)
def test_no_rewrite_is_empty_or_the_text_itself(one, other):
    pair = PreferencePair("Q? ", one, other)
    for rewrite in rewrites(pairs(4)):
        assert rewrite.sides(pair) != (one, other)
        for old, new in zip((one, other), rewrite.sides(pair), strict=True):
            assert new is None or new.strip(), rewrite.name
            assert new != old or rewrite.name == "cue words", rewrite.name


def test_what_keeps_the_content_keeps_every_word():
    for pair in pairs(12):
        for rewrite in rewrites(pairs(12)):
            if not rewrite.keeps:
                continue
            for old, new in zip((pair.chosen, pair.rejected), rewrite.sides(pair), strict=True):
                kept = sorted(words(old.lower()))
                got = sorted(words(new.lower()))
                assert got == (sorted([*kept, "sure"]) if rewrite.name == "courtesy" else kept)


def test_cue_words_are_those_of_the_pairs():
    (rewrite,) = (r for r in rewrites(pairs()) if r.name == "cue words")
    assert "no" in rewrite.says
    assert "yes" in rewrite.says
    chosen, rejected = rewrite.sides(PreferencePair("Q? ", "Surely YES.", "Say no. Nobody."))
    assert "yes" not in chosen.lower()
    assert "nobody" in rejected.lower()  # a whole word, no part of one
    # The side without one stays; a pair without any is left alone.
    assert rewrite.sides(PreferencePair("Q? ", "Yes, Bob", "Bob"))[1] == "Bob"
    assert rewrite.sides(PreferencePair("Q? ", "Ann", "Bob")) == (None, None)


def test_a_conversation_is_rewritten_in_its_last_turn():
    turns = [*user("Hi"), *assistant("It is so. Or not.")]
    pair = PreferencePair(user("Q?"), turns, assistant("no"))
    chosen, rejected = by_name(pairs())["order"].sides(pair)
    assert chosen == [*user("Hi"), *assistant("Or not. It is so.")]
    assert rejected is None
    calls = [{"role": "assistant", "content": None, "tool_calls": [{}]}]
    pair = PreferencePair(user("Q?"), calls, assistant("no way at all"))
    assert by_name(pairs())["courtesy"].sides(pair)[0] is None


@pytest.mark.parametrize(
    ("chosen", "rejected"), [("Yes.", "No."), ("yes it is", "no, I am not so sure"), ("", "x")]
)
def test_answers_too_short_to_have_an_opening_swap_none(chosen, rejected):
    pair = PreferencePair("Q? ", chosen, rejected)
    assert by_name(pairs())["openings"].sides(pair) == (None, None)
