"""``minirm evaluate``: its numbers, and what it opens."""

import json

import numpy as np
import pytest
import torch
from calling import ROWS, call, status_of, write_rows
from tiny import byte_tokenizer, llama3_tokenizer, qwen_tokenizer, tiny, tokenizer

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, accuracy, metrics
from minirm.commands import evaluate_sample
from minirm.data import preferences
from minirm.metrics import difference_interval
from minirm.pairs import TextFormat


def evaluated(capsys, *arguments):
    assert call("evaluate", *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def rewards(rm, rows=ROWS):
    prompts, chosen, rejected = ([row[k] for row in rows] for k in ("prompt", "chosen", "rejected"))
    return rm.score(prompts, chosen), rm.score(prompts, rejected)


def distinct(rows):
    """The same rows, each under a prompt of its own."""
    words = ("yes", "no", "nope", "never", "hardly", "wrong", "I", "my")
    return [
        row | {"prompt": f"{row['prompt']}{word} "} for row, word in zip(rows, words, strict=True)
    ]


def test_accuracy_has_its_interval_margins_and_calibration(here, capsys):
    rows = distinct(ROWS)
    write_rows("pairs.jsonl", rows)
    found = evaluated(capsys, "rm", "--data", "pairs.jsonl", "--by", "kind")
    a, b = rewards(ExplicitRM.from_pretrained("rm"), rows)
    right = accuracy(a, b)
    expected = {
        "pairs": 8,
        "prompts": 8,
        "accuracy": right,
        "interval": list(metrics.wilson_interval(8 * right, 8)),
        "margin": (a - b).mean().item(),
        "normalised_margin": metrics.normalised_margin(a, b),
        "calibration_error": metrics.calibration_error(a, b),
        "brier_score": metrics.brier_score(a, b),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-5)
    assert found["reward"] == "explicit"
    assert {name: group["pairs"] for name, group in found["by"].items()} == {"a": 5, "b": 3}
    shares = sum(group["pairs"] * group["accuracy"] for group in found["by"].values())
    assert shares == pytest.approx(8 * right)


def test_the_table_has_a_line_a_group_and_says_what_a_unit_is(here, capsys):
    assert call("evaluate", "rm", "--data", "pairs.jsonl", "--by", "kind") == 0
    head, *lines = capsys.readouterr().out.splitlines()
    body, last = lines[:3], lines[-1]
    assert head.split()[:2] == ["pairs", "accuracy"]
    assert head.split()[-3:] == ["normalised", "ECE", "Brier"]
    assert [line.split()[:2] for line in body] == [["all", "8"], ["a", "5"], ["b", "3"]]
    assert last == "8 pairs on 4 prompts: the intervals count a prompt as one unit"
    write_rows("pairs.jsonl", distinct(ROWS))
    assert call("evaluate", "rm", "--data", "pairs.jsonl") == 0
    assert "unit" not in capsys.readouterr().out


def test_a_prompt_of_turns_is_one_unit_and_tools_tell_prompts_apart(here, capsys):
    words = qwen_tokenizer(
        "{{ tools }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    ExplicitRM(tiny("llama", vocab=len(words), max_position_embeddings=512), words).save_pretrained(
        "chat"
    )
    tools = [[{"name": name}] for name in ("time", "time", "date")]
    prompt = [{"role": "user", "content": "Hi?"}]
    write_rows(
        "pairs.jsonl",
        [
            {"prompt": prompt, "chosen": [{"role": "assistant", "content": f"Hello {i}."}],
             "rejected": [{"role": "assistant", "content": "No."}], "tools": offered}
            for i, offered in enumerate(tools)
        ],
    )  # fmt: skip
    found = evaluated(capsys, "chat", "--data", "pairs.jsonl")
    assert (found["pairs"], found["prompts"]) == (3, 2)


# ------------------------------------------------------------------------- what is left out


def test_groups_stay_in_place_where_pairs_are_left_out(here, capsys):
    long = {"prompt": "Q ", "chosen": "yes " * 200, "rejected": "no", "kind": "long"}
    write_rows("pairs.jsonl", [long, *ROWS])
    run = ("evaluate", "rm", "--data", "pairs.jsonl", "--by", "kind")
    assert call(*run) == 1
    said = capsys.readouterr().err
    assert said.startswith("minirm: pairs.jsonl, line 1: prompt and response have")
    found = evaluated(capsys, *run[1:], "--overlong", "drop")
    assert (found["overlong"], found["pairs"]) == (1, 8)
    assert {name: group["pairs"] for name, group in found["by"].items()} == {"a": 5, "b": 3}


def test_pairs_that_the_model_cannot_read_are_left_out_and_counted(here, capsys):
    turns = {
        "prompt": [{"role": "user", "content": "Hi?"}],
        "chosen": [{"role": "assistant", "content": "Hello."}],
        "rejected": [{"role": "assistant", "content": "No."}],
        "kind": "turns",
    }
    write_rows("pairs.jsonl", [*ROWS[:3], turns, *ROWS[3:], turns])
    run = ("rm", "--data", "pairs.jsonl", "--by", "kind")
    assert call("evaluate", *run) == 1
    said = capsys.readouterr().err
    assert said.startswith("minirm: pairs.jsonl, line 4")
    assert "has no chat template" in said
    assert call("evaluate", *run, "--bad-rows", "drop", "--json") == 0
    out, errors = capsys.readouterr()
    found = json.loads(out)
    assert (found["pairs"], found["bad_rows"]) == (8, 2)
    assert {name: group["pairs"] for name, group in found["by"].items()} == {"a": 5, "b": 3}
    assert "left out 2 of 10 pairs that the model cannot read; the first: pairs.jsonl, line 4" in (
        errors
    )


@pytest.mark.parametrize("size", [1, 64])
@pytest.mark.parametrize("field", ["chosen", "rejected"])
def test_a_reward_that_is_nan_is_an_error_with_its_line(field, size, here, capsys):
    rm = ExplicitRM(tiny(), tokenizer())
    (token, *_) = tokenizer()("nope", add_special_tokens=False)["input_ids"]
    rm.model.get_input_embeddings().weight.data[token] = float("nan")
    rm.save_pretrained("broken")
    rows = [{"prompt": "Q ", "chosen": "yes", "rejected": word} for word in ("no", "wrong")]
    bad = {"prompt": "Q ", "chosen": "yes", "rejected": "never"} | {field: "nope"}
    write_rows("pairs.jsonl", [*rows, bad])
    run = ("evaluate", "broken", "--data", "pairs.jsonl", "--json", "--batch-size", size)
    assert call(*run) == 1
    out, errors = capsys.readouterr()
    assert out == ""
    assert errors.splitlines() == [
        f"minirm: pairs.jsonl, line 3: the reward of the {field} response is nan, so no ranking "
        "can be read from it"
    ]


# ------------------------------------------------------------------------- what it opens


@pytest.mark.parametrize("kind", [ExplicitRM, ImplicitRM, GenerativeRM])
def test_every_kind_of_reward_opens(kind, here, capsys):
    kind(tiny(), tokenizer()).save_pretrained(kind.kind)
    assert evaluated(capsys, kind.kind, "--data", "pairs.jsonl")["reward"] == kind.kind


def test_a_policy_is_measured_against_its_reference(here, capsys):
    tiny(seed=1).save_pretrained("policy")
    tokenizer().save_pretrained("policy")
    run = ("policy", "--data", "pairs.jsonl", "--reference", "base", "--beta", 2)
    found = evaluated(capsys, *run)
    rm = ImplicitRM(tiny(seed=1), tokenizer(), reference=tiny(), beta=2.0)
    a, b = rewards(rm)
    assert found["reward"] == "implicit"
    assert found["accuracy"] == accuracy(a, b)
    assert found["margin"] == pytest.approx((a - b).mean().item(), abs=1e-4)


def test_text_is_read_as_the_folder_says(here, capsys):
    rows = [{k: v.rstrip() for k, v in row.items()} for row in ROWS]
    write_rows("pairs.jsonl", rows)
    ExplicitRM(tiny(), tokenizer(), text_format=TextFormat(separator=" ")).save_pretrained("spaced")
    found = evaluated(capsys, "spaced", "--data", "pairs.jsonl")
    a, b = rewards(ExplicitRM(tiny(), tokenizer()))  # whose prompts end in the blank
    assert found["margin"] == pytest.approx((a - b).mean().item(), abs=1e-5)
    assert call("evaluate", "spaced", "--data", "pairs.jsonl", "--separator", "/") == 1
    assert "'spaced' was trained with separator=' '" in capsys.readouterr().err


def test_strings_that_run_into_each_other_are_warned_of(here, capsys):
    rows = [{k: v.rstrip() for k, v in row.items()} for row in ROWS]
    write_rows("pairs.jsonl", rows)
    assert call("evaluate", "rm", "--data", "pairs.jsonl") == 0
    assert "most prompts run straight into their responses" in capsys.readouterr().err
    words = llama3_tokenizer()
    base = tiny(vocab=len(words), max_position_embeddings=256)
    ExplicitRM(base, words, text_format=TextFormat(chat=True)).save_pretrained("chat")
    assert call("evaluate", "chat", "--data", "pairs.jsonl") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["rewardbench_math_test", "ultrafeedback_test_paraphrased"])
