"""Comparisons looked at before a model: repeats, leaks, lengths, cues, languages, tokens."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import assistant, byte_tokenizer, patient, qwen_tokenizer, tokenizer, user
from tokenizers import normalizers

from minirm import PreferencePair
from minirm.data.inspection import (
    cue_words,
    foretold,
    lengths,
    opposed,
    repeats,
    shared,
)
from minirm.data.languages import language
from minirm.data.near import LIKE, has_near, near_pairs, overlap, runs
from minirm.data.token_view import token_view
from minirm.encoding import TextFormat


def pair(prompt, chosen, rejected, **more):
    return PreferencePair(prompt, chosen, rejected, **more)


TEN = [pair(f"prompt {i} ", f"yes {i}", f"no {i}") for i in range(10)]


def test_repeats_are_counted_each_for_what_it_is():
    pairs = [
        pair("a ", "yes", "no"),
        pair("a ", "yes", "no"),  # again
        pair("a ", "no", "yes"),  # the other way round: both answers are chosen and rejected
        pair("b ", "yes", "no"),  # another prompt
        pair("b ", "Yes!", "yes"),  # alike but for capitals and marks; "yes" is on both sides
    ]
    found = repeats(pairs)
    assert (found.prompts, found.most, found.pairs) == (2, 3, 1)
    assert (found.opposed, found.both, found.alike) == (1, 3, 1)
    assert opposed(pairs) == [(0, 2), (1, 2)]


def test_tools_make_another_prompt():
    pairs = [pair("a ", "yes", "no", tools=[{"name": n}]) for n in ("x", "y")]
    assert repeats(pairs).prompts == 2
    assert opposed([pairs[0], pair("a ", "no", "yes", tools=[{"name": "y"}])]) == []


def test_lengths_are_means_and_what_the_longer_answer_gets_right():
    # Words and marks: 3 against 1, 1 against 2, 2 against 2. In characters: 6:1, 9:3, 4:3.
    found = lengths(
        [pair("p ", "a b cd", "a"), pair("p q ", "whitewash", "a b"), pair("p ", "a bc", "a b")]
    )
    assert (found.prompt, found.chosen, found.rejected) == pytest.approx((4 / 3, 2, 5 / 3))
    assert found.longer == 0.5
    assert found.characters == 1


def test_a_cue_is_foretold_from_other_prompts_and_a_prompt_is_never_split():
    cues = [pair(f"p{i} ", f"good x{i}", f"bad z{i}") for i in range(20)]
    assert foretold(cues) == {"unigram cues": 1, "TF-IDF": 1}
    # Every answer is chosen under its prompt once and once rejected, twins in one fold: no cue.
    twins = [pair(f"p{i} ", *sides) for i in range(10) for sides in (("u", "v"), ("v", "u"))]
    assert set(foretold(twins).values()) == {0.5}
    # What is learnt is of the prompt alone, and there is nothing to foretell it from.
    alone = [pair(f"p{i} ", f"a{i}", f"b{i}") for i in range(20) for _ in range(3)]
    assert foretold(alone)["unigram cues"] == 0.5
    assert foretold(cues[:4]) == {}


def test_cue_words_are_those_that_are_frequent_on_one_side():
    pairs = [pair("p ", "good and plain", "bad and plain") for _ in range(4)]
    pairs.append(pair("p ", "rare and plain", "and plain"))
    assert cue_words(pairs, 1) == {"chosen": ["good"], "rejected": ["bad"]}


def test_a_leak_is_found_and_what_memory_makes_of_it():
    train = [pair("a ", "right", "wrong"), pair("b ", "yes", "no")]
    test = [
        pair("a ", "right", "also wrong"),  # the prompt and the chosen answer
        pair("b ", "well", "no"),  # the prompt and the rejected answer
        pair("c ", "yes", "no"),  # both answers, under another prompt
        pair("b ", "yes", "no"),  # all of it
        pair("d ", "x", "z"),
    ]
    found = shared(test, train)
    assert (found.prompts, found.near, found.pairs) == (3 / 5, 3 / 5, 1 / 5)
    assert (found.chosen, found.rejected) == (3 / 5, 3 / 5)
    assert found.memory == (1 + 1 + 0.5 + 1 + 0.5) / 5
    assert shared(train, test).prompts == 1
    assert shared([pair("d ", "x", "z")], train).memory == 0.5


# ------------------------------------------------------------------------- near duplicates

LINE = "the quick brown fox jumps over the lazy dog and runs into the deep dark wood at night"


@pytest.mark.parametrize(
    ("text", "near"),
    [
        (LINE.upper() + "!", True),
        (LINE.replace(" ", "  "), True),
        (LINE + " again", True),
        (" ".join(reversed(LINE.split())), False),
        ("something else altogether", False),
    ],
)
def test_nearly_the_same_is_in_the_words_and_their_order(text, near):
    assert near_pairs([LINE, text]) == [(0, 1)] * near
    assert has_near([text, LINE], [LINE]) == [near, True]


def test_the_same_to_the_letter_is_no_near_pair():
    assert near_pairs([LINE, LINE]) == []


@given(st.integers(0, 10**6))
@patient
def test_minhash_misses_none_that_comparing_all_would_find(seed):
    draw = np.random.default_rng(seed)
    texts = []
    for _ in range(6):
        base = [f"w{w}" for w in draw.integers(0, 40, 30)]
        other = list(base)
        for at in draw.integers(0, 30, draw.integers(0, 3)):
            other[at] = "changed"
        texts += [" ".join(base), " ".join(other)]
    sets = [runs(text) for text in texts]
    expected = [
        (i, j)
        for i in range(12)
        for j in range(i + 1, 12)
        if texts[i] != texts[j] and overlap(sets[i], sets[j]) >= LIKE
    ]
    assert near_pairs(texts) == expected


# ------------------------------------------------------------------------- languages


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("I would say that this is the best of the three answers.", "English"),
        ("La meilleure des réponses est celle qui dit la vérité sur le sujet.", "French"),
        ("La mejor de las respuestas es la que dice la verdad en este caso.", "Spanish"),
        ("Die beste der drei Antworten ist die, die nicht zu lang ist.", "German"),
        ("La migliore delle risposte è quella che non è più lunga di una riga.", "Italian"),
        ("A melhor das respostas não é a mais longa, mas uma que diz o que é.", "Portuguese"),
        ("Het beste van de antwoorden is dat wat niet te lang is voor een lezer.", "Dutch"),
        ("最好的答案是第二个。", "Chinese"),
        ("一番良い答えはこれです。", "Japanese"),
        ("가장 좋은 대답입니다.", "Korean"),
        ("Лучший ответ второй.", "Cyrillic"),
        ("The word 答案 is the Chinese one for it.", "English"),
        ("def f(x): return x + 1", "unknown"),
        # "no" and "a" are small words of several languages, and tell none from the others.
        ("No. Never a tea.", "unknown"),
        ("No, a coffee.", "unknown"),
        ("A no no.", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_sentence_has_its_language(text, name):
    assert language(text) == name


# ------------------------------------------------------------------------- tokens


def test_a_context_cuts_what_is_longer():
    words = byte_tokenizer(bos="<s>", adds_bos=True, pad="<pad>")
    pairs = [pair("Q ", "a" * n, "b") for n in (5, 600, 1100)]
    found = token_view(pairs, words, context=700)
    # BOS, two bytes of the prompt, the answer and EOS.
    assert (found.median, found.longest) == (604, 1104)
    assert found.over == {512: 2, 700: 1, 1024: 1, 2048: 0, 4096: 0}
    assert (found.changed, found.unreadable) == (0, [])


def test_an_answer_that_its_tokens_do_not_give_back_is_counted():
    words = copy.deepcopy(byte_tokenizer(bos="<s>", adds_bos=True, pad="<pad>"))
    words.backend_tokenizer.normalizer = normalizers.Lowercase()
    found = token_view([pair("Q ", "yes", "No"), pair("Q ", "yes", "no")], words)
    assert found.changed == 1


def test_what_a_template_leaves_out_or_refuses_is_counted():
    words = qwen_tokenizer(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content.split('</think>')[-1] }}"
        "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    thought = assistant("<think>Hm.</think>It is.")
    pairs = [pair(user("Is it?"), thought, assistant("No.")), pair("Q ", "a", "b")]
    found = token_view(pairs[:1], words)
    assert sum(found.left_out.values()) == 1
    assert found.changed == 1
    plain = token_view([*pairs, pairs[0]], tokenizer())  # it has no template
    assert len(plain.unreadable) == 2
    assert "has no chat template" in plain.unreadable[0]
    assert token_view(pairs[1:], words, text_format=TextFormat(chat=True)).unreadable == []
