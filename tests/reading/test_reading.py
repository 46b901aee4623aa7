"""What a reward reads is described as it is: by readers of length, of openings, of meaning."""

from __future__ import annotations

import json

import numpy as np
import pytest
from readers import Asked as ReadsThePrompt
from readers import FirstToken, Length, Meaning, pairs
from tiny import PAIRS, perturb, tiny, tokenizer

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, PreferencePair
from minirm.encoding import Encoded
from minirm.reading import sample
from minirm.reading.findings import findings
from minirm.reading.growth import drift, prefix_rewards
from minirm.reading.report import read_model
from minirm.reading.wordings import grid


def said(report, about):
    """The sentences on one thing, and whether one of them warns."""
    found = [finding for finding in findings(report) if finding.about == about]
    return " ".join(finding.says for finding in found), any(finding.warns for finding in found)


@pytest.fixture(scope="module")
def of_length():
    return read_model(Length(), pairs(), range(24))


@pytest.fixture(scope="module")
def of_first_token():
    return read_model(FirstToken(), pairs(), range(24))


@pytest.fixture(scope="module")
def of_meaning():
    return read_model(Meaning(), pairs(), range(24))


def test_a_reader_of_length_is_called_one(of_length, of_first_token, of_meaning):
    assert of_length["length"]["correlation"] > 0.97  # in words, while it counts characters
    assert of_length["length"]["prefers"] > 0.9
    text, warns = said(of_length, "length")
    assert warns
    assert "The reward goes with length." in text
    for other in (of_first_token, of_meaning):
        text, warns = said(other, "length")
        assert not warns
        assert "goes with" not in text
    right, wrong = of_length["length"]["more_chosen"], of_length["length"]["more_rejected"]
    assert right[0] > 0.9
    assert wrong[0] < 0.1
    # Small letters are as long; "Sure!" and a blank are six characters more, everywhere.
    assert of_length["rewrites"]["case"]["change"] == 0
    longer = of_length["rewrites"]["courtesy"]
    assert (
        longer["shift"] == pytest.approx(longer["change"]) == pytest.approx(6 / of_length["spread"])
    )


def test_a_reader_of_the_first_token_is_called_one(of_length, of_first_token, of_meaning):
    swapped = of_first_token["rewrites"]["openings"]
    assert swapped["pairs"] == 24
    assert swapped["flips"] == 1
    text, warns = said(of_first_token, "rewrites")
    assert warns
    assert "Swapping the two openings turns 100 % (86 to 100 %) of the rankings round" in text
    assert "goes with the opening" in text
    assert of_first_token["rewrites"]["blanks"]["flips"] == 0
    for other in (of_length, of_meaning):
        assert "goes with the opening" not in said(other, "rewrites")[0]
    assert of_first_token["made"]["meaning"] < 0.5
    assert said(of_first_token, "meaning")[1]


def test_a_reader_of_meaning_is_called_one(of_meaning):
    assert of_meaning["accuracy"]["value"] == 1
    assert of_meaning["made"]["wordings"] == ["as it was", "courtesy", "order", "blanks", "case"]
    assert of_meaning["made"]["meaning"] == pytest.approx(1)
    assert np.array(of_meaning["made"]["accuracies"]).min() == 1
    text, warns = said(of_meaning, "meaning")
    assert not warns
    assert "(as it was, with a courtesy before it, sentences in another order, other blan" in text
    for name in ("courtesy", "order", "blanks", "case", "openings"):
        assert of_meaning["rewrites"][name]["flips"] == 0, name
        assert of_meaning["rewrites"][name]["change"] == 0, name
    # "yes" and "no" are what tells the sides apart: without both nothing is left but ties.
    assert of_meaning["rewrites"]["cue words"]["change"] > 0.9
    assert of_meaning["rewrites"]["cue words"]["after"] == 0.5


def test_a_ranking_that_does_not_need_its_prompt_is_told_from_one_that_does(of_meaning):
    text, warns = said(of_meaning, "prompt")
    assert warns
    assert "hardly needs its prompt" in text
    assert of_meaning["exchanged"]["kept"][0] == 1
    asked = [PreferencePair(p.prompt if i % 2 else f"Say it if it is not: {p.prompt}",
                            *((p.chosen, p.rejected)[:: 1 if i % 2 else -1]))
             for i, p in enumerate(pairs(40))]  # fmt: skip
    report = read_model(ReadsThePrompt(), asked, range(40))
    assert report["exchanged"]["own"][0] == 1
    assert report["exchanged"]["other"][0] < 0.75
    assert not said(report, "prompt")[1]