def test_it_runs_on_real_pairs(name, here, data_dir, capsys):
    words = byte_tokenizer(bos="<s>", adds_bos=True, pad="<pad>")
    base = tiny("llama", vocab=len(words), max_position_embeddings=4096)
    ImplicitRM(base, words, text_format=TextFormat(separator="\n")).save_pretrained("real")
    run = ("real", "--data", data_dir / f"{name}.jsonl", "--limit", 6, "--batch-size", 4)
    found = evaluated(capsys, *run, "--overlong", "drop")
    assert found["accuracy"] == 0.5  # a fresh implicit reward is 0 for everything
    assert 1 <= found["pairs"] <= 6
    assert not torch.tensor(found["margin"]).any()


# --------------------------------------------------------------- baselines, benchmarks, two models


def test_baselines_stand_beside_and_mark_what_they_reach(here, capsys):
    rows = [{"prompt": f"{i} ", "chosen": "yes yes yes", "rejected": "no"} for i in range(6)]
    write_rows("pairs.jsonl", rows)
    write_rows("train.jsonl", [{"prompt": "Q ", "chosen": "yes", "rejected": "no"}])
    found = evaluated(capsys, "rm", "--data", "pairs.jsonl", "--train", "train.jsonl")
    ones = {"longest": 1, "shortest": 0, "unigram cues": 1, "TF-IDF": 1}
    assert found["baselines"] == ones
    assert call("evaluate", "rm", "--data", "pairs.jsonl", "--by", "prompt") == 0
    head, first, *_, last = capsys.readouterr().out.splitlines()
    assert {"longest", "shortest"} <= set(head.split())
    assert first.split()[2].endswith("*")
    assert last == "* one of the baselines beside it reaches as much"


