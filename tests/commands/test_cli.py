"""The command line: what it writes, what it says when it cannot, and its exit status."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny import PAIRS, byte_tokenizer, same, tiny, tokenizer, weights

from minirm import (
    ExplicitRM,
    GenerativeRM,
    ImplicitRM,
    Trainer,
    accuracy,
    cli,
    load_base,
    metrics,
)
from minirm.commands import doctor

ROOT = Path(__file__).parents[2]
ROWS = [
    {"prompt": p.prompt, "chosen": p.chosen, "rejected": p.rejected, "kind": "ab"[i % 3 == 0]}
    for i, p in enumerate(PAIRS)
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, with a base model, pairs, and a trained explicit reward model."""
    monkeypatch.chdir(tmp_path)
    tiny().save_pretrained("base")
    tokenizer().save_pretrained("base")
    Path("pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    ExplicitRM(tiny(), tokenizer()).save_pretrained("rm")
    return tmp_path


def lines(name):
    return Path(name).read_text().splitlines()


def call(*arguments):
    return cli.main([str(a) for a in arguments])


TRAIN = ("train", "--model", "base", "--data", "pairs.jsonl", "--output", "out", "--epochs", "2")

# ------------------------------------------------------------------------- train


@pytest.mark.parametrize(
    ("reward", "more", "kind", "options"),
    [
        ("explicit", ["--pooling", "mean", "--seed", 3], ExplicitRM,
         {"pooling": "mean", "seed": 3}),
        ("implicit", ["--beta", 0.1], ImplicitRM, {"beta": 0.1}),
        ("implicit", ["--no-reference"], ImplicitRM, {"reference": None}),
        ("generative", ["--no", "nope"], GenerativeRM, {"no": "nope"}),
    ],
)  # fmt: skip
def test_train_writes_the_model_that_the_trainer_would(reward, more, kind, options, here, capsys):
    settings = ["--lr", "1e-3", "--batch-size", 3, "--max-grad-norm", 1, "--schedule", "cosine"]
    assert call(*TRAIN, "--reward", reward, *settings, *more) == 0
    rm = kind(tiny(), tokenizer(), **options)
    seed = options.get("seed", 0)
    Trainer(
        rm, PAIRS, epochs=2, lr=1e-3, batch_size=3, max_grad_norm=1.0, schedule="cosine", seed=seed
    ).fit()
    assert same(weights(kind.from_pretrained("out").model), weights(rm.model))
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "written: out"
    assert "accuracy" in said[-2]


@pytest.mark.needs("peft")
@pytest.mark.parametrize("precision", ["no", "bf16"])
@pytest.mark.parametrize("kind", [ExplicitRM, ImplicitRM])
def test_train_with_lora_writes_an_adapter_that_opens_from_anywhere(
    kind, precision, here, capsys, monkeypatch
):
    from peft import LoraConfig

    more = ("--reward", kind.kind, "--lora", 3, "--precision", precision, "--lr", "1e-2")
    assert call(*TRAIN, *more, "--gradient-checkpointing") == 0
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    config = LoraConfig(r=3, lora_alpha=6, target_modules="all-linear")
    rm = kind(load_base("base", dtype=dtype)[0], tokenizer(), lora=config)
    Trainer(rm, PAIRS, lr=1e-2, epochs=2, mixed_precision=precision).fit()
    monkeypatch.chdir("/")
    found = kind.from_pretrained(here / "out")
    assert same(weights(found), weights(rm))
    assert found.model.get_input_embeddings().weight.dtype == dtype
    capsys.readouterr()
    assert call("evaluate", here / "out", "--data", here / "pairs.jsonl", "--json") == 0
    assert json.loads(capsys.readouterr().out)["reward"] == kind.kind


def test_lora_without_peft_is_one_line(here, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    assert call(*TRAIN, "--reward", "explicit", "--lora", 4) == 1
    said = capsys.readouterr().err
    assert said == "minirm: --lora needs the package peft: pip install minirm[lora]\n"


def test_train_reads_the_named_part_of_a_dataset(here, monkeypatch):
    asked = []

    class datasets:
        @staticmethod
        def load_dataset(name, config, split):
            asked.append((name, config, split))
            return iter(ROWS)

    monkeypatch.setitem(sys.modules, "datasets", datasets)
    run = ("train", "--model", "base", "--data", "owner/name", "--output", "out", "--epochs", "1")
    assert call(*run, "--reward", "explicit", "--data-config", "hard", "--split", "prefs") == 0
    assert asked == [("owner/name", "hard", "prefs")]
    more = ("--reward", "explicit", "--eval-data", "held=owner/other", "--eval-every", 9)
    assert call(*run[:-3], "out2", *run[-2:], *more) == 0
    assert asked[1:] == [("owner/name", None, "train"), ("owner/other", None, "test")]


def test_train_evaluates_named_sets_on_the_way(here, capsys):
    sets = ["--eval-data", "pairs.jsonl", "again=pairs.jsonl", "--eval-every", 1]
    assert call(*TRAIN, "--reward", "explicit", *sets) == 0
    assert {"pairs/accuracy", "again/accuracy"} <= set(capsys.readouterr().out.split())
    steps = [json.loads(line)["step"] for line in lines("out/history.jsonl")]
    assert steps == [0, 1, 2, 2]


def test_train_goes_on_from_its_checkpoint_and_only_when_told(here, capsys):
    run = (*TRAIN, "--reward", "implicit", "--batch-size", 2, "--save-every", 3)
    assert call(*run) == 0
    before = Path("out/model.safetensors").read_bytes()
    capsys.readouterr()
    assert call(*run) == 1
    assert "step-00000006 is the checkpoint of an earlier run" in capsys.readouterr().err
    assert call(*run, "--resume") == 0
    assert "going on after step 6 of 8" in capsys.readouterr().out
    assert Path("out/model.safetensors").read_bytes() == before


# ------------------------------------------------------------------------- evaluate


def test_evaluate_gives_accuracy_with_its_interval_margins_and_calibration(here, capsys):
    assert call("evaluate", "rm", "--data", "pairs.jsonl", "--json", "--by", "kind") == 0
    found = json.loads(capsys.readouterr().out)
    rm = ExplicitRM.from_pretrained("rm")
    prompts, chosen, rejected = ([row[k] for row in ROWS] for k in ("prompt", "chosen", "rejected"))
    a, b = rm.score(prompts, chosen), rm.score(prompts, rejected)
    right = accuracy(a, b)
    expected = {
        "pairs": 8,
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


def test_evaluate_prints_a_table_with_a_line_a_group(here, capsys):
    assert call("evaluate", "rm", "--data", "pairs.jsonl", "--by", "kind") == 0
    head, *body = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["pairs", "accuracy"]
    assert head.split()[-3:] == ["normalised", "ECE", "Brier"]
    assert [line.split()[:2] for line in body] == [["all", "8"], ["a", "5"], ["b", "3"]]


def test_evaluate_keeps_groups_in_place_where_long_pairs_are_left_out(here, capsys):
    long = {"prompt": "Q ", "chosen": "yes " * 200, "rejected": "no", "kind": "long"}
    Path("pairs.jsonl").write_text("".join(json.dumps(r) + "\n" for r in [long, *ROWS]))
    run = ("evaluate", "rm", "--data", "pairs.jsonl", "--json", "--by", "kind")
    assert call(*run) == 1
    assert "1 of 9 pairs exceed the context of 128 tokens" in capsys.readouterr().err
    assert call(*run, "--overlong", "drop") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["overlong"], found["pairs"]) == (1, 8)
    assert {name: group["pairs"] for name, group in found["by"].items()} == {"a": 5, "b": 3}


def test_evaluate_opens_every_kind_of_reward(here, capsys):
    for kind in (ExplicitRM, ImplicitRM, GenerativeRM):
        kind(tiny(), tokenizer()).save_pretrained(kind.kind)
        assert call("evaluate", kind.kind, "--data", "pairs.jsonl", "--json") == 0
        assert json.loads(capsys.readouterr().out)["reward"] == kind.kind


@pytest.mark.parametrize("name", ["rewardbench_math_test", "ultrafeedback_test_paraphrased"])
def test_evaluate_runs_on_real_pairs(name, here, data_dir, capsys):
    words = byte_tokenizer(bos="<s>", adds_bos=True, pad="<pad>")
    ImplicitRM(
        tiny("llama", vocab=len(words), max_position_embeddings=4096), words
    ).save_pretrained("real")
    run = [
        "evaluate",
        "real",
        "--data",
        data_dir / f"{name}.jsonl",
        "--limit",
        6,
        "--batch-size",
        4,
    ]
    assert call(*run, "--separator", r"\n", "--overlong", "drop", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["accuracy"] == 0.5  # a fresh implicit reward is 0 for everything
    assert 1 <= found["pairs"] <= 6


# ------------------------------------------------------------------------- score


def scored(capsys, *arguments):
    assert call("score", *arguments) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_score_gives_every_row_its_reward_and_keeps_the_rest(here, capsys, monkeypatch):
    rows = [{"prompt": p.prompt, "response": p.chosen, "id": i} for i, p in enumerate(PAIRS)]
    text = "\n\n".join(json.dumps(row) for row in rows)
    Path("in.jsonl").write_text(text)
    rm = ExplicitRM.from_pretrained("rm")
    expected = rm.score([p.prompt for p in PAIRS], [p.chosen for p in PAIRS])
    for size in (1, 3, 100):
        found = scored(capsys, "rm", "in.jsonl", "--batch-size", size)
        assert [{k: v for k, v in row.items() if k != "reward"} for row in found] == rows
        torch.testing.assert_close(torch.tensor([r["reward"] for r in found]), expected)
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert scored(capsys, "rm") == found
    assert call("score", "rm", "in.jsonl", "--output", "out.jsonl") == 0
    assert [json.loads(line) for line in lines("out.jsonl")] == found


def test_score_names_columns_and_takes_a_separator(here, capsys):
    Path("in.jsonl").write_text(json.dumps({"q": "Q", "response": "yes"}))
    (row,) = scored(capsys, "rm", "in.jsonl", "--columns", "prompt=q", "--separator", " ")
    expected = ExplicitRM.from_pretrained("rm").score(["Q "], ["yes"]).item()
    assert row == {"q": "Q", "response": "yes", "reward": pytest.approx(expected, abs=1e-6)}


def test_score_answers_before_its_input_ends_and_a_bad_row_is_named(here):
    """In a process of its own: rows go out as they come in, and no traceback is shown."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "minirm.cli", "score", "rm", "--batch-size", "1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=environment,
    )  # fmt: skip
    for response in ("yes", "no"):
        process.stdin.write(json.dumps({"prompt": "Q ", "response": response}) + "\n")
        process.stdin.flush()
        assert "reward" in json.loads(process.stdout.readline())
    out, errors = process.communicate(json.dumps({"prompt": "Q "}) + "\n", timeout=60)
    assert (process.returncode, out) == (1, "")
    assert errors.splitlines()[-1] == "minirm: row 2 has no 'response'; it has ['prompt']"
    assert "Traceback" not in errors


# ------------------------------------------------------------------------- when it cannot

BAD_CALLS = {
    "no command": ((), "COMMAND"),
    "an unknown reward": ((*TRAIN, "--reward", "magic"), "invalid choice: 'magic'"),
    "no reward": (TRAIN, "--reward"),
    "a batch of 0": ((*TRAIN, "--reward", "explicit", "--batch-size", "0"), "at least 1"),
    "a rate of 0": ((*TRAIN, "--reward", "explicit", "--lr", "0"), "must be positive"),
    "beta of an explicit reward": (
        (*TRAIN, "--reward", "explicit", "--beta", "0.1"),
        "--beta is for --reward implicit",
    ),
    "columns that are no names": (
        ("evaluate", "rm", "--data", "pairs.jsonl", "--columns", "question"),
        "must be FIELD=COLUMN",
    ),
    "two sets of one name": (
        (*TRAIN, "--reward", "explicit", "--eval-data", "pairs.jsonl", "pairs.jsonl"),
        "two sets of --eval-data are called 'pairs'",
    ),
}

FAILED_RUNS = {
    "no such data": (("evaluate", "rm", "--data", "no.jsonl"), "no file 'no.jsonl'"),
    "no such folder": (("evaluate", "no", "--data", "pairs.jsonl"), "no folder 'no'"),
    "no such model": (
        ("train", "--reward", "explicit", "--model", "./no", *TRAIN[3:]),
        "no model './no': there is no folder",
    ),
    "a file for output": (
        (*TRAIN, "--reward", "explicit", "--output", "pairs.jsonl"),
        "--output pairs.jsonl is a file",
    ),
    "a group that is no column": (
        ("evaluate", "rm", "--data", "pairs.jsonl", "--by", "topic"),
        "no such column; there are",
    ),
    "nothing to score": (("score", "rm", "no.jsonl"), "no file 'no.jsonl'"),
}


def status_of(arguments):
    try:
        return call(*arguments)
    except SystemExit as error:  # argparse's own
        return error.code


@pytest.mark.parametrize("case", [*BAD_CALLS, *FAILED_RUNS])
def test_an_error_is_one_line_and_status_2_for_a_bad_call_and_1_for_what_is_not_there(
    case, here, capsys
):
    arguments, complaint = (BAD_CALLS | FAILED_RUNS)[case]
    assert status_of(arguments) == (2 if case in BAD_CALLS else 1)
    said = capsys.readouterr().err
    assert complaint in said
    assert "Traceback" not in said
    assert not Path("out").exists()


def test_a_failed_run_is_one_line_and_status_1(here, capsys):
    bad = [*ROWS, {"prompt": "Q ", "chosen": "A", "rejected": "A"}]
    Path("pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in bad))
    assert call(*TRAIN, "--reward", "explicit") == 1
    said = capsys.readouterr().err
    assert said.startswith("minirm: pairs.jsonl, line 9: chosen and rejected are the same")
    assert said.count("\n") == 1


def test_a_run_whose_numbers_are_not_finite_says_where_its_weights_are(here, capsys):
    broken = tiny()
    broken.get_output_embeddings().weight.data[5] = float("nan")
    broken.save_pretrained("base")
    assert call(*TRAIN, "--reward", "implicit", "--no-reference") == 1
    said = capsys.readouterr().err
    assert "the loss is nan at step 0, rows [" in said
    assert "before-step-0" in said


def test_a_traceback_is_there_for_who_asks(here, monkeypatch):
    monkeypatch.setenv("MINIRM_TRACEBACK", "1")
    with pytest.raises(FileNotFoundError):
        call("evaluate", "rm", "--data", "no.jsonl")


@pytest.mark.parametrize(
    "command", ["train", "evaluate", "score", "doctor", "experiment", "pretrain"]
)
def test_every_command_explains_itself(command, capsys):
    assert status_of([command, "--help"]) == 0
    assert len(capsys.readouterr().out) > 200


# ------------------------------------------------------------------------- doctor


def test_doctor_says_what_works(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "load_base", lambda *_: (tiny(), tokenizer()))
    assert call("doctor") == 0
    said = capsys.readouterr().out
    assert f"torch         {torch.__version__}" in said
    assert said.count("  ok    ") == len(doctor.CHECKS)


def test_doctor_fails_where_something_does_not_work(monkeypatch, capsys):
    def broken(*_):
        raise OSError("the assets are gone\nand more")

    monkeypatch.setattr(doctor, "load_base", broken)
    assert call("doctor") == 1
    out, errors = capsys.readouterr()
    assert "FAILS bundled language models: OSError: the assets are gone\n" in out
    assert "does not work here: bundled language models, train" in errors
