"""What a run says and leaves as it goes: the hook, lines, the history's file, trackers, margins."""

import json
import logging
import math

import pytest
import torch
from accelerate.tracking import GeneralTracker
from tiny import PAIRS, perturb, same, tiny, tokenizer, weights

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, PreferencePair, Trainer
from minirm.losses import bradley_terry_loss
from minirm.training import trackers
from minirm.training.loop import Loop

RUN = {"lr": 1e-3, "epochs": 2, "batch_size": 3, "log_every": 2}  # 6 steps


def make(kind=ImplicitRM, **options):
    return kind(tiny(), tokenizer(), **options)


def history_in(folder):
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


# ------------------------------------------------------------------------- the hook


def test_the_hook_is_called_at_every_evaluation_and_its_numbers_join_the_record():
    rm, calls = make(), []

    def hook(model, step):
        assert model is rm
        assert not model.training
        calls.append(step)
        return {"steps squared": torch.tensor(step**2)}

    sets = {"test": PAIRS[:2]}
    history = Trainer(rm, PAIRS, eval_sets=sets, on_evaluate=hook, eval_every=4, **RUN).fit()
    records = [r for r in history if "steps squared" in r]
    assert calls == [r["step"] for r in records] == [0, 4, 6]
    assert [r["steps squared"] for r in records] == [0, 16, 36]
    assert all("test/accuracy" in r for r in records)


def test_the_hook_needs_no_evaluation_sets_and_without_eval_every_comes_at_the_end():
    history = Trainer(make(), PAIRS, on_evaluate=lambda *_: {"x": 1}, **RUN).fit()
    assert [r for r in history if "x" in r] == [{"step": 6, "x": 1.0}]


def test_what_the_hook_leaves_behind_changes_no_step():
    def noisy(model, step):
        model.rewards(model.rows([model.encode("Q ", "yes")])).sum().backward()
        return {}

    quiet, disturbed = make(), make()
    Trainer(quiet, PAIRS, **RUN).fit()
    Trainer(disturbed, PAIRS, on_evaluate=noisy, eval_every=1, **RUN).fit()
    assert same(weights(disturbed), weights(quiet))


@pytest.mark.parametrize(
    ("returned", "error", "complaint"),
    [
        (None, TypeError, "must return a mapping from names to numbers, got NoneType"),
        ([1.0], TypeError, "got list"),
        ({"step": 3}, ValueError, "returned 'step', which the record has already"),
        ({"test/margin": 3}, ValueError, "returned 'test/margin'"),
    ],
)
def test_a_hook_that_returns_something_else_is_one_line_at_the_first_evaluation(
    returned, error, complaint
):
    options = RUN | {"eval_sets": {"test": PAIRS[:2]}, "eval_every": 1}
    rm = make()
    before = weights(rm)
    with pytest.raises(error, match=complaint):
        Trainer(rm, PAIRS, on_evaluate=lambda *_: returned, **options).fit()
    assert same(weights(rm), before)


# ------------------------------------------------------------------------- lines and the history


def test_every_record_is_a_line_of_the_logger_and_of_the_file_at_once(tmp_path, caplog):
    seen = []

    def hook(model, step):
        seen.append((len(caplog.messages), len(history_in(tmp_path))))
        return {"x": step}

    options = RUN | {"on_evaluate": hook, "eval_every": 3, "output_dir": tmp_path}
    with caplog.at_level(logging.INFO, logger="minirm"):
        history = Trainer(make(), PAIRS, **options).fit()
    assert [r["step"] for r in history] == [0, 2, 3, 4, 6, 6]
    assert seen == [(0, 0), (2, 2), (5, 5)]
    assert history_in(tmp_path) == history
    assert [m.split()[:2] for m in caplog.messages] == [["step", str(r["step"])] for r in history]
    assert f"loss {history[1]['loss']:.4g}" in caplog.messages[1]


def test_a_number_that_json_has_no_word_for_is_null_in_the_file(tmp_path):
    hook = {"never": math.nan, "far": -math.inf, "near": 0.5}
    trainer = Trainer(make(), PAIRS, on_evaluate=lambda *_: hook, output_dir=tmp_path, **RUN)
    last = trainer.fit()[-1]
    assert math.isnan(last["never"])
    assert history_in(tmp_path)[-1] == {"step": 6, "never": None, "far": None, "near": 0.5}


@pytest.mark.parametrize("stop", [1, 4, 5])
def test_a_run_that_was_stopped_leaves_its_records_and_going_on_neither_doubles_nor_loses_any(
    stop, tmp_path, monkeypatch
):
    options = RUN | {"log_every": 1, "save_every": 2}
    whole = Trainer(make(), PAIRS, output_dir=tmp_path / "whole", **options).fit()
    backward, calls = Loop.backward, []

    def counted(*arguments):
        calls.append(1)
        if len(calls) > stop:
            raise KeyboardInterrupt
        return backward(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "backward", counted)
        with pytest.raises(KeyboardInterrupt):
            Trainer(make(), PAIRS, output_dir=tmp_path, **options).fit()
    assert history_in(tmp_path) == whole[:stop]

    lines = []
    record = Trainer._record

    def watched(self, *arguments):
        if not lines:
            lines.append(len(history_in(tmp_path)))
        record(self, *arguments)

    monkeypatch.setattr(Trainer, "_record", watched)
    assert Trainer(make(), PAIRS, output_dir=tmp_path, resume=True, **options).fit() == whole
    assert lines == [stop - stop % 2]  # right after the start: the checkpoint's, no more, no less
    assert history_in(tmp_path) == whole


def test_a_new_run_into_the_folder_starts_a_new_history(tmp_path):
    Trainer(make(), PAIRS, output_dir=tmp_path, **RUN).fit()
    again = Trainer(make(), PAIRS, output_dir=tmp_path, **RUN | {"seed": 1}).fit()
    assert history_in(tmp_path) == again