def test_a_ceiling_that_is_given_stands_in_the_table_as_given(here, capsys):
    right = evaluated(capsys, "rm", "--data", "pairs.jsonl")
    assert "ceiling" not in right
    run = ("evaluate", "rm", "--data", "pairs.jsonl", "--by", "kind", "--ceiling")
    assert evaluated(capsys, *run[1:], 0.94)["ceiling"] == 0.94
    assert call(*run, 0.94) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("ceiling (given)")]
    assert line.split()[2:] == ["0.9400"]
    end = head.index("accuracy") + len("accuracy")
    assert line[:end].endswith("0.9400")  # under the accuracies
    assert call("evaluate", "rm", "rm", "--data", "pairs.jsonl", "--ceiling", 0.94) == 0
    assert capsys.readouterr().out.count("ceiling (given)") == 1
    for wrong in ("0.5", "94", "most"):
        assert status_of([*run, wrong]) == 2
        assert "--ceiling" in capsys.readouterr().err


def test_more_than_the_labels_allow_is_said(here, capsys):
    rows = [{"prompt": f"{i} ", "chosen": "yes", "rejected": "no"} for i in range(6)]
    a, b = rewards(ExplicitRM.from_pretrained("rm"), rows[:1])
    if a < b:
        rows = [{**row, "chosen": row["rejected"], "rejected": row["chosen"]} for row in rows]
    write_rows("pairs.jsonl", rows)
    assert evaluated(capsys, "rm", "--data", "pairs.jsonl")["accuracy"] > 0.6
    assert call("evaluate", "rm", "--data", "pairs.jsonl", "--ceiling", 0.6) == 0
    assert "the accuracy lies above the ceiling given" in capsys.readouterr().out
    assert call("evaluate", "rm", "--data", "pairs.jsonl", "--ceiling", 1) == 0
    assert "lies above" not in capsys.readouterr().out


BEST_OF_4 = [
    {"prompt": f"Q{i} ", "chosen": ["yes"], "rejected": ["no", "nope", "never"], "num_correct": 1,
     "subset": subset, "id": str(i)}
    for i, subset in enumerate(("Math", "Math", "Focus", "Focus"))
]  # fmt: skip


