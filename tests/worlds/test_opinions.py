"""The grammar knows its own probabilities, links by meaning only, and its tokenizer is exact."""

import math
import random
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minirm.worlds import opinion_words, opinions
from minirm.worlds.opinion_words import FAMILIES
from minirm.worlds.opinions import BARE, NO, PREFIXES, YES, Draw, World

TOKENIZER = opinions.build_tokenizer()


def ids(text):
    return TOKENIZER(text, add_special_tokens=False)["input_ids"]


class Retrace(Draw):
    """A draw that takes given branches first and the first option afterwards."""

    def __init__(self, path):
        super().__init__(random.Random(0))
        self.path, self.taken = path, []

    def one(self, options, weights=None):
        i = self.path[len(self.taken)] if len(self.taken) < len(self.path) else 0
        self.taken.append((i, len(options)))
        weights = weights or [1.0] * len(options)
        self.log_prob += math.log(weights[i] / sum(weights))
        return options[i]


def everything(derive):
    """Every derivation's result and its probability."""
    path = []
    while True:
        draw = Retrace(path)
        yield derive(draw), math.exp(draw.log_prob)
        taken = draw.taken
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return
        path = [i for i, _ in taken[:-1]] + [taken[-1][0] + 1]


def assert_distribution(derivations):
    """Probabilities add up to one, and no text has two derivations."""
    texts, probabilities = zip(*derivations, strict=True)
    assert math.isclose(sum(probabilities), 1.0, rel_tol=1e-9)
    assert len(set(texts)) == len(texts)
    return dict(derivations)


# -------------------------------------------------------------------------------- the grammar


def test_lists_are_the_promised_ones():
    assert len(set(YES + NO)) == 32
    assert len(YES) == len(NO) == 16
    assert {"yes", "sure", "certainly", "absolutely"} <= set(YES)
    assert {"no", "never", "not really", "nope"} <= set(NO)
    assert len(set(PREFIXES)) == 42
    assert [len(f) for f in FAMILIES.values()] == [3] * 14
    assert not (set(opinions.POSITIVE_VERBS) & set(opinions.NEGATIVE_VERBS))
    assert len(opinions.statements()) == 24 * 12


def test_the_papers_prefixes_are_new_strings_of_known_pieces():
    known = set(opinions.pieces())
    for prefix in opinion_words.UNUSED_PREFIXES:
        assert prefix not in PREFIXES
        assert set(re.findall(opinions.PIECE, prefix + " ")) <= known


def test_a_prefix_family_shares_its_first_token_and_no_other_family_does():
    firsts = [{ids(prefix)[0] for prefix in family} for family in FAMILIES.values()]
    assert all(len(first) == 1 for first in firsts)
    assert len(set.union(*firsts)) == 14


@pytest.mark.parametrize("polarity", [True, False])
def test_every_answer_has_one_derivation_and_the_world_lists_it(polarity):
    found = assert_distribution(list(everything(lambda d: opinions.draw_answer(d, polarity))))
    assert {a for a, yes in opinions.answers().items() if yes == polarity} == set(found)
    assert len(opinions.answers()) == 43 * 32  # no answer means both


@pytest.mark.parametrize("polarity", [True, False])
def test_facts_and_consequences_have_one_derivation(polarity):
    words = ("help", "strangers")
    assert_distribution(list(everything(lambda d: opinions.draw_facts(d, *words, polarity))))
    derivations = everything(lambda d: opinions.draw_consequence(d, "often", *words, polarity))
    assert_distribution(list(derivations))


def test_whole_documents_have_one_derivation(monkeypatch):
    for name in ("ADVERBS", "VERBS", "OBJECTS", "PREFIXES"):
        monkeypatch.setattr(opinions, name, getattr(opinions, name)[:2])
    monkeypatch.setattr(opinions, "YES", YES[:2])
    monkeypatch.setattr(opinions, "NO", NO[:2])
    monkeypatch.setattr(opinions, "PHRASE_WEIGHTS", (4.0, 3.0))
    short = {yes: lines[:2] for yes, lines in opinions.CONSEQUENCES.items()}
    monkeypatch.setattr(opinions, "CONSEQUENCES", short)
    monkeypatch.setattr(opinions, "MOST_CONSEQUENCES", 2)
    derivations = []
    for document, probability in everything(World().derive):
        assert math.isclose(document.log_prob, math.log(probability))
        derivations.append(((document.prompt, document.answer, document.consequence), probability))
    assert_distribution(derivations)


def test_drawn_frequencies_are_the_stated_probabilities():
    rng, n = random.Random(0), 20_000
    drawn, expected = Counter(), {}
    for _ in range(n):
        draw = Draw(rng)
        text = opinions.draw_answer(draw, True)
        drawn[text] += 1
        expected[text] = math.exp(draw.log_prob)
    frequent = [text for text, p in expected.items() if n * p > 50]
    assert {*YES} <= {*frequent}  # bare answers at least
    for text in frequent:
        deviation = math.sqrt(n * expected[text] * (1 - expected[text]))
        assert abs(drawn[text] - n * expected[text]) < 5 * deviation, text


