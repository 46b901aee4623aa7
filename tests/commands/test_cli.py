"""The command line: what it writes, what it says when it cannot, and its exit status."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from calling import ROWS, TRAIN, call, lines, status_of
from tiny import PAIRS, same, tiny, tokenizer, weights
from transformers.utils import logging

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, Trainer, load_base
from minirm.commands import doctor

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


class Empty(ValueError):
    """As some packages raise them: without a word."""


SAID = {
    "ours": (ValueError("no such column; there are a, b"), "no such column; there are a, b"),
    "nothing": (Empty(), "Empty"),
    "blank lines": (RuntimeError("\n \n"), "RuntimeError"),
    "an attribute": (AttributeError("no attribute 'norm'"), "AttributeError: no attribute 'norm'"),
    "a key": (KeyError("layers"), "KeyError: 'layers'"),
    "an assertion": (AssertionError(), "AssertionError"),
    "the end": (StopIteration(), "StopIteration"),
    "two kilobytes": (
        ValueError("Unrecognized configuration class.\nModel type should be one of " + "X, " * 700),
        "Unrecognized configuration class. (MINIRM_TRACEBACK=1 shows the rest)",
    ),
    "a heading": (
        RuntimeError("Error(s) in loading:\n\n\tsize mismatch for score\n\tand more"),
        "Error(s) in loading: size mismatch for score (MINIRM_TRACEBACK=1 shows the rest)",
    ),
    "stopped": (KeyboardInterrupt(), "stopped"),
}


@pytest.mark.parametrize("note", [None, "half of it is in x.partial"])
@pytest.mark.parametrize("case", SAID)
def test_whatever_is_raised_is_one_line_with_words(case, note, monkeypatch, capsys):
    error, said = SAID[case]
    error = type(error)(*error.args)  # a fresh one, without notes of the other case
    if note:
        error.add_note(note)

    def run(options):
        raise error

    monkeypatch.setattr(doctor, "run", run)
    assert call("doctor") == 1
    assert capsys.readouterr().err == f"minirm: {'; '.join(filter(None, [said, note]))}\n"
    monkeypatch.setenv("MINIRM_TRACEBACK", "1")
    with pytest.raises(type(error)):
        call("doctor")


def test_transformers_keeps_quiet_and_a_warning_is_one_line(monkeypatch, capsys):
    log = logging.get_logger("transformers.modeling_utils")
    heard = []

    def run(options):
        heard.append(logging.get_verbosity())
        log.warning("the new embeddings will be initialized ... mean_resizing")
        sys.stderr.write(warnings.formatwarning("half are alike", UserWarning, "f.py", 1))

    monkeypatch.setattr(doctor, "run", run)
    before = logging.get_verbosity()
    assert call("doctor") == 0
    assert capsys.readouterr().err == "minirm: warning: half are alike\n"
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "info")
    assert call("doctor") == 0
    assert heard == [logging.ERROR, before]
    assert logging.get_verbosity() == before
    assert warnings.formatwarning("x", UserWarning, "f.py", 1, "") == "f.py:1: UserWarning: x\n"


@pytest.mark.parametrize(
    "command", ["train", "evaluate", "score", "merge", "doctor", "experiment", "pretrain"]
)
def test_every_command_explains_itself(command, capsys):
    assert status_of([command, "--help"]) == 0
    assert len(capsys.readouterr().out) > 200


@pytest.mark.parametrize("module", ["minirm", "minirm.cli"])
def test_it_runs_as_a_module(module):
    run = subprocess.run(
        [sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("minirm ")