def test_given_wordings_are_read_as_a_grid():
    plain = pairs(6)
    loud = [PreferencePair(p.prompt, p.chosen.upper(), p.rejected.upper()) for p in plain]
    every = [*plain, *loud]
    cells = grid([p.prompt for p in every], ["plain"] * 6 + ["loud"] * 6, [None] * 12)
    report = read_model(FirstToken(), plain, range(6), given=(cells, every))
    assert report["given"]["wordings"] == ["plain", "loud"]
    assert report["given"]["items"] == 6
    assert report["given"]["accuracies"][0][0] == report["accuracy"]["value"]
    # Its first token is a capital already, and stays: nothing of the reward is wording.
    assert report["given"]["wording"] == 0
    assert report["given"]["meaning"] == pytest.approx(1)
    small = [PreferencePair(p.prompt, p.chosen.lower(), p.rejected.lower()) for p in plain]
    report = read_model(FirstToken(), plain, range(6), given=(cells, [*plain, *small]))
    assert report["given"]["meaning"] < 0.999


def test_pairs_taken_apart_are_called_by_the_side_that_they_lie_on():
    """Where none is right the best of them is wrong all the same."""
    wrong = [PreferencePair(f"{i}? ", "a" * 5, "b" * (6 + i)) for i in range(3)]
    right = [PreferencePair(f"{i}? ", "a" * (6 + i), "b" * 5) for i in range(3)]
    ties = [PreferencePair(f"{i}? ", "a", "b") for i in range(3)]
    names = {}
    for key, some in {"wrong": wrong, "right": right, "ties": ties}.items():
        names[key] = [part["which"] for part in read_model(Length(), some, range(3))["apart"]]
    assert names == {
        "wrong": ["the narrowest wrong", "a middling", "the widest wrong"],
        "right": ["the widest right", "a middling", "the narrowest right"],
        "ties": ["the narrowest", "a middling", "the narrowest"],
    }


@pytest.mark.parametrize("items", [1, 2, 3])
def test_a_meaning_share_of_fewer_than_three_items_has_no_interval(items):
    report = read_model(FirstToken(), pairs(items), range(items))
    found = report["made"]
    assert found["items"] == items
    text, warns = said(report, "meaning")
    assert warns  # its meaning is small, whatever an interval would be
    assert (found["interval"] is None) == (items < 3)
    assert (found["part_intervals"] == {}) == (items < 3)
    assert ("there is no interval" in text) == (items < 3)
    assert ("% (" in text.partition(":")[0]) == (items == 3)


def test_the_answers_of_all_measurements_are_scored_once():
    model, seen = Meaning(), []
    reward = model.reward_of
    model.reward_of = lambda *texts: seen.append(texts) or reward(*texts)
    report = read_model(model, [*pairs(6), *pairs(6)], [*range(6), *range(6)])
    assert len(seen) == len(set(seen)) == report["scored"]


@pytest.mark.parametrize("kind", ["explicit", "mean", "implicit", "no reference"])
def test_the_reward_of_a_beginning_is_that_of_the_answer_cut_there(kind):
    """Against scoring each beginning by itself."""
    model = {
        "explicit": lambda: ExplicitRM(tiny(), tokenizer()),
        "mean": lambda: ExplicitRM(tiny("llama"), tokenizer(), pooling="mean"),
        "implicit": lambda: ImplicitRM(tiny("llama"), tokenizer(), beta=0.3),
        "no reference": lambda: ImplicitRM(tiny(), tokenizer(), reference=None),
    }[kind]()
    perturb(model)
    sequences = [model.encode(p.prompt, p.chosen) for p in PAIRS]
    for whole, found in zip(sequences, prefix_rewards(model, sequences, batch_size=3), strict=True):
        cut = [Encoded(whole.prompt, whole.response[:n]) for n in range(1, len(whole.response) + 1)]
        assert found == pytest.approx(model.score_encoded(cut).numpy(), abs=1e-5)


