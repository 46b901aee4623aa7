"""What two rewards say of the same answers, worked out by hand."""

import json

import numpy as np
import pytest

from minirm.experiments import shift_answers
from minirm.metrics import cluster_interval, difference_interval

SIDES = {  # chosen and rejected answers of each set; None was left out
    "math": [[3.0, None, 1.0, 2.0], [1.0, None, 2.0, 2.0]],
    "code": [[0.0, 5.0], [1.0, 4.0]],
    "normal": [[1.0, 1.0, 0.0, 2.0], [0.0, 0.0, 1.0, 1.0]],
    "negation": [[1.0, 0.0, 1.0, None], [0.0, 1.0, 0.0, None]],
}
UNITS = {
    "math": [0, None, 0, 1],
    "code": [2, 3],
    "normal": [4, 5, 6, 7],
    "negation": [4, 5, 6, None],
}
ROW = {"rewards": SIDES, "units": UNITS}
OTHER = {
    "rewards": SIDES | {"math": [[1.0, None, 3.0, 1.0], [3.0, None, 1.0, 2.0]]},
    "units": UNITS,
}
BOTH = ("math", "code")


def test_what_is_kept_can_be_read_back():
    rewards = {"math": np.array([[1.23456789, 2.0], [np.nan, np.nan], [-3.0, 0.5]])}
    units = {"math": ["a", "b"]}
    row = {
        "rewards": shift_answers.kept(rewards), "units": shift_answers.numbered(units, rewards),
    }  # fmt: skip
    row = json.loads(json.dumps(row))
    assert row["rewards"]["math"] == [[1.2346, None, -3.0], [2.0, None, 0.5]]
    np.testing.assert_allclose(shift_answers.margins(row, ["math"]), [1.2346 - 2, -3.5])
    assert shift_answers.units(row, ["math"]) == [0, 1]


def test_a_prompt_has_one_number_in_all_sets():
    rewards = {name: np.ones((2, 2)) for name in ("one", "two", "three")}
    units = {"one": ["p", "q"], "two": ["q", "p"], "three": ["r", "r"]}
    assert shift_answers.numbered(units, rewards) == {"one": [0, 1], "two": [1, 0], "three": [2, 2]}


def test_margins_and_right_answers_follow_the_sets():
    np.testing.assert_array_equal(shift_answers.margins(ROW, BOTH), [2, -1, 0, -1, 1])
    np.testing.assert_array_equal(shift_answers.right(ROW, BOTH), [1, 0, 0.5, 0, 1])
    assert shift_answers.units(ROW, BOTH) == [0, 0, 1, 2, 3]


def test_the_difference_of_two_rewards_is_over_the_same_pairs():
    gap = [1, -1, 0.5, 0, 0]
    found = shift_answers.compared(ROW, OTHER, BOTH)
    assert (found.won, found.tied, found.lost) == (2, 2, 1)
    assert found.value == pytest.approx(0.1)
    assert (found.low, found.high) == pytest.approx(difference_interval(gap, [0, 0, 1, 2, 3]))
    back = shift_answers.compared(OTHER, ROW, BOTH)
    assert (back.won, back.tied, back.lost, back.value) == (1, 2, 2, pytest.approx(-0.1))


def test_two_rewards_agree_where_they_prefer_the_same_answer():
    found = shift_answers.agreement(ROW, OTHER, BOTH)
    assert (found.value, found.pairs) == (pytest.approx((0 + 0 + 0.5 + 1 + 1) / 5), 5)
    alone = shift_answers.agreement(ROW, ROW, ("code",))
    assert alone.value == 1


def test_some_pairs_alone_may_be_asked_about():
    judge = shift_answers.right(OTHER, BOTH)
    wrong = shift_answers.accuracy(ROW, BOTH, judge == 0)
    assert (wrong.value, wrong.pairs) == (pytest.approx((1 + 0.5 + 0) / 3), 3)
    assert (wrong.low, wrong.high) == pytest.approx(cluster_interval([1, 0.5, 0], [0, 1, 2]))
    well = shift_answers.accuracy(ROW, BOTH, judge == 1)
    assert (well.value, well.pairs) == (pytest.approx(0.5), 2)
    whole = shift_answers.accuracy(ROW, BOTH)
    assert (whole.value, whole.pairs) == (pytest.approx(0.5), 5)
    alike = shift_answers.agreement(ROW, OTHER, BOTH, judge == 1)
    assert (alike.value, alike.pairs) == (pytest.approx((0 + 1) / 2), 2)
    with pytest.raises(ValueError, match="none of the pairs"):
        shift_answers.accuracy(ROW, BOTH, judge == 2)


def test_answers_are_about_as_long_if_they_differ_by_a_tenth_at_most():
    lengths = {"math": [[100, None, 50, 9], [90, None, 60, 9]], "code": [[10, 9], [8, 10]]}
    found = shift_answers.about_as_long({"rewards": lengths}, BOTH)
    np.testing.assert_array_equal(found, [True, False, True, False, True])


def test_a_preference_turns_where_it_is_right_or_wrong_under_both_instructions():
    """Pair 4 is right under both, 5 right and then wrong, 6 wrong and then right, 7 lacks one."""
    found = shift_answers.turns(ROW)
    assert (found.share.value, found.share.pairs) == (pytest.approx(1 / 3), 3)
    assert (found.rightly, found.wrongly) == (1, 0)
    other_way = {name: [rejected, chosen] for name, (chosen, rejected) in SIDES.items()}
    found = shift_answers.turns({"rewards": other_way, "units": UNITS})
    assert (found.share.value, found.rightly, found.wrongly) == (pytest.approx(1 / 3), 0, 1)


def test_who_reads_no_prompt_never_turns_and_has_exactly_one_half_of_both_sets():
    answers = np.random.default_rng(0).normal(size=(2, 30))
    sides = {"normal": answers.tolist(), "negation": answers[::-1].tolist()}
    row = {"rewards": sides, "units": {name: list(range(30)) for name in sides}}
    assert shift_answers.turns(row).share.value == 0
    assert shift_answers.right(row, tuple(sides)).mean() == 0.5
