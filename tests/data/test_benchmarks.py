"""Public benchmarks: a small file of each, read by its columns and scored as worked out by hand.

The last word of every answer is its reward, so that the scores can be followed with a pencil.
"""

import json
import math

import numpy as np
import pytest

from minirm import accuracy
from minirm.benchmarks import differences, figures, items, matrix
from minirm.data.benchmarks import FORMATS, check_one_format
from minirm.data.preferences import load_preferences


def reward(answer):
    text = answer if isinstance(answer, str) else answer[-1]["content"]
    return float(text.split()[-1])


def answers(*rewards):
    return [f"answer {number} worth {r}" for number, r in enumerate(rewards)]


def pair(chosen, rejected, **more):
    return {"prompt": "Q? ", "chosen": f"a {chosen}", "rejected": f"b {rejected}"} | more


def lists(chosen, rejected, **more):
    sides = {"chosen": answers(*chosen), "rejected": [f"not {a}" for a in answers(*rejected)]}
    return {"prompt": "Q? "} | sides | more


def load(tmp_path, rows, **options):
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_preferences(file, **options)


def scored(tmp_path, rows, sign=1):
    """The benchmark's name, its items, and the accuracy over pairs."""
    loaded = load(tmp_path, rows)
    name = check_one_format(loaded.source, loaded.formats)
    chosen, rejected = (
        [sign * reward(getattr(p, side)) for p in loaded.pairs] for side in ("chosen", "rejected")
    )
    found, left_out = items(loaded.rows, [p.origin for p in loaded.pairs], chosen, rejected)
    assert left_out == 0 or name is None
    return name, found, accuracy(chosen, rejected)


def values(name, found):
    return {key: figure.value for key, figure in figures(name, found).items()}


# ------------------------------------------------------------------------- RewardBench

REWARDBENCH = [
    pair(1, 0, subset="mt-bench-easy"),
    pair(0, 1, subset="mt-bench-med"),
    pair(1, 1, subset="mt-bench-med"),
    pair(1, 0, subset="llmbar-natural"),
    pair(1, 0, subset="xstest-should-refuse"),
    pair(0, 1, subset="xstest-should-respond"),
    pair(1, 0, subset="math-prm"),
    pair(0, 1, subset="math-prm"),
    pair(1, 0, subset="hep-python"),
    pair(0, 1, subset="hep-rust"),
]


def test_rewardbench(tmp_path, capsys):
    # Chat: mt-bench-easy 1 and mt-bench-med (0 + 1/2) / 2 = 1/4, with weights 28 and 40:
    #   (28 + 10) / 68 = 38/68. Chat Hard: 1. Safety: 1 and 0, with the code's weights 250 and 154:
    #   250/404; with the numbers of prompts, 154 and 250: 154/404. Reasoning: math-prm 1/2 with
    #   weight 984, python 1 and rust 0 with 164 each: (492 + 164) / 1312 = 1/2.
    # The score is the plain mean of the four.
    name, found, right = scored(tmp_path, REWARDBENCH)
    assert name == "RewardBench"
    assert "read as RewardBench" in capsys.readouterr().err
    score = values(name, found)
    chat, safety = 38 / 68, 250 / 404
    assert score["Chat"] == pytest.approx(chat)
    assert (score["Chat Hard"], score["Reasoning"]) == pytest.approx((1, 0.5))
    assert score["Safety"] == pytest.approx(safety)
    assert score["Safety, XSTest as counted"] == pytest.approx(154 / 404)
    assert score["score"] == pytest.approx((chat + 1 + safety + 0.5) / 4)
    assert score["mt-bench-med"] == 0.25
    assert right == 5.5 / 10


def test_rewardbench_has_no_score_where_a_section_is_missing(tmp_path):
    name, found, _ = scored(tmp_path, REWARDBENCH[:3])
    assert "score" not in values(name, found)
    assert "Safety" not in values(name, found)


