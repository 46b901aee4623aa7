"""Rewards without a language model: hand-worked values, and scikit-learn's for TF-IDF."""

import json
import math

import numpy as np
import pytest
import torch
from tiny import assistant

from minirm import PreferencePair, accuracy
from minirm.baselines import Longest, Shortest, TfIdf, UnigramCues, baselines, plain, words

PAIRS = [
    PreferencePair("p ", "Good, good news.", "Bad news!"),
    PreferencePair("q ", "A good day.", "A bad, bad, bad day."),
    PreferencePair("r ", "It rains.", "Good grief."),
]


def both(scorer, pairs=PAIRS):
    return [
        scorer.score([p.prompt for p in pairs], [getattr(p, side) for p in pairs])
        for side in ("chosen", "rejected")
    ]


def test_length_counts_words_and_marks():
    # "Good , good news ." is 5 and "Bad news !" 3; "A good day ." 4, "A bad , bad , bad day ." 8;
    # "It rains ." and "Good grief ." are 3 each: right, wrong and a tie.
    chosen, rejected = both(Longest())
    assert chosen.tolist() == [5, 4, 3]
    assert rejected.tolist() == [3, 8, 3]
    assert accuracy(chosen, rejected) == 0.5
    assert [r.tolist() for r in both(Shortest())] == [[-5, -4, -3], [-3, -8, -3]]


def test_a_chinese_character_is_a_word_and_a_message_its_content():
    assert words("我喜欢 Python。") == ["我", "喜", "欢", "python", "。"]
    turns = [*assistant("Two words"), {"role": "assistant", "content": None, "tool_calls": []}]
    assert plain(turns) == "Two words\n"
    assert words(turns) == ["two", "words"]


def test_a_cue_weighs_what_its_counts_say_and_counts_once_a_response():
    # "good" is in two chosen responses and one rejected, "bad" in none and two, "rains" in one and
    # none; "news", "day" and "a" are in as many of either; "," is in one of either, "." in three
    # and two, "!" in none and one.
    cues = UnigramCues(PAIRS)
    assert cues.weight("good") == pytest.approx(math.log(3 / 2))
    assert cues.weight("bad") == pytest.approx(math.log(1 / 3))
    assert cues.weight("news") == cues.weight("never seen") == 0
    (reward,) = cues.score(["p "], ["GOOD good bad rains, ."])
    expected = math.log(3 / 2) + math.log(1 / 3) + math.log(2) + 0 + math.log(4 / 3)
    assert reward.item() == pytest.approx(expected)


def test_equal_words_tie_to_the_last_bit_whatever_their_order():
    cues = UnigramCues(PAIRS)
    one, other = cues.score(["", ""], ["good bad rains . ! grief", "grief ! . rains bad good"])
    assert one == other


@pytest.mark.needs("sklearn")
def test_tf_idf_with_bradley_terry_is_what_scikit_learn_fits():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    draw = np.random.default_rng(0)
    vocabulary = np.array([f"w{i}" for i in range(30)])
    texts = [" ".join(draw.choice(vocabulary, draw.integers(3, 20))) for _ in range(80)]
    pairs = [PreferencePair("", a, b) for a, b in zip(texts[::2], texts[1::2], strict=True)]
    vectors = TfidfVectorizer(analyzer=words)
    vectors.fit(texts)
    difference = vectors.transform(texts[::2]) - vectors.transform(texts[1::2])
    from scipy.sparse import vstack

    # Each difference once either way round, so that there are two classes; the penalty twice too.
    model = LogisticRegression(C=0.5, fit_intercept=False, tol=1e-10, max_iter=10_000)
    model.fit(vstack([difference, -difference]), [1] * 40 + [0] * 40)
    unseen = ["w1 w2 w3 stranger", "w29 w28 w28", "stranger"]
    expected = vectors.transform(unseen) @ model.coef_[0]
    found = TfIdf(pairs).score([""] * 3, unseen)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
    assert found[2] == 0


def test_what_learns_is_there_only_with_something_to_learn_from():
    assert list(baselines()) == ["longest", "shortest"]
    found = baselines(PAIRS)
    assert list(found) == ["longest", "shortest", "unigram cues", "TF-IDF"]
    for scorer in found.values():
        for rewards in both(scorer):
            assert rewards.shape == (3,)
            assert rewards.dtype == torch.float64
    assert accuracy(*both(found["unigram cues"])) == accuracy(*both(found["TF-IDF"])) == 1


# Accuracies of "longer wins", and of cues from 200 pairs of UltraFeedback and from 2,000 of
# RewardMATH, as the fact sheet has them. It counts a word once a spelling in capitals and small
# letters, and a line of Chinese as one word: so not to the last pair.
REAL = {
    "ultrafeedback_test": (0.595, 0.603, 0.455),
    "ultrafeedback_test_paraphrased": (0.585, 0.608, 0.453),
    "ultrafeedback_test_french": (0.573, 0.537, 0.432),
    "ultrafeedback_test_spanish": (0.595, 0.535, 0.430),
    "rewardmath_test": (0.367, 0.417, 0.950),
    "rewardbench_math_test": (0.125, 0.235, 0.815),
    "rewardbench_code_test": (0.562, 0.465, 0.482),
}


def test_public_sets_have_the_surface_figures_of_the_fact_sheet(data_dir):
    def read(name, *columns):
        rows = map(json.loads, (data_dir / f"{name}.jsonl").read_text().splitlines())
        return [PreferencePair(*(row[c] for c in ("prompt", *columns))) for row in rows]

    rewritten = read("ultrafeedback_train200_paraphrased", "orig_chosen", "orig_rejected")
    solutions = read("rewardmath_train2000", "chosen", "rejected")
    scorers = [Longest(), UnigramCues(rewritten), UnigramCues(solutions)]
    for name, expected in REAL.items():
        pairs = read(name, "chosen", "rejected")
        found = [accuracy(*both(scorer, pairs)) for scorer in scorers]
        assert found == pytest.approx(expected, abs=0.0201), name