def test_words_left_out_and_tokens_add_up():
    model = perturb(ImplicitRM(tiny(), tokenizer(), beta=0.5))
    report = read_model(model, PAIRS, range(8))
    assert report["apart"][0]["which"] == "the widest right"
    for pair in report["apart"]:
        place = [p.prompt for p in PAIRS].index(pair["prompt"])
        for side in ("chosen", "rejected"):
            found = pair[side]
            text = "".join(piece for piece, _ in found["pieces"])
            (whole,) = model.score([PAIRS[place].prompt], [text]).tolist()
            assert found["reward"] == pytest.approx(whole, abs=1e-5)
            assert found["tokens"][-1][1] == pytest.approx(whole, abs=1e-5)
            words = text.split(" ")
            if len(words) > 1:
                (rest,) = model.score([pair["prompt"]], [" ".join(words[1:])]).tolist()
                assert found["pieces"][0][1] == pytest.approx(whole - rest, abs=1e-5)
            else:
                assert found["pieces"] == [[text, None]]


def test_all_three_rewards_are_read_and_the_report_is_json():
    for make in (ExplicitRM, ImplicitRM, GenerativeRM):
        extra = {"yes": "yes", "no": "no"} if make is GenerativeRM else {}
        report = read_model(perturb(make(tiny(), tokenizer(), **extra)), PAIRS, range(8))
        json.dumps(report, allow_nan=False)
        assert all(finding.says for finding in findings(report))
        assert (report["grown"] is None) == (make is GenerativeRM)
        if report["grown"]:
            assert report["grown"][-1]["accuracy"] == report["accuracy"]["value"]
    with pytest.raises(TypeError, match="gives no reward to the beginning"):
        prefix_rewards(GenerativeRM(tiny(), tokenizer(), yes="yes", no="no"), [])


def test_an_untrained_implicit_reward_reads_nothing():
    """All rewards are 0: nothing to split, nothing that turns round, no division by 0."""
    report = read_model(ImplicitRM(tiny(), tokenizer()), PAIRS, range(8))
    assert report["accuracy"]["value"] == 0.5
    assert "no variance to split" in report["made"]["reason"]
    assert report["length"]["correlation"] == 0


def test_drift_is_by_position():
    values = [np.arange(10.0) + i for i in range(6)]
    first, second, third = drift(values, range(6))
    assert (first.first, first.last, first.mean) == (1, 4, 1.5 + 2.5)
    assert (second.mean, third.mean) == (5.5 + 2.5, 8.5 + 2.5)
    assert first.interval[0] < first.mean < first.interval[1]
    assert drift(values[:4], range(4)) == []  # too few answers


def test_items_are_drawn_whole_and_what_cannot_be_read_is_counted():
    model = Meaning()
    every = [*pairs(10), PreferencePair("Long? ", "yes " * 200, "no")]
    twice = [*every, *pairs(10, seed=1)]  # the same prompts again
    units = sample.item_units(twice)
    assert len(set(units)) == 11
    taken = sample.draw(model, twice, units, most=11)
    assert (len(taken.places), taken.items, taken.overlong, taken.bad) == (20, 11, 1, ())
    few = sample.draw(model, twice, units, most=3, seed=4)
    assert len(few.places) == 6
    assert {i % 11 for i in few.places[:3]} == {i % 11 for i in few.places[3:]}
    with pytest.raises(ValueError, match="none of 1 pair can be read: longer than"):
        sample.draw(model, every[-1:], [0], most=5)


def test_a_grid_that_is_none_is_refused():
    rows = (["a", "a", "b", "b"], ["x", "y", "x", "y"], ["1", "2", "3", "4"])
    assert grid(*rows).places.tolist() == [[0, 1], [2, 3]]
    with pytest.raises(ValueError, match="2 and 1 are both item 'a' in wording 'x'"):
        grid(["a", "a", "a"], ["x", "x", "y"], ["1", "2", "3"])
    with pytest.raises(ValueError, match="all rows have one wording, 'x'"):
        grid(["a", "b"], ["x", "x"], ["1", "2"])
    with pytest.raises(ValueError, match=r"no item has all 2 wordings \(x, y\)"):
        grid(["a", "b"], ["x", "y"], ["1", "2"])


def test_three_items_that_agree_are_not_said_to_be_certain():
    report = read_model(Meaning(), pairs(3), range(3))
    text, _ = said(report, "meaning")
    assert "the meaning share is 100 % (44 to 100 %)" in text
    assert report["made"]["part_intervals"]["rest"][1] > 0.5
    for rewrite in ("courtesy", "blanks", "case"):  # it changes no reward of three
        assert report["rewrites"][rewrite]["change"] == 0
        assert report["rewrites"][rewrite]["change_interval"] is None
        assert report["rewrites"][rewrite]["flips_interval"][1] > 0.5