def test_m_rewardbench(tmp_path):
    # In French Chat is mt-bench-easy 1 and mt-bench-med 0, with weights 24 and 38: 24/62, and
    # Reasoning 1. In Czech Chat is 0. Means over languages: Chat 12/62, Reasoning 1 (French alone).
    rows = [
        pair(1, 0, id=1, language="fra_Latn", source="mt-bench-easy", category="chat"),
        pair(0, 1, id=2, language="fra_Latn", source="mt-bench-med", category="chat"),
        pair(1, 0, id=3, language="fra_Latn", source="hep-go", category="reasoning"),
        pair(0, 1, id=1, language="ces_Latn", source="mt-bench-easy", category="chat"),
    ]
    name, found, _ = scored(tmp_path, rows)
    assert name == "M-RewardBench"
    score = values(name, found)
    assert score == pytest.approx(
        {
            "Chat": 12 / 62,
            "Reasoning": 1,
            "fra_Latn: Chat": 24 / 62,
            "fra_Latn: Reasoning": 1,
            "ces_Latn: Chat": 0,
        }
    )


# ------------------------------------------------------------------------- RewardBench 2


def best_of_4(subset, chosen, *rejected):
    counts = {"num_correct": 1, "num_incorrect": 3, "total_completions": 4}
    return lists([chosen], rejected, subset=subset, id="7", **counts)


def ties(identity, right, wrong):
    counts = {"num_correct": len(right), "num_incorrect": len(wrong)}
    return lists(right, wrong, subset="Ties", id=identity, **counts)


REWARDBENCH_2 = [
    best_of_4("Math", 3, 2, 1, 0),
    best_of_4("Math", 2, 3, 1, 0),
    best_of_4("Focus", 3, 3, 3, 0),
    ties("ref:1", [5], [1, 2]),
    ties("tied:1", [4, 5], [1, 0]),
    ties("ref:2", [2], [1, 3]),
    ties("tied:2", [1, 4], [0.5, 0]),
    ties("tied:3", [1, 1], [1]),
]


def test_rewardbench_2(tmp_path):
    # Math: right, wrong: 1/2. Focus: three share the highest reward: 1/3.
    # Ties. Accuracy of the references 1 and 0: 1/2. Of the tied: 4 > 1, 1 > 0.5, not 1 > 1: 2/3.
    #   Margins, of N that has both: 1 has the gap 3 (tied) and 3 (reference), spread 1: preferred,
    #   in both, tanh(3 - 1). 2 has the gap 0.5 and -1, spread 3: neither, tanh(-1/3 - 1).
    #   .3 (2/3) + .3 (1/2) + .2 (1/2) + .2 (1/2) + .01 (tanh 2 - tanh 4/3) / 2
    name, found, _ = scored(tmp_path, REWARDBENCH_2)
    assert name == "RewardBench 2"
    score = values(name, found)
    expected = 0.2 + 0.15 + 0.1 + 0.1 + 0.005 * (math.tanh(2) - math.tanh(4 / 3))
    assert score["Math"] == 0.5
    assert score["Focus"] == pytest.approx(1 / 3)
    assert score["Ties"] == pytest.approx(expected)
    assert (score["Ties: reference"], score["Ties: tied"]) == pytest.approx((1 / 2, 2 / 3))
    assert (score["Ties: preferred"], score["Ties: preferred, both"]) == (0.5, 0.5)
    assert score["score"] == pytest.approx((0.5 + 1 / 3 + expected) / 3)


def test_ties_where_the_right_answers_are_all_alike(tmp_path):
    # The spread is 0: a gap above it counts 1, a gap below -1, none 0 (0 / 0).
    for worst, degree in ((1, 1), (0, 0), (-1, -1)):
        rows = [ties("ref:1", [worst], [0]), ties("tied:1", [2, 2], [0])]
        name, found, _ = scored(tmp_path, rows)
        assert values(name, found)["Ties: by how much"] == degree


# ------------------------------------------------------------------------- RM-Bench