def test_a_benchmark_has_its_own_figures_also_beside_a_left_out_pair(here, capsys):
    long = {**BEST_OF_4[0], "rejected": ["no", "nope", "never " * 200]}
    write_rows("pairs.jsonl", [*BEST_OF_4, long])
    found = evaluated(capsys, "rm", "--data", "pairs.jsonl", "--overlong", "drop")
    own = found["benchmark"]
    assert (own["name"], own["items"], own["left_out"]) == ("RewardBench 2", 4, 1)
    rm = ExplicitRM.from_pretrained("rm")
    values = []
    for row in BEST_OF_4:
        a, *b = rm.score([row["prompt"]] * 4, [*row["chosen"], *row["rejected"]]).tolist()
        values.append(float(a > max(b)))
    figures = {name: figure["value"] for name, figure in own["figures"].items()}
    math, focus = np.mean(values[:2]), np.mean(values[2:])
    assert figures == pytest.approx({"score": (math + focus) / 2, "Math": math, "Focus": focus})
    # All answers are one word but "never" ... : the longest is shared by all four.
    assert own["figures"]["score"]["baselines"]["longest"] == 0.25
    assert call("evaluate", "rm", "--data", "pairs.jsonl", "--overlong", "drop") == 0
    out, errors = capsys.readouterr()
    assert "read as RewardBench 2" in errors
    assert "items left out of RewardBench 2's figures, for want of a pair: 1" in out


def test_a_file_with_some_of_a_benchmarks_names_can_be_read_as_plain(here, capsys):
    write_rows("pairs.jsonl", [
        row | {"subset": name}
        for row, name in zip(ROWS, ["math-prm", "my own"] * 4, strict=True)
    ])  # fmt: skip
    assert call("evaluate", "rm", "--data", "pairs.jsonl") == 1
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert "--format plain" in line
    found = evaluated(capsys, "rm", "--data", "pairs.jsonl", "--format", "plain", "--by", "subset")
    assert (found["format"], found["pairs"]) == ("strings", 8)
    assert "benchmark" not in found
    assert {name: part["pairs"] for name, part in found["by"].items()} == {
        "math-prm": 4,
        "my own": 4,
    }
    own = ("--format", "rewardbench", "--bad-rows", "drop")
    found = evaluated(capsys, "rm", "--data", "pairs.jsonl", *own)
    assert (found["format"], found["pairs"], found["bad_rows"]) == ("RewardBench", 4, 4)
    assert call("inspect", "pairs.jsonl", "--format", "plain") == 0
    assert capsys.readouterr().out.startswith("pairs.jsonl: 8 rows, read as strings")
    args = ("inspect", "rm", "--data", "pairs.jsonl", "--format", "plain")
    assert call(*args) == 0
    assert "(read as strings)" in capsys.readouterr().out


def test_rm_bench_prints_its_matrix(here, capsys):
    sides = {"chosen": ["yes", "yes I must", "my view"], "rejected": ["no", "no I must", "never"]}
    write_rows("pairs.jsonl", [{"prompt": f"{i} ", "domain": "chat", **sides} for i in range(2)])
    ImplicitRM(tiny(), tokenizer()).save_pretrained("fresh")  # all rewards are 0
    own = evaluated(capsys, "fresh", "--data", "pairs.jsonl")["benchmark"]
    assert own["matrix"] == [[0.0] * 3] * 3
    assert own["ties"] == 18
    assert call("evaluate", "fresh", "--data", "pairs.jsonl") == 0
    out = capsys.readouterr().out
    assert "chosen below, rejected right  concise  detailed  markdown" in out
    assert "18 comparisons are ties, which RM-Bench counts as wrong" in out


