"""The measure of scoring: what it reads bare is every distinct token once, and both sides run."""

import sys
from pathlib import Path

import pytest
from tiny import PAIRS, tiny, tokenizer

from minirm import ExplicitRM
from minirm.encoding import Encoded
from minirm.pairs import EncodedPair


@pytest.fixture
def scoring(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parent), *sys.path])
    import scoring

    return scoring


def test_a_prompt_and_an_answer_count_once(scoring):
    one, other = Encoded((1, 2), (3,)), Encoded((1, 2), (4, 5))
    pairs = [EncodedPair(one, other), EncodedPair(other, one)]
    tokens = scoring.distinct_tokens(pairs)
    assert tokens == [1, 2, 3, 4, 5]
    assert [batch.tolist() for batch in scoring.packed(tokens, 2)] == [[[1, 2], [3, 4]], [[5]]]


def test_both_take_their_turns(scoring):
    found = scoring.compare(ExplicitRM(tiny("llama"), tokenizer()), PAIRS, rounds=2)
    assert {name: len(times) for name, times in found["seconds"].items()} == {
        "bare": 2,
        "scoring": 2,
    }
    assert found["pairs"] == len(PAIRS)
    assert found["ratio"] > 0
