"""Restarting: what a checkpoint holds, what is left of a broken one, and going on bit for bit."""

import errno
import json
import math

import pytest
import torch
from tiny import PAIRS, same, tiny, tokenizer, weights

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, Trainer
from minirm.training import checkpoints, monitor
from minirm.training.loop import Loop

KINDS = (ExplicitRM, ImplicitRM, GenerativeRM)
RUN = {"lr": 1e-3, "epochs": 2, "batch_size": 3, "log_every": 2, "schedule": "linear"}  # 6 steps


def make(kind=ImplicitRM, **options):
    return kind(tiny(), tokenizer(), **options)


def stop_after(monkeypatch, step):
    """Interrupt the next run after ``step`` steps, as Ctrl-C would."""
    backward, calls = Loop.backward, []

    def counted(*arguments):
        calls.append(1)
        if len(calls) > step:
            raise KeyboardInterrupt
        return backward(*arguments)

    monkeypatch.setattr(Loop, "backward", counted)


def interrupted(rm, folder, monkeypatch, step, **options):
    with monkeypatch.context() as patch:
        stop_after(patch, step)
        with pytest.raises(KeyboardInterrupt):
            Trainer(rm, PAIRS, output_dir=folder, **RUN | options).fit()


def history_in(folder):
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def steps(folder):
    return sorted(int(path.name.removeprefix("step-")) for path in folder.glob("step-*"))


# ------------------------------------------------------------------------- files


TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(0.1, dtype=torch.float64)}