def test_two_models_are_compared_pair_by_pair(here, capsys):
    rows = distinct(ROWS)
    write_rows("pairs.jsonl", rows)
    ExplicitRM(tiny(seed=3), tokenizer()).save_pretrained("other")
    found = evaluated(capsys, "rm", "other", "--data", "pairs.jsonl", "--by", "kind")
    right = []
    for name in ("rm", "other"):
        a, b = rewards(ExplicitRM.from_pretrained(name), rows)
        right.append(((a > b) + 0.5 * (a == b)).numpy())
    gap = right[0] - right[1]
    assert [m["accuracy"] for m in found["models"]] == [r.mean() for r in right]
    own = found["comparison"]
    assert own["accuracy"] == pytest.approx(gap.mean())
    assert own["interval"] == pytest.approx(difference_interval(gap, range(8)))
    assert (own["wins"], own["losses"]) == ((gap > 0).sum(), (gap < 0).sum())
    assert own["wins"] + own["ties"] + own["losses"] == 8
    assert {name: part["pairs"] for name, part in own["by"].items()} == {"a": 5, "b": 3}
    swapped = evaluated(capsys, "other", "rm", "--data", "pairs.jsonl")["comparison"]
    assert swapped["accuracy"] == -own["accuracy"]
    assert (swapped["wins"], swapped["losses"]) == (own["losses"], own["wins"])
    assert call("evaluate", "rm", "other", "--data", "pairs.jsonl") == 0
    assert "rm - other" in capsys.readouterr().out


def test_a_model_and_itself_differ_by_nothing_but_are_not_known_to_be_equal(here, capsys):
    write_rows("pairs.jsonl", BEST_OF_4)
    own = evaluated(capsys, "rm", "rm", "--data", "pairs.jsonl")["comparison"]
    assert (own["accuracy"], own["wins"], own["losses"]) == (0, 0, 0)
    low, high = own["interval"]
    assert low == -high < 0
    assert {figure["value"] for figure in own["benchmark"].values()} == {0}


def test_a_reference_is_for_the_model_that_has_no_reward_of_its_own(here, capsys):
    tiny(seed=1).save_pretrained("policy")
    tokenizer().save_pretrained("policy")
    run = ("rm", "policy", "--data", "pairs.jsonl", "--reference", "base")
    assert [m["reward"] for m in evaluated(capsys, *run)["models"]] == ["explicit", "implicit"]
    assert call("evaluate", "rm", "rm", "rm", "--data", "pairs.jsonl") == 2
    assert "or two are compared; got 3" in capsys.readouterr().err