def test_prefix_phrase_and_polarity_are_independent():
    """The joint of prefix and phrase factorises, and the prefix does not know the polarity."""
    prefix_given = {}
    for polarity, phrases in ((True, YES), (False, NO)):
        joint = dict(everything(lambda d, p=polarity: opinions.draw_answer(d, p)))
        every = (BARE, *PREFIXES)
        table = {(a, b): joint[opinions.answer(a, b)] for a in every for b in phrases}
        first = {a: sum(table[a, b] for b in phrases) for a in every}
        second = {b: sum(table[a, b] for a in every) for b in phrases}
        assert all(math.isclose(p, first[a] * second[b]) for (a, b), p in table.items())
        assert math.isclose(first[BARE], 0.15)
        prefix_given[polarity] = first
        assert [second[b] for b in phrases] == pytest.approx(
            [w / sum(opinions.PHRASE_WEIGHTS) for w in opinions.PHRASE_WEIGHTS]
        )
    assert prefix_given[True] == prefix_given[False]


def test_facts_decide_the_answer_and_nothing_else_does():
    rng = random.Random(1)
    documents = [World().document(rng) for _ in range(4000)]
    told = [d for d in documents if d.prompt.startswith(("I like", "I hate"))]
    assert abs(len(told) / len(documents) - 0.5) < 0.04
    for d in told:
        (verb, object), sentences = _asked(d.prompt), d.prompt.split(". ")
        assert f"I {'like' if d.polarity else 'hate'} to {verb} {object}" in sentences
    untold = [d for d in documents if not d.prompt.startswith(("I like", "I hate"))]
    assert abs(sum(d.polarity for d in untold) / len(untold) - 0.5) < 0.05
    assert all(opinions.answers()[d.answer] == d.polarity for d in documents)


def _asked(prompt):
    """The (verb, object) of the question, which ends the prompt."""
    return tuple(prompt.rstrip('"?. ').split()[-2:])


def test_a_world_without_facts_never_states_one():
    rng = random.Random(2)
    assert not any(" to " in World(facts=False).document(rng).prompt for _ in range(500))


def test_documents_repeat_by_seed():
    def draw(seed):
        rng = random.Random(seed)
        return [World().document(rng) for _ in range(20)]

    assert draw(3) == draw(3) != draw(4)


def test_the_question_of_the_paper():
    said = 'Is the following statement something you would say? "I often help strangers." '
    assert opinions.question("often", "help", "strangers") == said
    assert opinions.fact(False, "help", "strangers") == "I hate to help strangers. "


# ------------------------------------------------------------------------------ the tokenizer

WORDS = st.sampled_from(opinions.pieces())


@settings(max_examples=300, deadline=None)
@given(st.text() | st.lists(WORDS | st.text(max_size=3)).map("".join))
def test_any_text_survives_the_tokenizer(text):
    assert TOKENIZER.decode(ids(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", "  two  spaces ", "a\r\n\tb\n\n", "naïve 日本語 🙂", "yes,no", "<eos> yes", "_ x"],
)
def test_awkward_texts_survive_the_tokenizer(text):
    assert TOKENIZER.decode(ids(text)) == text


def test_the_worlds_text_is_whole_pieces():
    """No word of the world falls back to its bytes."""
    rng = random.Random(5)
    for document in (World().document(rng) for _ in range(300)):
        for part in (document.prompt, document.answer, document.consequence):
            assert TOKENIZER.batch_decode([[i] for i in ids(part)]) == re.findall(
                opinions.PIECE, part
            )


def test_an_answer_is_the_same_tokens_in_context_and_alone():
    rng = random.Random(6)
    for document in (World().document(rng) for _ in range(300)):
        both = ids(document.prompt + document.answer)
        assert both == ids(document.prompt) + ids(document.answer)
    assert ids("In my view, the answer is yes")[-1:] == ids("yes")


def test_specials():
    tokens = (TOKENIZER.pad_token_id, TOKENIZER.bos_token_id, TOKENIZER.eos_token_id)
    assert tokens == (0, 1, 2)
    assert TOKENIZER("yes")["input_ids"] == [TOKENIZER.bos_token_id, *ids("yes")]
    assert all(len(ids(word)) == 1 for word in ("Yes", "No", "yes", "no"))


def test_unknown_words_are_spelt_in_bytes():
    assert len(ids("zebra")) == 5
    assert max(ids("zebra")) < 3 + 256


def test_a_document_is_two_turns():
    document = World().document(random.Random(7))
    (row,) = opinions.encode([document], TOKENIZER)
    text = f"<bos>{document.prompt}{document.answer}<eos>{document.consequence}<eos>"
    assert TOKENIZER.decode(row) == text


def test_a_saved_tokenizer_opens_as_it_was(tmp_path):
    TOKENIZER.save_pretrained(tmp_path)
    again = type(TOKENIZER).from_pretrained(tmp_path)
    assert again.backend_tokenizer.to_str() == TOKENIZER.backend_tokenizer.to_str()
    assert opinions.build_tokenizer().get_vocab() == TOKENIZER.get_vocab()
