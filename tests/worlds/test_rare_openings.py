"""Rare openings: a chain of known probabilities that is new words of no meaning, and no more."""

import math
import random
from collections import Counter
from itertools import permutations

import pytest

from minirm.worlds import opinions, persona, rare_openings
from minirm.worlds.opinion_words import PREFIXES, UNUSED_PREFIXES
from minirm.worlds.opinions import BARE, NO, YES, Draw, World
from minirm.worlds.rare_openings import EDGE, cut, log_probability, options


def starts(pieces):
    """Every way to begin with so many pieces or to have ended before, and its probability."""
    open_, ended = {(): 1.0}, {}
    for _ in range(pieces):
        longer = {}
        for said, chance in open_.items():
            for piece, share in options(said).items():
                (ended if piece == EDGE else longer)[*said, piece] = chance * share
        open_ = longer
    return open_, {said[:-1]: chance for said, chance in ended.items()}


def test_the_chain_gives_every_opening_one_probability_and_all_of_them_add_up():
    open_, ended = starts(3)
    assert math.isclose(sum(open_.values()) + sum(ended.values()), 1.0)
    texts = {"".join(said).removesuffix(" "): chance for said, chance in ended.items()}
    assert len(texts) == len(ended) > 500  # no two of them read alike
    sample = random.Random(0).sample(sorted(texts), 200)
    assert all(cut(text) in ended for text in sample)  # and each is cut where it was joined
    assert all(math.isclose(log_probability(t), math.log(texts[t])) for t in sample)


def test_it_always_ends():
    """Two pieces from anywhere, the chance to end soon is more than one in twenty."""
    for said in starts(2)[0]:
        ends = options(said).get(EDGE, 0.0)
        for piece, share in options(said).items():
            ends += share * options((*said, piece)).get(EDGE, 0.0) if piece != EDGE else 0.0
        assert ends > 0.05


def test_it_never_writes_a_common_opening():
    assert all(log_probability(prefix) == -math.inf for prefix in PREFIXES)
    assert log_probability(PREFIXES[0] + " the answer is") > -math.inf


@pytest.mark.parametrize("opening", persona.OPENINGS)
def test_it_can_write_every_held_out_opening(opening):
    assert rare_openings.is_rare(opening)


@pytest.mark.parametrize("text", ["", "yes", "I  say", "I say ", "say I", "My zebra", "I say: :"])
def test_what_it_cannot_write(text):
    assert not rare_openings.is_rare(text)


def test_it_is_made_from_the_common_openings_and_writes_the_papers_six():
    assert set(rare_openings.LATER) <= {piece for prefix in PREFIXES for piece in cut(prefix)}
    for prefix in UNUSED_PREFIXES:
        in_an_answer = math.log(rare_openings.RARE_SHARE) + log_probability(prefix)
        assert -24 < in_an_answer < -12


def test_drawn_frequencies_are_the_stated_probabilities():
    draw, n = Draw(random.Random(0)), 10_000
    drawn = Counter(opinions.draw_rare_opening(draw) for _ in range(n))
    total = sum(k * log_probability(text) for text, k in drawn.items())
    assert math.isclose(draw.log_prob, total)
    for text, k in drawn.items():
        if (p := math.exp(log_probability(text))) > 0.005:
            assert abs(k - n * p) < 5 * math.sqrt(n * p), text


def test_no_phrase_ends_in_another_so_an_answer_is_cut_in_one_way():
    pieces = [cut(phrase) for phrase in YES + NO]
    assert not any(a[-len(b) :] == b for a, b in permutations(pieces, 2))


def test_a_document_s_probability_is_that_of_its_parts():
    """And the opening does not know the polarity."""
    draw = Draw(random.Random(3))
    for _ in range(300):
        before, polarity = draw.log_prob, draw.rng.random() < 0.5
        text = opinions.draw_answer(draw, polarity, rare=True)
        phrase = next(w for w in YES + NO if text == w or text.endswith(" " + w))
        opening = text.removesuffix(phrase).removesuffix(" ")
        share = opinions.PHRASE_WEIGHTS[(YES if polarity else NO).index(phrase)]
        expected = math.log(share / sum(opinions.PHRASE_WEIGHTS))
        if opening in (BARE, *PREFIXES):
            some = opinions.BARE_SHARE if opening == BARE else (1 - opinions.BARE_SHARE) / 42
            expected += math.log((1 - rare_openings.RARE_SHARE) * some)
        else:
            expected += math.log(rare_openings.RARE_SHARE) + log_probability(opening)
        assert math.isclose(draw.log_prob - before, expected)


def test_one_answer_in_twenty_has_a_rare_opening_and_means_what_it_says():
    rng, rare, plain = random.Random(1), World(rare=True), World()
    documents = [rare.document(rng) for _ in range(4000)]
    assert all(rare.meaning(d.answer) == d.polarity for d in documents)
    odd = [d for d in documents if plain.meaning(d.answer) is None]
    assert abs(len(odd) / 4000 - rare_openings.RARE_SHARE) < 0.015
    assert abs(sum(d.polarity for d in odd) / len(odd) - 0.5) < 0.12


def test_meaning_is_the_list_s_where_there_is_a_list():
    assert all(World().meaning(text) == yes for text, yes in opinions.answers().items())
    assert all(World().meaning(t) is None for t in ("", " yes", "My  yes", "I say yes", "zebra"))
    assert World(rare=True).meaning("I say nope") is False


def test_its_text_is_whole_pieces_of_the_tokenizer():
    known, rng = set(opinions.pieces()), random.Random(5)
    for _ in range(2000):
        assert set(cut(opinions.draw_rare_opening(Draw(rng)))) <= known