def test_versions_of_one_item_are_one_unit(here, capsys):
    rows = [{"prompt": f"Q{i} ", "chosen": f"yes {i}", "rejected": f"no {i}", "original": i // 2}
            for i in range(8)]  # fmt: skip
    write_rows("pairs.jsonl", rows)
    found = evaluated(capsys, "rm", "--data", "pairs.jsonl", "--item", "original")
    assert (found["pairs"], found["prompts"], found["units"]) == (8, 8, 4)
    assert call("evaluate", "rm", "--data", "pairs.jsonl", "--item", "original") == 0
    assert "of 4 items: the intervals count an item" in capsys.readouterr().out
    write_rows("pairs.jsonl", [row | {"orig_index": row["original"]} for row in rows])
    assert evaluated(capsys, "rm", "--data", "pairs.jsonl")["units"] == 4
    assert call("evaluate", "rm", "--data", "pairs.jsonl", "--item", "nope") == 1
    assert "--item nope: no such column; there are" in capsys.readouterr().err


# --------------------------------------------------------------- the training set beside it

NONSENSE = [
    {"prompt": f"{word} is not a question? ", "chosen": "yes", "rejected": "no"}
    for word in ("red", "blue")
]


def test_a_test_that_stands_in_its_training_set_is_warned_of(here, capsys):
    write_rows("train.jsonl", [*ROWS[:4], *NONSENSE])
    write_rows("other.jsonl", NONSENSE)
    run = ("evaluate", "rm", "--data", "pairs.jsonl", "--json")
    shares = {}
    for name in ("pairs.jsonl", "train.jsonl", "other.jsonl"):
        assert call(*run, "--train", name) == 0
        out, errors = capsys.readouterr()
        shares[name] = json.loads(out)["in_train"]
        warned = f"of its prompts stand in --train {name}, to the letter or nearly" in errors
        assert warned == (name != "other.jsonl")
    part = sum(row["prompt"] in {r["prompt"] for r in ROWS[:4]} for row in ROWS) / len(ROWS)
    assert shares == {"pairs.jsonl": 1, "train.jsonl": part, "other.jsonl": 0}
    assert call(*run) == 0
    out, errors = capsys.readouterr()
    assert "in_train" not in json.loads(out)
    assert errors == ""


def test_a_training_set_on_the_hub_has_a_split_and_a_part_of_its_own(here, capsys, monkeypatch):
    asked = []

    def rows(source, *, split, config):
        asked.append((source, split, config))
        own = ROWS if split == "test" else NONSENSE
        return iter([(f"{source}, row {i}", row) for i, row in enumerate(own, 1)])

    for module in (evaluate_sample, preferences):
        monkeypatch.setattr(module, "read_rows", rows)
    run = ("rm", "--data", "a/b", "--split", "test", "--data-config", "en")
    assert evaluated(capsys, *run, "--train", "a/b")["in_train"] == 0
    assert set(asked) == {("a/b", "test", "en"), ("a/b", "train", "en")}
    asked.clear()
    evaluated(capsys, *run, "--train", "c/d")
    assert set(asked[1:]) == {("c/d", "train", None)}
    asked.clear()
    evaluated(capsys, *run, "--train", "c/d", "--train-split", "all", "--train-config", "de")
    assert set(asked[1:]) == {("c/d", "all", "de")}


def test_a_training_set_may_have_the_usual_columns_where_the_data_has_not(here, capsys):
    renamed = [{"q": row["prompt"], "a": row["chosen"], "b": row["rejected"]} for row in ROWS]
    write_rows("renamed.jsonl", renamed)
    run = ("rm", "--data", "renamed.jsonl", "--columns", "prompt=q,chosen=a,rejected=b", "--train")
    found = evaluated(capsys, *run, "pairs.jsonl")
    assert found == evaluated(capsys, *run, "renamed.jsonl")
    assert found["in_train"] == 1


# ------------------------------------------------------------- refused before anything is scored

GOOD = {"prompt": "Q ", "chosen": "yes", "rejected": "no"}
REFUSED = {
    "columns of nothing known": ([{"text": "x"}], "no column 'chosen'; it has ['text']"),
    "a column that is missing": (
        [{"input": "Q ", "output_1": "a", "output_2": "b"}],
        "line 1: read as LLMBar: no column 'label'; it has ['input', 'output_1', 'output_2']",
    ),
    "several formats": (
        [GOOD, GOOD | {"subset": "math-prm"}],
        "mixes formats, so that no figure would be one benchmark's",
    ),
    "labels that contradict": (
        [GOOD, GOOD | {"prompt": "R "}, {"prompt": "Q ", "chosen": "no", "rejected": "yes"}],
        "line 3 prefers the answer that line 1 rejects, to the same prompt",
    ),
}  # fmt: skip


@pytest.mark.parametrize("flag", ["--item", "--by"])
@pytest.mark.parametrize("place", [0, 5])
def test_a_row_without_the_column_is_named_wherever_it_stands(flag, place, here, capsys):
    rows = [row | {"g": i} for i, row in enumerate(ROWS)]
    del rows[place]["g"]
    write_rows("pairs.jsonl", rows)
    assert call("evaluate", "no model", "--data", "pairs.jsonl", flag, "g") == 1
    assert capsys.readouterr().err == (
        f"minirm: pairs.jsonl, line {place + 1}: no column 'g' ({flag}); it has 'chosen', 'kind', "
        "'prompt', 'rejected'\n"
    )


def test_null_is_no_group_but_an_item_of_its_own(here, capsys):
    rows = [row | {"g": None if i == 5 else 1} for i, row in enumerate(distinct(ROWS))]
    write_rows("pairs.jsonl", rows)
    assert evaluated(capsys, "rm", "--data", "pairs.jsonl", "--item", "g")["units"] == 2
    assert call("evaluate", "rm", "--data", "pairs.jsonl", "--by", "g") == 1
    said = "minirm: pairs.jsonl, line 6: the column 'g' is null (--by)\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("case", REFUSED)
def test_bad_data_is_one_line_and_no_model_is_opened(case, here, capsys):
    rows, complaint = REFUSED[case]
    write_rows("pairs.jsonl", rows)
    assert call("evaluate", "there is no such model", "--data", "pairs.jsonl") == 1
    (line,) = (
        x for x in capsys.readouterr().err.splitlines() if "read as" not in x or complaint in x
    )
    assert complaint in line


def test_contradictory_pairs_are_left_out_on_demand(here, capsys):
    write_rows("pairs.jsonl", REFUSED["labels that contradict"][0])
    assert call("evaluate", "rm", "--data", "pairs.jsonl", "--bad-rows", "drop", "--json") == 0
    out, errors = capsys.readouterr()
    found = json.loads(out)
    assert (found["pairs"], found["bad_rows"]) == (1, 2)
    assert "left out 2 pairs whose labels contradict each other" in errors