def test_a_file_where_the_folder_should_be_is_refused_before_training(tmp_path):
    (tmp_path / "out").write_text("mine")
    rm = make()
    before = weights(rm)
    with pytest.raises(FileExistsError, match="out is a file, not a folder"):
        Trainer(rm, PAIRS, output_dir=tmp_path / "out", **RUN).fit()
    assert (tmp_path / "out").read_text() == "mine"
    assert same(weights(rm), before)


# ------------------------------------------------------------------------- trackers


class Recorder(GeneralTracker):
    name, requires_logging_directory, tracker = "recorder", False, None

    def __init__(self):
        super().__init__()
        self.config, self.logged, self.ended = {}, [], 0

    def start(self):
        pass

    def store_init_configuration(self, values):
        self.config = values

    def log(self, values, step=None, **_):
        self.logged.append({"step": step, **values})

    def finish(self):
        self.ended += 1


def test_a_tracker_gets_the_settings_and_every_record():
    recorder = Recorder()
    sets = {"test": PAIRS[:2]}
    history = Trainer(make(), PAIRS, eval_sets=sets, eval_every=3, log_with=recorder, **RUN).fit()
    assert recorder.logged == history
    assert (recorder.config["lr"], recorder.config["epochs"]) == (1e-3, 2)
    assert recorder.ended == 1


def test_a_tracker_is_ended_where_the_run_fails():
    recorder, rm = Recorder(), make(ExplicitRM)
    rm.model.score.weight.data[0, 0] = math.nan
    with pytest.raises(FloatingPointError):
        Trainer(rm, PAIRS, log_with=recorder, **RUN).fit()
    assert recorder.ended == 1


@pytest.mark.parametrize(
    ("name", "package"), [("wandb", "wandb"), ("comet_ml", "comet-ml"), ("tensorboard", "tensor")]
)
def test_a_tracker_whose_package_is_missing_is_one_line(name, package, monkeypatch):
    monkeypatch.setattr(trackers, "get_available_trackers", list)
    with pytest.raises(ModuleNotFoundError, match=f"log_with='{name}' .*pip install {package}"):
        Trainer(make(), PAIRS, log_with=name)


def test_a_tracker_that_writes_files_needs_a_folder(monkeypatch):
    monkeypatch.setattr(trackers, "get_available_trackers", lambda: ["tensorboard"])
    with pytest.raises(ValueError, match="'tensorboard' writes files: it needs an output_dir"):
        Trainer(make(), PAIRS, log_with="tensorboard")


# ------------------------------------------------------------------------- margins

MARGINS = (0.5, 0.0, 2.0, -1.0, 0.1, 3.0, 0.0, 1.0)
WITH_MARGIN = [
    PreferencePair(p.prompt, p.chosen, p.rejected, margin=m)
    for p, m in zip(PAIRS, MARGINS, strict=True)
]


@pytest.mark.parametrize("kind", [ExplicitRM, ImplicitRM])
@pytest.mark.parametrize("micro", [None, 3])
def test_margins_go_into_the_loss_and_the_gradient_with_their_pairs(kind, micro):
    base = tiny().double()
    options = {"beta": 1.0} if kind is ImplicitRM else {}
    rm, direct = (perturb(kind(base, tokenizer(), **options).double()) for _ in range(2))
    rewards = [
        direct.rewards(direct.rows([direct.encode(p.prompt, side(p)) for p in PAIRS]))
        for side in (lambda p: p.chosen, lambda p: p.rejected)
    ]
    margins = torch.tensor(MARGINS, dtype=torch.float64)
    loss = -torch.log(torch.sigmoid(rewards[0] - rewards[1] - margins)).mean()
    loss.backward()
    gradients = {n: w.grad for n, w in direct.named_parameters() if w.grad is not None}

    found = {}
    for name, weight in rm.named_parameters():
        if name in gradients:
            weight.register_post_accumulate_grad_hook(
                lambda w, name=name: found.update({name: w.grad.clone()})
            )
    options = {"lr": 0, "epochs": 1, "batch_size": 8, "micro_batch_size": micro}
    (record,) = Trainer(rm, WITH_MARGIN, **options).fit()
    assert record["loss"] == pytest.approx(loss.item(), abs=1e-10)
    assert record["margin"] == pytest.approx((rewards[0] - rewards[1]).mean().item(), abs=1e-10)
    torch.testing.assert_close(found, gradients, atol=1e-10, rtol=1e-7)


def test_the_loss_with_margins_is_the_librarys():
    a, b, m = torch.randn(3, 5, dtype=torch.float64)
    torch.testing.assert_close(
        bradley_terry_loss(a, b, m), -torch.log(torch.sigmoid(a - b - m)).mean()
    )


def test_margins_of_nought_change_nothing():
    plain, zero = make(), make()
    Trainer(plain, PAIRS, **RUN).fit()
    pairs = [PreferencePair(p.prompt, p.chosen, p.rejected, margin=0) for p in PAIRS]
    Trainer(zero, pairs, **RUN).fit()
    assert same(weights(zero), weights(plain))


def test_a_run_with_other_margins_does_not_go_on_from_a_checkpoint(tmp_path):
    Trainer(make(), PAIRS, output_dir=tmp_path, save_every=3, **RUN).fit()
    with pytest.raises(ValueError, match="the checkpoint was made with pairs="):
        Trainer(make(), WITH_MARGIN, output_dir=tmp_path, resume=True, **RUN).fit()


def test_a_generative_reward_has_no_margin():
    with pytest.raises(ValueError, match="cross-entropy, which has no margin"):
        Trainer(make(GenerativeRM), WITH_MARGIN, **RUN)