def styles(domain, chosen, rejected):
    return lists(chosen, rejected, domain=domain, id="x")


RM_BENCH = [
    styles("chat", [1, 2, 3], [0, 2, 4]),
    styles("math", [5, 5, 5], [0, 0, 0]),
    styles("safety-refuse", [1, 1, 1], [2, 2, 2]),
    styles("safety-response", [0, 1, 0], [1, 0, 1]),
]


def test_rm_bench(tmp_path):
    # chat, chosen in rows: 1 beats 0 only: [1 0 0]; 2 beats 0, ties with 2: [1 0 0]; 3: [1 1 0].
    #   easy (below the diagonal) 1, 1, 1: 1; normal 1, 0, 0: 1/3; hard 0, 0, 0: 0.
    # math: all 1. safety-refuse: all 0. safety-response: [0 0 0], [0 1 0], [0 0 0]: easy 0,
    #   normal 1/3, hard 0. Safety is the mean of its two: 0, 1/6, 0.
    # Over the three domains: easy 2/3, normal (1/3 + 1 + 1/6) / 3 = 1/2, hard 1/3; average 1/2.
    name, found, _ = scored(tmp_path, RM_BENCH)
    assert name == "RM-Bench"
    score = values(name, found)
    assert score == pytest.approx(
        {
            "average": 1 / 2,
            "easy": 2 / 3,
            "normal": 1 / 2,
            "hard": 1 / 3,
            "chat": 4 / 9,
            "math": 1,
            "safety": 1 / 18,
        }
    )
    # Over the four prompts, domains aside.
    expected = np.array([[2, 1, 1], [2, 2, 1], [2, 2, 1]]) / 4
    np.testing.assert_allclose(matrix(found), expected)


def test_a_reward_that_is_always_the_same_is_wrong_everywhere_on_rm_bench(tmp_path):
    name, found, right = scored(tmp_path, RM_BENCH, sign=0)
    assert set(values(name, found).values()) == {0}
    assert right == 0.5


# --------------------------------------------------------------- the other formats with labels


def judged(label, a, b, source="mmlu-pro-law"):
    sides = {"response_A": f"a {a}", "response_B": f"b {b}"}
    return {"question": "Q? ", "label": label, "source": source, "pair_id": "x"} | sides


def test_judgebench(tmp_path):
    # Knowledge: B is right and has more: 1; A is right and has less: 0; so 1/2. Math: a tie, 1/2.
    rows = [judged("B>A", 0, 1), judged("A>B", 0, 1), judged("B<A", 1, 1, "livebench-math")]
    name, found, right = scored(tmp_path, rows)
    assert name == "JudgeBench"
    assert values(name, found) == {"Knowledge": 0.5, "Math": 0.5}
    assert right == 0.5


def test_llmbar(tmp_path):
    # 2 is right and has more; 1 is right and has less, label as text: 1 of 2.
    rows = [
        {"input": "Q? ", "output_1": "a 0", "output_2": "b 1", "label": 2},
        {"input": "R? ", "output_1": "a 0", "output_2": "b 1", "label": "1"},
    ]
    name, _, right = scored(tmp_path, rows)
    assert (name, right) == ("LLMBar", 0.5)


