"""``minirm train``: what it starts from, what it refuses before any work, and what it says."""

import json
import logging
from pathlib import Path

import pytest
import torch
from tiny import PAIRS, perturb, same, tiny, tokenizer, weights

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, Trainer, cli
from minirm.training import trackers

ROWS = [{"prompt": p.prompt, "chosen": p.chosen, "rejected": p.rejected} for p in PAIRS]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, with a base model and pairs."""
    monkeypatch.chdir(tmp_path)
    tiny().save_pretrained("base")
    tokenizer().save_pretrained("base")
    Path("pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return tmp_path


def train(reward, *more, model="base", output="out"):
    common = ["--model", model, "--data", "pairs.jsonl", "--output", output, "--epochs", "2"]
    return cli.main(["train", "--reward", reward, *common, *map(str, more)])


def contents(folder="."):
    files = (p for p in Path(folder).rglob("*") if p.is_file())
    return {str(p): p.read_bytes() for p in files}


def refused(capsys, *complaints):
    """The one line on stderr, which has all of this in it."""
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert all(part in said for part in ("minirm: ", *complaints)), said
    return True


# ------------------------------------------------------------------------- nothing is overwritten

CLASHES = {
    "the model's folder": {"output": "base"},
    "by another spelling": {"output": "./x/../base"},
    "through a link": {"output": "link"},
    "the model through a link": {"model": "link", "output": "base"},
    "a folder around the model": {"output": "."},
}


@pytest.mark.parametrize("case", CLASHES)
def test_the_output_is_never_the_folder_of_the_model(case, here, capsys):
    Path("link").symlink_to("base", target_is_directory=True)
    Path("x").mkdir()
    before = contents()
    assert train("explicit", **CLASHES[case]) == 1
    assert refused(capsys, "--model ", "would be overwritten: --output ")
    assert contents() == before


@pytest.mark.parametrize("name", ["--data", "--eval-data"])
@pytest.mark.parametrize("through", ["directly", "a link to the folder", "a link to the file"])
def test_data_in_the_output_folder_is_not_trained_on(name, through, here, capsys):
    Path("out").mkdir()
    Path("history.jsonl").write_text(Path("pairs.jsonl").read_text())
    Path("history.jsonl").rename("out/history.jsonl")
    Path("link").symlink_to("out", target_is_directory=True)
    Path("file").symlink_to("out/history.jsonl")
    given = {"a link to the folder": "link/history.jsonl", "a link to the file": "file"}
    given = given.get(through, "out/history.jsonl")
    more = ["--eval-data", f"held={given}"] if name == "--eval-data" else ["--data", given]
    before = contents()
    assert train("explicit", *more) == 1
    assert refused(capsys, f"{name} {given} would be overwritten")
    assert contents() == before


def test_an_output_that_is_a_data_file_is_refused_also_through_a_link(here, capsys):
    Path("link").symlink_to("pairs.jsonl")
    before = contents()
    for output in ("pairs.jsonl", "link"):
        assert train("explicit", output=output) == 1
        assert refused(capsys, f"--output {output} is a file")
    assert contents() == before


def test_a_folder_beside_or_below_the_model_is_a_good_one(here):
    assert train("explicit", output="base/rm") == 0
    assert train("explicit", output="base2") == 0
    assert (here / "base" / "rm" / "minirm.json").is_file()


# ------------------------------------------------------------------------- what it starts from


@pytest.mark.parametrize("reward", ["implicit", "generative"])
@pytest.mark.parametrize("start", ["ours", "somebody's classifier"])
def test_no_other_reward_is_made_of_an_explicit_one(reward, start, here, capsys):
    rm = ExplicitRM(tiny(), tokenizer())
    rm.save_pretrained("rm")
    if start != "ours":
        Path("rm/minirm.json").unlink()
    assert train(reward, model="rm") == 1
    assert refused(capsys, "rm", "explicit reward" if start == "ours" else "classifier")
    assert not Path("out").exists()


@pytest.mark.parametrize("start", ["ours", "somebody's classifier"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_explicit_reward_is_trained_on_with_its_head_in_full_precision(start, dtype, here):
    rm = perturb(ExplicitRM(tiny(), tokenizer(), pooling="mean" if start == "ours" else "last"))
    rm.to(dtype).save_pretrained("rm")
    if start != "ours":
        Path("rm/minirm.json").unlink()
    expected = ExplicitRM.from_pretrained("rm").float()
    Trainer(expected, PAIRS, lr=1e-3, epochs=2).fit()
    assert train("explicit", "--lr", 1e-3, model="rm") == 0
    found = ExplicitRM.from_pretrained("out")
    assert found.pooling == rm.pooling
    assert same(weights(found.model), weights(expected.model))


def test_a_setting_that_the_folder_has_otherwise_is_an_error(here, capsys):
    ExplicitRM(tiny(), tokenizer(), pooling="mean").save_pretrained("rm")
    assert train("explicit", "--pooling", "last", model="rm") == 1
    assert refused(capsys, "was trained with pooling 'mean', not 'last'")
    assert train("explicit", "--pooling", "mean", model="rm") == 0


@pytest.mark.needs("peft")
@pytest.mark.parametrize("kind", [ExplicitRM, ImplicitRM, GenerativeRM])
def test_an_adapter_is_trained_on(kind, here):
    own = ["--yes", "yes", "--no", "no"] if kind is GenerativeRM else []
    assert train(kind.kind, "--lora", 3, "--lr", "1e-2", *own, output="first") == 0
    expected = kind.from_pretrained("first")
    before = weights(expected)
    Trainer(expected, PAIRS, lr=1e-2, epochs=2).fit()
    assert train(kind.kind, "--lr", "1e-2", model="first", output="second") == 0
    found = kind.from_pretrained("second")
    assert same(weights(found), weights(expected))
    moved = {n for n, w in weights(found).items() if not torch.equal(w, before[n])}
    assert moved
    assert all("lora_" in name or "score" in name for name in moved)


@pytest.mark.needs("peft")
def test_what_does_not_go_with_an_adapter_is_one_line(here, capsys):
    assert train("implicit", "--lora", 3, "--beta", 0.1, output="first") == 0
    capsys.readouterr()
    assert train("implicit", "--lora", 4, model="first") == 1
    assert refused(capsys, "--model first has an adapter already: leave --lora out")
    assert train("explicit", model="first") == 1
    assert refused(capsys, "first", "implicit reward", "explicit")
    assert train("implicit", "--beta", 0.2, model="first") == 1
    assert refused(capsys, "was trained with beta 0.1, not 0.2")
    assert train("implicit", "--no-reference", model="first") == 1
    assert refused(capsys, "was trained with reference 'base', not None")
    assert not Path("out").exists()


# ------------------------------------------------------------------------- what it says


def test_each_record_is_a_line_on_stdout_as_it_comes_and_none_twice(here, capsys, monkeypatch):
    seen = []
    record = Trainer._record

    def watched(self, *arguments):
        record(self, *arguments)
        seen.append(capsys.readouterr().out)

    monkeypatch.setattr(Trainer, "_record", watched)
    assert train("implicit", "--log-every", 1, "--eval-data", "held=pairs.jsonl") == 0
    lines = [out.splitlines()[-1] for out in seen]
    assert [line.split()[:2] for line in lines] == [["step", "1"], ["step", "2"], ["step", "2"]]
    assert "".join(seen).count("step ") == 3
    assert "loss 0.6931" in seen[0]
    assert "held/accuracy" in seen[2]
    assert capsys.readouterr().out == "written: out\n"


def test_the_command_leaves_the_logger_as_it_was(here):
    logger = logging.getLogger("minirm")
    before = (logger.level, list(logger.handlers))
    assert train("explicit") == 0
    assert train("explicit", "--schedule", "cosine", output="out2") == 0
    assert (logger.level, list(logger.handlers)) == before


def test_a_tracker_that_is_not_installed_is_one_line_before_any_work(here, capsys, monkeypatch):
    monkeypatch.setattr(trackers, "get_available_trackers", list)
    assert train("explicit", "--log-with", "wandb") == 1
    assert refused(capsys, "log_with='wandb' needs a package that is not installed")
    assert not Path("out").exists()


@pytest.mark.parametrize("name", ["greedy", "reduce_lr_on_plateau", "warmup_stable_decay"])
def test_a_schedule_that_would_fail_is_not_offered(name, here, capsys):
    with pytest.raises(SystemExit) as error:
        train("explicit", "--schedule", name)
    assert error.value.code == 2
    said = capsys.readouterr().err
    assert f"invalid choice: '{name}'" in said
    assert "cosine" in said
