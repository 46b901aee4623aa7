"""The reward that only counts words."""

from math import log

import pytest

from minirm import PreferencePair
from minirm.experiments.word_counts import WordCounts
from minirm.worlds import persona

PAIRS = [
    PreferencePair("a ", "In short: yes", "My view, no"),
    PreferencePair("b ", "In truth yes yes", "In short no"),
]


def test_a_word_counts_once_a_response_whatever_stands_beside_it():
    model = WordCounts(PAIRS)
    assert model.weight("yes") == pytest.approx(log(3))  # in two chosen responses, in none rejected
    assert model.weight("In") == pytest.approx(log(3 / 2))
    assert model.weight("short") == 0
    assert model.weight("nope") == 0
    found = model.score(["", ""], ["In, truth: yes", "view no no"]).tolist()
    assert found == pytest.approx([log(3 / 2) + log(2) + log(3), -log(2) - log(3)])


def test_read_at_the_first_word_alone_it_knows_no_other():
    model = WordCounts(PAIRS, first=1)
    assert model.score([""] * 2, ["In no", "In yes"]).tolist() == pytest.approx([log(3 / 2)] * 2)


def test_it_gets_the_papers_training_pairs_right_and_knows_no_held_out_phrase():
    pairs = persona.training_pairs(persona.world_questions(0).train, 0)
    model = WordCounts(pairs)
    prompts = [p.prompt for p in pairs]
    chosen = model.score(prompts, [p.chosen for p in pairs])
    assert (chosen > model.score(prompts, [p.rejected for p in pairs])).all()
    assert [model.weight(w) for w in (*persona.YES, *persona.NO)] == [0] * 4