def test_what_was_saved_comes_back_bit_for_bit_as_safetensors_and_json(tmp_path):
    state = {"rate": 0.1 + 0.2, "name": "x", "nested": [1, None]}
    checkpoints.save(tmp_path, 7, TENSORS, state)
    found = checkpoints.load(tmp_path)
    assert (found.step, found.state) == (7, state)
    assert same(found.tensors, TENSORS)
    files = {p.name for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {"tensors-000.safetensors", "state.json", "manifest.json"}


def test_tensors_over_the_size_of_a_file_go_into_several(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHARD", 24)
    path = checkpoints.save(tmp_path, 1, TENSORS, {})
    assert len(list(path.glob("*.safetensors"))) == 2
    assert same(checkpoints.load(tmp_path).tensors, TENSORS)


def test_the_newest_few_are_kept(tmp_path):
    for step in (5, 10, 15, 100):
        checkpoints.save(tmp_path, step, TENSORS, {}, keep=2)
    assert steps(tmp_path) == [15, 100]


def test_a_folder_without_checkpoints_has_none(tmp_path):
    assert checkpoints.load(tmp_path / "nowhere") is None


DAMAGE = {
    "a file cut short": lambda p: _cut(p / "tensors-000.safetensors"),
    "a flipped bit": lambda p: _flip(p / "tensors-000.safetensors"),
    "an empty state": lambda p: (p / "state.json").write_text(""),
    "a manifest that is no JSON": lambda p: (p / "manifest.json").write_text("{"),
    "a missing file": lambda p: (p / "state.json").unlink(),
    "a missing manifest": lambda p: (p / "manifest.json").unlink(),
}


def _cut(file):
    file.write_bytes(file.read_bytes()[:-5])


def _flip(file):
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_skipped_with_a_message_and_the_one_before_it_used(
    damage, tmp_path, capsys
):
    checkpoints.save(tmp_path, 3, TENSORS, {"good": True})
    DAMAGE[damage](checkpoints.save(tmp_path, 6, TENSORS, {}))
    assert checkpoints.load(tmp_path).step == 3
    assert f"skipped the damaged checkpoint {tmp_path / 'step-00000006'}" in capsys.readouterr().err
    checkpoints.save(tmp_path, 6, TENSORS, {})  # and its place can be taken again
    assert checkpoints.load(tmp_path).step == 6


def full_after(monkeypatch, writes):
    """A disk on which the given number of files fit, and half of one more."""
    write, calls = checkpoints._write, []

    def limited(path, data):
        calls.append(path)
        if len(calls) > writes:
            path.write_bytes(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(checkpoints, "_write", limited)


def test_a_full_disk_is_a_clear_error_that_leaves_the_checkpoint_before_it(tmp_path, monkeypatch):
    good = checkpoints.save(tmp_path, 3, TENSORS, {}, keep=1)
    full_after(monkeypatch, 1)
    with pytest.raises(OSError, match=r"step 6 .*No space left on device; the newest .*00003"):
        checkpoints.save(tmp_path, 6, TENSORS, {}, keep=1)
    assert [p.name for p in tmp_path.iterdir()] == [good.name]
    assert checkpoints.load(tmp_path).step == 3


def test_a_full_disk_ends_the_run_and_the_run_can_go_on_once_there_is_room(tmp_path, monkeypatch):
    whole = make()
    history = Trainer(whole, PAIRS, **RUN).fit()
    with monkeypatch.context() as patch:
        full_after(patch, 4)  # the first checkpoint's three files, and one of the second
        trainer = Trainer(make(), PAIRS, output_dir=tmp_path, save_every=2, **RUN)
        with pytest.raises(OSError, match="the checkpoint of step 4 could not be written"):
            trainer.fit()
    assert steps(tmp_path / "checkpoints") == [2]
    rm = make()
    trainer = Trainer(rm, PAIRS, output_dir=tmp_path, save_every=2, resume=True, **RUN)
    assert trainer.fit() == history
    assert same(weights(rm), weights(whole))


def test_a_model_that_cannot_be_saved_is_an_error_that_leaves_history_and_checkpoints(
    tmp_path, monkeypatch
):
    def fails(self, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ImplicitRM, "save_pretrained", fails)
    trainer = Trainer(make(), PAIRS, output_dir=tmp_path, save_every=4, **RUN)
    with pytest.raises(OSError, match="No space left on device"):
        trainer.fit()
    assert [r["step"] for r in history_in(tmp_path)] == [2, 4, 6]
    assert steps(tmp_path / "checkpoints") == [4]


# ------------------------------------------------------------------------- going on


@pytest.mark.parametrize("kind", KINDS)
def test_six_steps_are_three_steps_saved_loaded_and_three_more(kind, tmp_path, monkeypatch):
    """Moments, schedule, position in the epoch, the open record: each would show in the bits."""
    options = RUN | {"max_grad_norm": 0.5, "weight_decay": 0.01, "warmup_steps": 2}
    options |= {"eval_sets": {"test": PAIRS[:3]}, "eval_every": 3}
    whole, fresh = make(kind), make(kind)
    history = Trainer(whole, PAIRS, output_dir=tmp_path / "whole", **options).fit()
    assert [r["step"] for r in history if "loss" in r] == [2, 4, 6]
    interrupted(make(kind), tmp_path / "broken", monkeypatch, 4, **options | {"save_every": 3})
    torch.manual_seed(99)  # the global state must not matter
    again = Trainer(fresh, PAIRS, output_dir=tmp_path / "broken", resume=True, **options)
    assert again.fit() == history
    assert same(weights(fresh), weights(whole))
    for name in ("model.safetensors", "history.jsonl"):
        files = [(tmp_path / run / name).read_bytes() for run in ("whole", "broken")]
        assert files[0] == files[1]


@pytest.mark.parametrize("kept", ["moments", "schedule", "window"])
def test_the_comparison_would_notice_what_is_not_restored(kept, tmp_path, monkeypatch):
    """Negative control: leave one thing out of the checkpoint, and the ends differ."""
    whole, rm, fresh = make(), make(), make()
    history = Trainer(whole, PAIRS, **RUN).fit()
    interrupted(rm, tmp_path, monkeypatch, 3, save_every=3)
    load = checkpoints.load

    def forgetful(folder):
        found = load(folder)
        gone = {"moments": "optimizer/", "window": "window", "schedule": "-"}[kept]
        tensors = {k: v for k, v in found.tensors.items() if not k.startswith(gone)}
        if kept == "schedule":
            found.state["lr"] = [RUN["lr"]]
            found.state["schedule"]["last_epoch"] = 0
        return checkpoints.Checkpoint(found.step, tensors, found.state)

    monkeypatch.setattr(checkpoints, "load", forgetful)
    resumed = Trainer(fresh, PAIRS, output_dir=tmp_path, resume=True, **RUN).fit()
    assert not (same(weights(fresh), weights(whole)) and resumed == history)


def test_a_random_state_goes_on_where_it_was(tmp_path, monkeypatch):
    """Nothing here draws numbers while it trains; a user's own module may."""

    def noisy(rm):
        rm.register_forward_pre_hook(lambda *_: rm.drawn.append(torch.rand(()).item()))
        rm.drawn = []
        return rm

    whole, rm, fresh = noisy(make()), noisy(make()), noisy(make())
    torch.manual_seed(5)
    Trainer(whole, PAIRS, **RUN).fit()
    torch.manual_seed(5)
    interrupted(rm, tmp_path, monkeypatch, 3, save_every=3)
    torch.manual_seed(6)
    Trainer(fresh, PAIRS, output_dir=tmp_path, resume=True, **RUN).fit()
    assert rm.drawn + fresh.drawn == whole.drawn


def test_only_what_is_trained_is_in_a_checkpoint(tmp_path):
    rm = make()
    rm.model.base_model.requires_grad_(False)
    Trainer(rm, PAIRS, output_dir=tmp_path, save_every=5, **RUN).fit()
    names = checkpoints.load(tmp_path / "checkpoints").tensors
    trained = {name for name in names if name.startswith("model/")}
    assert trained == {f"model/{n}" for n, w in rm.named_parameters() if w.requires_grad}


def test_to_go_on_where_there_is_no_checkpoint_is_to_start(tmp_path, capsys):
    rm, whole = make(), make()
    Trainer(whole, PAIRS, **RUN).fit()
    Trainer(rm, PAIRS, output_dir=tmp_path, resume=True, **RUN).fit()
    assert "no checkpoint in" in capsys.readouterr().out
    assert same(weights(rm), weights(whole))


CHANGES = {
    "lr": {"lr": 2e-3},
    "epochs": {"epochs": 3},
    "seed": {"seed": 1},
    "pairs": {"train_pairs": PAIRS[:4] + PAIRS[5:] + PAIRS[4:5]},
}


@pytest.mark.parametrize("name", CHANGES)
def test_going_on_with_other_settings_or_data_is_an_error(name, tmp_path):
    common = {"train_pairs": PAIRS, "output_dir": tmp_path, "save_every": 3} | RUN
    Trainer(make(), **common).fit()
    with pytest.raises(ValueError, match=rf"the checkpoint was made with {name}="):
        Trainer(make(), **common | {"resume": True} | CHANGES[name]).fit()


def test_going_on_with_another_reference_is_an_error(tmp_path):
    Trainer(make(), PAIRS, output_dir=tmp_path, save_every=3, **RUN).fit()
    other = make()
    with torch.no_grad():  # one bit of one weight of the reference
        other.reference.get_output_embeddings().weight[0, 0] *= 1 + 2**-23
    with pytest.raises(ValueError, match="made with frozen_weights="):
        Trainer(other, PAIRS, output_dir=tmp_path, resume=True, **RUN).fit()


def test_checkpoints_of_an_earlier_run_are_not_mixed_with_a_new_one(tmp_path):
    Trainer(make(), PAIRS, output_dir=tmp_path, save_every=3, **RUN).fit()
    before = weights(rm := make())
    with pytest.raises(ValueError, match=r"step-00000003 is the checkpoint of an earlier run"):
        Trainer(rm, PAIRS, output_dir=tmp_path, save_every=3, **RUN).fit()
    assert same(weights(rm), before)


@pytest.mark.parametrize("options", [{"save_every": 2}, {"resume": True}])
def test_checkpoints_need_a_place(options):
    with pytest.raises(ValueError, match="need an output_dir"):
        Trainer(make(), PAIRS, **options)


# ------------------------------------------------------------------------- not finite


def poisoned(rm, call, bad=math.nan):
    """Make the loss of the given forward pass in training not finite."""
    calls = []

    def poison(_module, _args, output):
        calls.append(weights(rm))
        return (output[0] * bad, output[1]) if len(calls) == call else output

    rm.register_forward_hook(poison)
    return calls


@pytest.mark.parametrize("watched", [True, False], ids=["at once", "when logged, as on a GPU"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_bad_loss_stops_with_the_weights_before_it_saved(watched, bad, tmp_path, monkeypatch):
    """Also where the host looks only when it logs: the device leaves later steps out."""
    monkeypatch.setattr(monitor, "looks_at_every_step", lambda *_: watched)
    rm = make()
    before = poisoned(rm, 4, bad)
    options = RUN | {"log_every": 6, "output_dir": tmp_path}
    with pytest.raises(FloatingPointError, match=rf"the loss is {bad} at step 3, rows \[") as error:
        Trainer(rm, PAIRS, **options).fit()
    assert len(before) == (4 if watched else 6)
    assert same(weights(rm), before[3])
    assert not same(weights(rm), before[2])
    folder = tmp_path / "before-step-3"
    assert str(folder) in str(error.value)
    assert same(weights(ImplicitRM.from_pretrained(folder)), weights(rm))
    report = json.loads((folder / "failure.json").read_text())
    assert report["step"] == 3
    assert len(report["rows"]) == 3


def test_only_the_rows_that_are_not_finite_are_named(tmp_path):
    rm = make(ExplicitRM)
    pairs = [*PAIRS[:5], {"prompt": "Q ", "chosen": "sure", "rejected": "no"}]
    with torch.no_grad():
        sure = tokenizer()("sure", add_special_tokens=False)["input_ids"][0]
        rm.model.get_input_embeddings().weight[sure] = math.nan
    with pytest.raises(FloatingPointError, match=r"at step 0, rows \[5\], margins \[nan\]"):
        Trainer(rm, pairs, epochs=1, batch_size=6).fit()


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_stops_too(watched, bad, monkeypatch):
    monkeypatch.setattr(monitor, "looks_at_every_step", lambda *_: watched)
    rm, calls = make(), []

    def spoil(gradient):
        calls.append(1)
        return gradient * bad if len(calls) == 2 else gradient

    rm.model.get_output_embeddings().weight.register_hook(spoil)
    before = poisoned(rm, -1)
    with pytest.raises(FloatingPointError, match=r"the gradient's norm is (nan|inf) at step 1"):
        Trainer(rm, PAIRS, **RUN).fit()
    assert same(weights(rm), before[1])


def test_leaving_steps_out_on_the_device_changes_nothing_where_all_is_well(monkeypatch):
    watched, guarded = make(), make()
    Trainer(watched, PAIRS, **RUN).fit()
    monkeypatch.setattr(monitor, "looks_at_every_step", lambda *_: False)
    Trainer(guarded, PAIRS, **RUN).fit()
    assert same(weights(guarded), weights(watched))


def test_no_checkpoint_is_written_of_a_step_that_is_not_finite(tmp_path, monkeypatch):
    monkeypatch.setattr(monitor, "looks_at_every_step", lambda *_: False)
    rm = make()
    poisoned(rm, 4)
    with pytest.raises(FloatingPointError):
        Trainer(rm, PAIRS, output_dir=tmp_path, save_every=2, **RUN | {"log_every": 6}).fit()
    assert steps(tmp_path / "checkpoints") == [2]
