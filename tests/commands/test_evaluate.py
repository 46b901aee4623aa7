"""``minirm evaluate``: its numbers, its intervals, and what it opens."""

import json

import numpy as np
import pytest
import torch
from calling import ROWS, call, write_rows
from scipy import stats
from tiny import byte_tokenizer, llama3_tokenizer, qwen_tokenizer, tiny, tokenizer

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, accuracy, metrics
from minirm.metrics import clustered_interval
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
    head, *body, last = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["pairs", "accuracy"]
    assert head.split()[-3:] == ["normalised", "ECE", "Brier"]
    assert [line.split()[:2] for line in body] == [["all", "8"], ["a", "5"], ["b", "3"]]
    assert last == "8 pairs on 4 prompts: the intervals count a prompt as one unit"
    write_rows("pairs.jsonl", distinct(ROWS))
    assert call("evaluate", "rm", "--data", "pairs.jsonl") == 0
    assert "unit" not in capsys.readouterr().out


# ------------------------------------------------------------------------- intervals


def test_distinct_prompts_have_wilsons_interval():
    right = np.array([1, 1, 0, 0.5, 1])
    assert clustered_interval(right, list("abcde")) == metrics.wilson_interval(3.5, 5)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("size", [2, 5])
def test_equal_clusters_have_students_t_over_the_means_of_the_prompts(seed, size):
    draw = np.random.default_rng(seed)
    right = draw.integers(0, 3, (7, size)) / 2
    prompts = [f"prompt {g}" for g in range(7) for _ in range(size)]
    order = draw.permutation(7 * size)
    means = right.mean(1)
    low, high = stats.t.interval(0.95, 6, loc=means.mean(), scale=stats.sem(means))
    found = clustered_interval(right.flatten()[order], [prompts[i] for i in order])
    assert found == pytest.approx((max(0, low), min(1, high)))


def test_repeating_every_pair_does_not_make_the_interval_narrower():
    draw = np.random.default_rng(0)
    right = draw.integers(0, 2, 40).astype(float)
    prompts = [str(i) for i in range(40)]
    once, twice, often = (
        np.diff(clustered_interval(np.tile(right, times), prompts * times)).item()
        for times in (1, 2, 10)
    )
    assert often == pytest.approx(twice)
    assert once < twice < 1.15 * once  # Wilson's, then t


@pytest.mark.slow
def test_it_covers_the_truth_where_pairs_with_one_prompt_go_together():
    """Of 40 prompts with 1 to 9 pairs; Wilson's on pairs would cover it in three of four."""
    draw = np.random.default_rng(0)
    sizes = np.arange(40) % 9 + 1
    prompts = [str(g) for g, size in enumerate(sizes) for _ in range(size)]
    hit, naive = [], []
    for _ in range(1000):
        chance = draw.beta(1.4, 0.6, 40)  # mean .7
        right = (draw.random(len(prompts)) < np.repeat(chance, sizes)).astype(float)
        low, high = clustered_interval(right, prompts)
        hit.append(low <= 0.7 <= high)
        low, high = metrics.wilson_interval(right.sum(), len(right))
        naive.append(low <= 0.7 <= high)
    assert 0.91 <= np.mean(hit) <= 0.97
    assert np.mean(naive) < 0.85


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("groups", [1, 6])
def test_prompts_that_all_agree_are_no_certainty(value, groups):
    right, prompts = np.full(groups * 3, value), [str(g) for g in range(groups)] * 3
    assert clustered_interval(right, prompts) == metrics.wilson_interval(value * groups, groups)


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
