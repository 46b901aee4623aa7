"""Judges that see no question: what they learn from, what they are right about, and the record."""

import json
import random
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from minirm.baselines import LEARNT, Longest, OneWord, Shortest
from minirm.data.inspection import Memory, right
from minirm.experiments import answers_alone
from minirm.experiments.answers_alone import (
    ALL,
    AS_MANY,
    CONTRAST,
    CUT,
    EVERYDAY,
    HALVED,
    LEAKING,
    LOSS,
    NORMAL,
    OTHER_PAIRS,
    SHORTCUT,
    UNSHARED,
    Run,
    cut_alike,
    measure,
    without,
)
from minirm.experiments.results import load_results
from minirm.metrics import t_interval, wilson_interval
from minirm.pairs import PreferencePair

RECORDED = Path(__file__).parents[2] / "book" / "results" / "answers-alone.json"
KEYS = ("asked", "training", "taken", "seed", "removed")


def test_the_cheapest_recorded_runs_come_out_again(data_dir):
    recorded = [dict(row) for row in load_results(RECORDED)[1]]
    for run in (
        Run(SHORTCUT),
        Run(SHORTCUT, taken=HALVED),
        Run(EVERYDAY, taken=CUT),
        Run(LEAKING, "rewardmath", UNSHARED),
        Run(LEAKING, "rewardmath", LOSS),
        Run(CONTRAST, NORMAL, ALL),
    ):
        rows = [r for r in recorded if all(r[key] == asdict(run)[key] for key in KEYS)]
        found = measure(run)
        assert [row["what"] for row in found] == [row["what"] for row in rows]
        for row, was in zip(found, rows, strict=True):
            for key in ("share", "low", "high", "naive low", "naive high"):
                assert row[key] == pytest.approx(was[key], abs=2e-3), (row["what"], key)


def test_the_file_has_every_run_of_its_command_once():
    header, rows = load_results(RECORDED)
    assert [settings for settings, _ in header["runs"]] == [
        asdict(run) for run in answers_alone.runs()
    ]
    many = Counter(tuple(row[key] for key in (*KEYS, "what")) for row in rows)
    assert set(many.values()) == {1}


def in_both_orders(n):
    draw = random.Random(0)
    lines = [
        " ".join(f"w{draw.randrange(300)}" for _ in range(draw.randint(4, 9))) for _ in range(2 * n)
    ]
    pairs = [PreferencePair(f"{i}? ", *lines[2 * i : 2 * i + 2]) for i in range(n)]
    return pairs, [PreferencePair(f"Not {p.prompt}", p.rejected, p.chosen) for p in pairs]


def test_on_both_orders_every_judge_of_answers_is_right_half_of_the_time():
    one, other = in_both_orders(40)
    judges = [Longest(), Shortest(), OneWord(one), *(make(one) for make in LEARNT.values())]
    assert any(right(judge, one).mean() > 0.8 for judge in judges)  # it is not that they are blind
    for judge in judges:
        assert right(judge, [*one, *other]).mean() == 0.5


@pytest.fixture
def leaking(tmp_path, monkeypatch):
    """A test of 8 pairs on 4 prompts, two of which stand in the training set of 12 pairs."""

    def rows(prompts, start):
        return [
            {"prompt": f"{p}? ", "chosen": f"{p} is so.", "rejected": f"{p} is {i}."}
            for i, p in enumerate(prompts, start)
        ]

    files = {
        "rewardmath_test.jsonl": rows("abcd" * 2, 0),
        "rewardmath_train1000.jsonl": rows("ab" + "klmnopqrst", 50),
    }
    for name, content in files.items():
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in content))
    monkeypatch.setenv("MINIRM_DATA", str(tmp_path))


def by_name(run):
    return {row["what"]: row for row in measure(run)}


def test_a_leak_is_counted_and_gone_when_it_is_taken_out(leaking):
    found = by_name(Run(LEAKING, "rewardmath", ALL))
    assert (found["longest"]["pairs"], found["longest"]["units"]) == (8, 4)
    assert found["prompt is there"]["share"] == found["chosen is there"]["share"] == 0.5
    assert found["memory"]["share"] == 0.75  # half remembered, half tossed
    found = by_name(Run(LEAKING, "rewardmath", UNSHARED))
    assert found["prompt is there"]["share"] == 0
    assert found["memory"]["share"] == 0.5


def test_what_a_leak_gives_is_a_difference_pair_by_pair_over_problems(leaking):
    """Of 8 pairs on 4 problems memory has all that it shares, and tosses a coin for the rest."""
    asked = answers_alone.load_public(LEAKING).pairs
    found = by_name(Run(LEAKING, "rewardmath", LOSS))
    assert set(found) == {"one word", *LEARNT, "memory"}
    drawn = [
        Memory(answers_alone.training_pairs(Run(LEAKING, "rewardmath", AS_MANY, seed), asked))
        for seed in range(answers_alone.DRAWS)
    ]
    gains = np.mean([memory.right(asked) for memory in drawn], axis=0) - 0.5
    assert found["memory"]["share"] == pytest.approx(gains.mean())
    ends = t_interval(gains.reshape(2, 4).mean(0).tolist())  # each problem has two pairs
    assert (found["memory"]["low"], found["memory"]["high"]) == pytest.approx(ends)