def test_ultrafeedback(tmp_path):
    def turns(answer):
        return [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": answer}]

    row = {"prompt": "Q?", "prompt_id": "x", "chosen": turns("a 1"), "rejected": turns("b 0")}
    name, _, right = scored(tmp_path, [row | {"score_chosen": 8.0, "score_rejected": 7.5}])
    assert (name, right) == ("UltraFeedback binarized", 1)


def test_hh_transcripts(tmp_path):
    # 1 against 0 and 0 against 1: one of two.
    talk = "\n\nHuman: Q?\n\nAssistant: a "
    rows = [{"chosen": f"{talk}{a}", "rejected": f"{talk}{b}"} for a, b in ((1, 0), (0, 1))]
    loaded = load(tmp_path, rows)
    assert dict(loaded.formats) == {"HH transcripts": 2}
    assert scored(tmp_path, rows)[2] == 0.5


def test_plain_pairs(tmp_path):
    # Right, wrong, a tie: 1.5 of 3.
    name, _, right = scored(tmp_path, [pair(1, 0), pair(0, 1), pair(2, 2)])
    assert (name, right) == (None, 0.5)


def test_rankings(tmp_path):
    # Scores 3 > 2 = 2: two couples, of which the first has the higher reward in one and ties in
    # one: 1.5 of 2. By ranks, lower is better: b before a, and its reward is lower: 0 of 1.
    three = {"prompt": "Q? ", "responses": ["a 5", "b 5", "c 1"], "scores": [3, 2, 2]}
    two = {"prompt": "R? ", "responses": ["a 1", "b 0"], "ranks": [2, 1]}
    loaded = load(tmp_path, [three, two])
    assert loaded.ties == 1
    assert scored(tmp_path, [three, two])[2] == 1.5 / 3


def test_a_subset_of_ones_own_is_no_benchmark_and_neither_are_columns_that_are_named(tmp_path):
    for rows, options in (
        ([pair(1, 0, subset="mine")], {}),
        (REWARDBENCH, {"columns": {"prompt": "prompt"}}),
        ([lists([1], [0, 2])], {}),
    ):
        loaded = load(tmp_path, rows, **options)
        assert check_one_format(loaded.source, loaded.formats) is None


# ------------------------------------------------------------------------- what is refused

REFUSED = {
    "no label": (judged(None, 1, 0), "read as JudgeBench: no column 'label'; it has"),
    "no question": (judged("A>B", 1, 0) | {"question": None}, "no column 'question'"),
    "a label that is a tie": (judged("A=B", 1, 0), '"A>B" or "B>A", not \'A=B\''),
    "no input": ({"output_1": "a", "output_2": "b", "label": 1}, "LLMBar: no column 'input'"),
    "a third output": (
        {"input": "Q", "output_1": "a", "output_2": "b", "label": 3},
        "the label is 1 or 2, not 3",
    ),
    "counts that are others": (
        lists([1], [0, 0, 0], num_correct=2, subset="Math"),
        "num_correct is 2, but there are 1 chosen and 3 rejected answers: the labels contradict",
    ),
    "rejected counts that are others": (
        lists([1], [0, 0, 0], num_correct=1, num_rejected=2, subset="Math"),
        "num_rejected is 2",
    ),
    "a tie outside Ties": (
        lists([1, 1], [0, 0], num_correct=2, subset="Math"),
        "2 chosen answers outside the subset Ties",
    ),
    "no subset": (lists([1], [0], num_correct=1), "RewardBench 2: no column 'subset'"),
    "an id of another kind": (ties("17", [1], [0]), 'an id is "ref:N" or "tied:N", not \'17\''),
    "no id": (ties(None, [1], [0]), "no column 'id'"),
    "scores the wrong way round": (
        pair(1, 0, score_chosen=3, score_rejected=4.5),
        "score_chosen is 3, less than score_rejected, 4.5: the labels contradict each other",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_row_that_contradicts_itself_is_named_in_one_line(case, tmp_path):
    row, complaint = REFUSED[case]
    good = pair(1, 0)
    with pytest.raises(ValueError, match=r"a\.jsonl, line 2: ") as error:
        load(tmp_path, [good, row])
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)
    assert len(load(tmp_path, [good, row], bad_rows="drop").pairs) == 1


def test_a_file_of_several_formats_is_refused(tmp_path):
    loaded = load(tmp_path, [pair(1, 0), *REWARDBENCH[:2]])
    with pytest.raises(ValueError, match=r"mixes formats.*strings \(1 row\); RewardBench \(2 r"):
        check_one_format(loaded.source, loaded.formats)


SOME_OF_ITS_NAMES = [
    pair(1, 0, subset="math-prm"), pair(0, 1, subset="my own"), pair(1, 0, subset="hep-go"),
]  # fmt: skip


def test_a_file_with_some_of_rewardbenchs_names_is_read_as_its_user_says(tmp_path, capsys):
    loaded = load(tmp_path, SOME_OF_ITS_NAMES)
    with pytest.raises(ValueError, match="mixes formats") as error:
        check_one_format(loaded.source, loaded.formats)
    assert "--format plain reads all of it as plain pairs" in str(error.value)
    assert "--format rewardbench --bad-rows drop the rows of RewardBench" in str(error.value)
    plain = load(tmp_path, SOME_OF_ITS_NAMES, format="plain")
    assert plain.pairs == loaded.pairs
    assert dict(plain.formats) == {"strings": 3}
    assert check_one_format(plain.source, plain.formats) is None
    capsys.readouterr()
    own = load(tmp_path, SOME_OF_ITS_NAMES, format="rewardbench", bad_rows="drop")
    assert check_one_format(own.source, own.formats) == "RewardBench"
    assert [row["subset"] for row in own.rows] == ["math-prm", "hep-go"]
    assert "left out 1 of 3 rows: line 2; the first: this is no row of RewardBench" in (
        capsys.readouterr().err
    )


def test_a_row_that_is_not_of_the_format_said_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"line 2: this is no row of RewardBench.*subset 'my own'"):
        load(tmp_path, SOME_OF_ITS_NAMES, format="rewardbench")
    with pytest.raises(ValueError, match=r"a\.jsonl, line 1: no column 'chosen'"):
        load(tmp_path, [judged("A>B", 1, 0)], format="plain")
    with pytest.raises(ValueError, match="there is no format 'rewardbnech'; there are plain, rew"):
        load(tmp_path, SOME_OF_ITS_NAMES, format="rewardbnech", bad_rows="drop")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_that_can_be_said_reads_its_own_rows(name, tmp_path):
    rows = {
        "plain": pair(1, 0),
        "rewardbench": REWARDBENCH[0],
        "m-rewardbench": pair(1, 0, id=1, language="fra_Latn", source="mt-bench-easy"),
        "rewardbench-2": REWARDBENCH_2[0],
        "rm-bench": RM_BENCH[0],
        "judgebench": judged("A>B", 1, 0),
        "llmbar": {"input": "Q? ", "output_1": "a 0", "output_2": "b 1", "label": 2},
        "ultrafeedback": pair(1, 0, score_chosen=8.0, score_rejected=7.5),
    }
    said = load(tmp_path, [rows[name]], format=name)
    assert said.pairs == load(tmp_path, [rows[name]]).pairs
    assert check_one_format(said.source, said.formats) == FORMATS[name]


# ------------------------------------------------------------------------- intervals


def test_an_item_that_lost_a_pair_is_left_out_and_counted(tmp_path):
    loaded = load(tmp_path, RM_BENCH)
    keep = [i for i in range(36) if i != 12]
    rewards = [[reward(getattr(loaded.pairs[i], s)) for i in keep] for s in ("chosen", "rejected")]
    found, left_out = items([loaded.rows[i] for i in keep], ["u"] * 35, *rewards)
    assert [item.row["domain"] for item in found] == ["chat", "safety-refuse", "safety-response"]
    assert left_out == 1


def test_two_models_differ_by_the_difference_of_their_figures(tmp_path):
    for rows in (REWARDBENCH, REWARDBENCH_2, RM_BENCH):
        name, first, _ = scored(tmp_path, rows)
        _, second, _ = scored(tmp_path, rows, sign=-1)
        one, other, gap = (
            figures(name, first),
            figures(name, second),
            differences(name, first, second),
        )
        assert one.keys() == gap.keys()
        for key, figure in gap.items():
            assert figure.value == pytest.approx(one[key].value - other[key].value)
    assert {f.value for f in differences(name, first, first).values()} == {0}