def test_answers_cut_alike_are_equally_long_and_keep_their_first_words():
    pair = PreferencePair("Q? ", "No, it is not so.", "Yes, so")
    (cut,) = cut_alike([pair])
    assert (cut.prompt, cut.chosen, cut.rejected) == ("Q? ", "no , it", "yes , so")
    assert right(Longest(), [cut]).tolist() == [0.5]
    (half,) = cut_alike([pair], 0.5)
    assert (half.chosen, half.rejected) == ("no", "yes")


def test_cues_that_are_the_length_are_gone_when_answers_are_cut(tmp_path, monkeypatch):
    """The longer answer says one word more; its other words are drawn alike for both."""
    draw = random.Random(0)
    rows = []
    for i in range(60):
        one, other = (" ".join(f"w{draw.randrange(9)}" for _ in range(4)) for _ in range(2))
        rows.append({"prompt": f"{i}? ", "chosen": f"{one} thanks", "rejected": other})
    file = tmp_path / "rewardmath_test.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setenv("MINIRM_DATA", str(tmp_path))
    assert by_name(Run(LEAKING))["unigram cues"]["share"] == 1
    cut = by_name(Run(LEAKING, taken=CUT))
    assert cut["longest"]["share"] == 0.5
    assert cut["unigram cues"]["low"] < 0.5 < cut["unigram cues"]["high"]


def test_fifths_of_pairs_learn_from_the_prompt_they_are_asked_about(tmp_path, monkeypatch):
    rows = [
        {"prompt": f"{i}? ", "chosen": f"right{i}", "rejected": f"wrong{i}x{j}"}
        for i in range(20)
        for j in range(3)
    ]
    file = tmp_path / "rewardmath_test.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setenv("MINIRM_DATA", str(tmp_path))
    assert by_name(Run(LEAKING))["unigram cues"]["share"] == 0.5  # no word of theirs was met
    assert by_name(Run(LEAKING, taken=OTHER_PAIRS))["unigram cues"]["share"] > 0.9


def test_a_tie_is_no_tossed_coin_where_all_pairs_count(tmp_path, monkeypatch):
    lengths = [(2, 1), (1, 2), *[(1, 1)] * 18]
    rows = [
        {
            "prompt": f"{i % 10}? ",
            "chosen": "a " * one + f"c{i}",
            "rejected": "a " * other + f"d{i}",
        }
        for i, (one, other) in enumerate(lengths)
    ]
    file = tmp_path / "rewardmath_test.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setenv("MINIRM_DATA", str(tmp_path))
    found = by_name(Run(LEAKING))["longest"]
    ends = t_interval([1.0, 0.0, *[0.5] * 18])
    assert (found["naive low"], found["naive high"]) == pytest.approx(ends)


def test_a_tie_is_no_tossed_coin_where_every_pair_has_a_prompt_of_its_own(tmp_path, monkeypatch):
    """A judge silent about 18 of 20 pairs: Student's t of 1, 0 and 18 halves, and not Wilson's."""
    lengths = [(2, 1), (2, 1), *[(1, 1)] * 18]
    rows = [
        {"prompt": f"{i}? ", "chosen": "a " * one + f"c{i}", "rejected": "a " * other + f"d{i}"}
        for i, (one, other) in enumerate(lengths)
    ]
    file = tmp_path / "rewardmath_test.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setenv("MINIRM_DATA", str(tmp_path))
    found = by_name(Run(LEAKING))["longest"]
    ends = t_interval([1.0, 1.0, *[0.5] * 18])
    assert found["units"] == 20
    assert (found["low"], found["high"]) == pytest.approx(ends)
    low, high = wilson_interval(11, 20)
    assert found["high"] - found["low"] < (high - low) / 2


def test_as_many_at_random_are_as_many_and_the_seed_draws_them(leaking):
    asked = answers_alone.load_public(LEAKING).pairs
    few = answers_alone.training_pairs(Run(LEAKING, "rewardmath", UNSHARED), asked)
    draws = [
        answers_alone.training_pairs(Run(LEAKING, "rewardmath", AS_MANY, seed), asked)
        for seed in range(4)
    ]
    assert len(few) == 10
    assert {len(draw) for draw in draws} == {10}
    assert len({tuple(p.prompt for p in draw) for draw in draws}) > 1


def test_a_word_is_taken_out_of_both_answers_and_nothing_else_is():
    (pair,) = without([PreferencePair("Is it? ", "So it is, so.", "No.")], "so")
    assert (pair.prompt, pair.chosen, pair.rejected) == ("Is it? ", "it is , .", "no .")


def test_one_word_is_the_one_that_tells_most_pairs_apart():
    pairs = [PreferencePair(f"{i}? ", "yes a", "no a b") for i in range(3)]
    pairs += [PreferencePair("x? ", "yes b", "maybe")]
    judge = OneWord(pairs)
    assert (judge.word, judge.sign) == ("yes", 1)
    assert judge.score(["", ""], ["Yes!", "no"]).tolist() == [1.0, 0.0]
