"""Training: the gradient, the order of the pairs, the numbers on the way, and when it stops."""

import copy
import json
import math
from dataclasses import replace

import pytest
import torch
from tiny import CONTEXT, PAIRS, perturb, same, tiny, tokenizer, weights
from torch.optim.optimizer import register_optimizer_step_pre_hook

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, PreferencePair, Trainer, accuracy
from minirm.batches import pair_rows
from minirm.evaluation import evaluate
from minirm.training.loop import Loop

KINDS = (ExplicitRM, ImplicitRM, GenerativeRM)


def make(kind=ImplicitRM, base=None, **options):
    return kind(tiny() if base is None else base, tokenizer(), **options)


def fit(rm, pairs=PAIRS, **options):
    """Train ``rm`` and return it."""
    Trainer(rm, pairs, **{"lr": 1e-3, "epochs": 1, "batch_size": 8} | options).fit()
    return rm


def loop_of(rm, **options):
    trainer = Trainer(rm, PAIRS, **options)
    return Loop(rm, trainer.pairs, trainer.costs, trainer.settings)


class gradients:
    """Every gradient that an optimizer steps with inside the block: a list of lists."""

    def __enter__(self):
        self.steps = []
        self.handle = register_optimizer_step_pre_hook(self.record)
        return self.steps

    def record(self, optimizer, *_):
        self.steps.append([w.grad.clone() for g in optimizer.param_groups for w in g["params"]])

    def __exit__(self, *_):
        self.handle.remove()


def watched(rm):
    """The rows of every forward pass that training makes, as a list that fills."""
    rm.seen = []
    rm.register_forward_pre_hook(lambda _module, args: rm.seen.append(args[0]))
    return rm


# ------------------------------------------------------------------------- the gradient


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_a_step_is_that_of_the_mean_loss_over_the_batch(kind):
    rm = make(kind, tiny().double())
    direct = copy.deepcopy(rm)
    trainer = Trainer(rm, PAIRS, batch_size=8, epochs=1)
    direct(pair_rows(trainer.pairs, 0))[0].mean().backward()
    with gradients() as steps:
        trainer.fit()
    expected = [w.grad for w in direct.parameters() if w.requires_grad]
    expected = [torch.zeros_like(w) if w is None else w for w in expected]
    torch.testing.assert_close(steps, [expected], atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize(
    ("kind", "micro"), [(ImplicitRM, 4), (ImplicitRM, 1), *((kind, 3) for kind in KINDS)]
)
def test_micro_batches_of_any_size_give_the_gradient_and_weights_of_the_batch(kind, micro):
    """1 x 8 pairs, 2 x 4, 3 + 3 + 2, 8 x 1; ragged lengths throughout."""
    base = tiny().double()
    with gradients() as steps:
        whole = fit(make(kind, base), epochs=2)
        split = fit(make(kind, base), epochs=2, micro_batch_size=micro)
    torch.testing.assert_close(steps[2:], steps[:2], atol=1e-10, rtol=1e-6)
    torch.testing.assert_close(weights(split), weights(whole), atol=1e-6, rtol=1e-6)


def test_a_short_last_batch_weighs_its_pairs_like_any_other():
    """Three pairs in a batch of eight: the mean over three."""
    rm = make(base=tiny().double())
    with gradients() as steps:
        fit(copy.deepcopy(rm), PAIRS[:3], batch_size=8)
        fit(copy.deepcopy(rm), PAIRS[:3], batch_size=3)
    torch.testing.assert_close(steps[0], steps[1], atol=1e-12, rtol=1e-9)


def test_gradients_left_by_somebody_else_do_not_count():
    rm = make()
    clean = fit(copy.deepcopy(rm))
    for w in rm.parameters():
        w.grad = torch.ones_like(w)
    assert same(weights(fit(rm)), weights(clean))


def test_clipping_limits_the_norm_of_the_gradient():
    with gradients() as steps:
        fit(make(ExplicitRM), max_grad_norm=0.01)
        fit(make(ExplicitRM))
    norms = [torch.cat([g.flatten() for g in step]).norm().item() for step in steps]
    assert norms[0] == pytest.approx(0.01, rel=1e-3)
    assert norms[1] > 0.1


def test_the_cached_reference_gives_the_weights_of_the_online_one(monkeypatch):
    base = tiny().double()
    cached = fit(make(base=base), epochs=3, batch_size=3, micro_batch_size=2)
    monkeypatch.setattr(Loop, "reference", lambda self: None)
    online = fit(make(base=base), epochs=3, batch_size=3, micro_batch_size=2)
    torch.testing.assert_close(weights(cached), weights(online), atol=1e-9, rtol=0)


@pytest.mark.parametrize("micro", [1, 3, 8])
def test_cached_references_stay_with_their_pairs(micro):
    """Sorted by length to be computed, shuffled to be trained on; each pair keeps its own."""
    rm = perturb_policy(make(base=tiny().double()))
    loop = loop_of(rm, micro_batch_size=micro)
    cache = loop.reference()
    for i, pair in enumerate(loop.pairs):
        own = rm.reference_logprobs(pair_rows([pair], 0))
        torch.testing.assert_close(cache[:, i], own, atol=1e-10, rtol=0)
    order = [5, 0, 3]
    rows = loop.rows(order, cache)
    torch.testing.assert_close(rows.reference, cache[:, order].flatten())


def test_the_cache_is_made_anew_for_every_run_and_never_used_to_score():
    rm = make(beta=1.0)
    trainer = Trainer(rm, PAIRS, lr=0, epochs=1, batch_size=8)
    assert trainer.fit()[0]["margin"] == 0
    perturb(rm.reference.requires_grad_(True), 0.1).requires_grad_(False)
    (record,) = trainer.fit()
    assert record["margin"] == pytest.approx(evaluate(rm, PAIRS)["margin"], abs=1e-4)
    assert abs(record["margin"]) > 0.01


def test_a_reference_cached_in_another_batch_is_near_under_bf16():
    rm = make(beta=1.0)
    loop = loop_of(rm, micro_batch_size=3, mixed_precision="bf16")
    cache = loop.reference()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        own = [rm.reference_logprobs(loop.rows([i], None)) for i in range(len(PAIRS))]
    loop.close()
    torch.testing.assert_close(cache, torch.stack(own, dim=1), atol=0.05, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_checkpointing_activations_changes_no_gradient_and_ends_with_the_run(kind):
    base = tiny().double()
    with gradients() as steps:
        plain = fit(make(kind, base), epochs=2)
        frugal = fit(make(kind, base), epochs=2, gradient_checkpointing=True)
    torch.testing.assert_close(steps[2:], steps[:2], atol=1e-10, rtol=1e-9)
    torch.testing.assert_close(weights(frugal), weights(plain), atol=1e-9, rtol=0)
    assert not any(getattr(m, "gradient_checkpointing", False) for m in frugal.modules())


def test_checkpointing_runs_the_layers_twice():
    counts = []
    for frugal in (False, True):
        rm, calls = make(ExplicitRM), []
        assert rm.shares_prompts
        rm.model.base_model.layers[0].attention.register_forward_pre_hook(
            lambda *_, c=calls: c.append(1)
        )
        fit(rm, gradient_checkpointing=frugal)
        counts.append(len(calls))
    assert counts == [1, 2]


@pytest.mark.gpu
def test_the_reference_makes_room_on_the_device_while_the_policy_trains():
    rm, seen = make(base=tiny()), []
    rm.model.base_model.register_forward_pre_hook(
        lambda *_: seen.append((torch.is_grad_enabled(), next(rm.reference.parameters()).device))
    )
    fit(rm, epochs=2, eval_sets={"test": PAIRS}, eval_every=1)
    assert {place.type for grad, place in seen if grad} == {"cpu"}
    assert next(rm.reference.parameters()).device.type == "cuda"


def test_the_reference_runs_once_over_the_data_not_once_a_step():
    rm, calls = make(), []
    rm.reference.register_forward_hook(lambda *_: calls.append(1))
    rm.reference.base_model.register_forward_hook(lambda *_: calls.append(1))
    fit(rm, epochs=5, batch_size=4)
    assert len(calls) == 2


def test_training_without_a_reference_works():
    rm = make(reference=None)
    before = evaluate(rm, PAIRS)["margin"]
    assert evaluate(fit(rm, epochs=5), PAIRS)["margin"] > before


# ------------------------------------------------------------------------- order and repetition


def order_of(rm, n_pairs):
    """Which pair each forward pass saw, by its chosen row."""
    rows = [tuple(t for t in row if t) for s in rm.seen for row in s.input_ids.tolist()[:1]]
    return [rows[i : i + n_pairs] for i in range(0, len(rows), n_pairs)]


def test_training_sees_each_pair_once_an_epoch_in_an_order_that_changes():
    rm = fit(watched(make()), epochs=3, batch_size=3, micro_batch_size=1)
    epochs = order_of(rm, len(PAIRS))
    assert [len(set(epoch)) for epoch in epochs] == [8, 8, 8]
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    again = fit(watched(make()), epochs=3, batch_size=3, micro_batch_size=1)
    assert order_of(again, len(PAIRS)) == epochs
    other = fit(watched(make()), epochs=3, batch_size=3, micro_batch_size=1, seed=1)
    assert order_of(other, len(PAIRS)) != epochs


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_weights_bit_for_bit(kind):
    runs = []
    for noise in range(2):
        torch.manual_seed(noise)  # the global state must not matter
        runs.append(weights(fit(make(kind, tiny(seed=3)), epochs=2, batch_size=3)))
        torch.rand(noise + 1)
    assert same(*runs)
    assert not same(runs[0], weights(fit(make(kind, tiny(seed=3)), batch_size=3, epochs=2, seed=1)))


def test_a_second_trainer_on_the_same_model_goes_on_from_its_weights():
    rm = fit(make())
    margin = evaluate(rm, PAIRS)["margin"]
    assert evaluate(fit(rm), PAIRS)["margin"] > margin


# ------------------------------------------------------------------------- what moves


@pytest.mark.parametrize(
    ("architecture", "kind"),
    [("gpt_neox", k) for k in KINDS] + [("gpt2", ExplicitRM), ("gemma2", ImplicitRM)],
)
def test_every_reward_learns_its_training_pairs(architecture, kind):
    rm = make(kind, tiny(architecture), **({"beta": 0.1} if kind is ImplicitRM else {}))
    history = Trainer(rm, PAIRS, lr=1e-2, epochs=20, batch_size=8).fit()
    assert history[-1]["accuracy"] == 1
    assert history[-1]["loss"] < history[0]["loss"]
    assert evaluate(rm, PAIRS)["accuracy"] == 1


def test_the_base_is_never_changed_by_training():
    base = tiny("gpt2")
    before = weights(base)
    for kind in KINDS:
        fit(make(kind, base), epochs=2)
    assert same(weights(base), before)
    assert all(w.grad is None for w in base.parameters())


def test_copy_false_trains_the_base_and_leaves_the_reference():
    base = tiny()
    before = weights(base)
    rm = fit(make(base=base, copy=False))
    assert not same(weights(base), before)
    assert same(weights(rm.reference), before)


def test_frozen_weights_stay():
    rm = make(ExplicitRM)
    rm.model.base_model.requires_grad_(False)
    before = weights(rm)
    after = weights(fit(rm, weight_decay=0.1))
    assert {name for name in after if not torch.equal(after[name], before[name])} == {
        "model.score.weight"
    }


def test_lr_zero_moves_nothing():
    rm = make()
    before = weights(rm)
    assert same(weights(fit(rm, lr=0.0)), before)


# ------------------------------------------------------------------------- precision


def test_bf16_moves_float32_weights_at_a_learning_rate_that_bf16_weights_would_lose():
    rm = make(ExplicitRM)
    before = weights(rm.model.base_model.layers)
    fit(rm, lr=1e-6, mixed_precision="bf16")
    after = weights(rm.model.base_model.layers)
    moved = torch.cat([(after[k] != before[k]).flatten() for k in after]).float().mean()
    assert {w.dtype for w in rm.parameters()} == {torch.float32}
    assert moved > 0.9
    lost = torch.cat([(after[k].bfloat16() != before[k].bfloat16()).flatten() for k in after])
    assert lost.float().mean() < 0.1


def test_mixed_precision_runs_the_forward_pass_in_bf16_and_ends_with_the_run():
    rm, seen = make(ExplicitRM), []
    assert rm.shares_prompts  # measured now, not while the hook listens
    dense = rm.model.base_model.layers[0].mlp.dense_h_to_4h
    dense.register_forward_hook(lambda _m, _i, out: seen.append(out.dtype))
    fit(rm, mixed_precision="bf16")
    assert set(seen) == {torch.bfloat16}
    seen.clear()
    rm.score(["Q"], ["A"])
    fit(rm)
    copy.deepcopy(rm)(pair_rows(Trainer(rm, PAIRS).pairs, 0))
    assert set(seen) == {torch.float32}


def test_under_bf16_a_fresh_implicit_reward_is_still_near_zero():
    """The cached reference is rounded as the policy is; in float32 it would be 0.007 nats off."""
    rm = make(beta=1.0)
    history = Trainer(rm, PAIRS, lr=0, epochs=1, micro_batch_size=3, mixed_precision="bf16").fit()
    assert history[0]["loss"] == pytest.approx(math.log(2), abs=5e-4)
    assert abs(history[0]["margin"]) < 1e-3


def test_float64_stays_float64():
    rm = fit(make(base=tiny().double()))
    assert {w.dtype for w in rm.parameters()} == {torch.float64}


# ------------------------------------------------------------------------- the numbers on the way


def test_the_first_record_of_an_implicit_rm_is_log_2_and_one_half():
    (record,) = Trainer(make(), PAIRS, epochs=1, batch_size=8).fit()
    assert record["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert (record["accuracy"], record["margin"]) == (0.5, 0)


def test_records_are_means_over_pairs_also_with_a_short_last_batch():
    """Nothing moves, so the record of the epoch must be the truth whatever the batch size."""
    rm = perturb_policy(make(beta=1.0))
    truth = evaluate(rm, PAIRS)
    assert 0 < truth["accuracy"] < 1
    for size in (1, 3, 5, 8, 100):
        trainer = Trainer(rm, PAIRS, lr=0, epochs=1, batch_size=size, log_every=100)
        (record,) = trainer.fit()
        assert record["accuracy"] == pytest.approx(truth["accuracy"])
        assert record["margin"] == pytest.approx(truth["margin"], abs=1e-4)
        assert evaluate(rm, PAIRS, batch_size=size)["accuracy"] == truth["accuracy"]


def perturb_policy(rm):
    perturb(rm.model)
    return rm


def test_evaluation_counts_every_pair_once_also_where_responses_repeat():
    rm = perturb_policy(make())
    question = PAIRS[0].prompt
    pairs = [PreferencePair(question, c, r) for c in ("yes", "sure") for r in ("no", "nope")]
    pairs += pairs[:1] * 3
    chosen = rm.score([question] * 7, [p.chosen for p in pairs])
    rejected = rm.score([question] * 7, [p.rejected for p in pairs])
    result = evaluate(rm, pairs)
    assert result["accuracy"] == accuracy(chosen, rejected)
    assert result["margin"] == pytest.approx((chosen - rejected).mean().item(), abs=1e-6)


def test_constant_rewards_have_accuracy_one_half_in_training_and_in_evaluation():
    rm = make(ExplicitRM)
    torch.nn.init.zeros_(rm.model.score.weight)
    trainer = Trainer(rm, PAIRS, lr=0, epochs=1, eval_sets={"test": PAIRS})
    record, test = trainer.fit()
    assert record["accuracy"] == test["test/accuracy"] == 0.5


def test_history_has_a_record_every_log_every_steps_and_one_at_the_end():
    history = Trainer(make(), PAIRS, epochs=3, batch_size=3, log_every=4).fit()
    assert [(r["step"], r["epoch"]) for r in history] == [(4, 1), (8, 2), (9, 2)]
    assert all(r.keys() == {"step", "epoch", "loss", "accuracy", "margin", "lr"} for r in history)


def test_named_sets_are_evaluated_at_the_start_every_so_often_and_at_the_end():
    sets = {"same": PAIRS, "swapped": [{"prompt": "Q ", "chosen": "no", "rejected": "yes"}]}
    history = Trainer(
        make(), PAIRS, epochs=1, batch_size=2, eval_sets=sets, eval_every=3, log_every=100
    ).fit()
    records = [r for r in history if "loss" not in r]
    assert [r["step"] for r in records] == [0, 3, 4]
    assert records[0].keys() == {"step"} | {
        f"{name}/{m}" for name in sets for m in ("accuracy", "margin", "normalised_margin")
    }
    assert records[0]["same/accuracy"] == 0.5


def test_without_eval_every_named_sets_are_evaluated_at_the_end_alone():
    history = Trainer(make(), PAIRS, epochs=2, eval_sets={"a": PAIRS}).fit()
    assert [r["step"] for r in history if "a/accuracy" in r] == [2]


def test_the_schedule_and_its_warm_up_set_the_learning_rate():
    def rates(**options):
        trainer = Trainer(make(), PAIRS, lr=1.0e-4, epochs=4, batch_size=8, log_every=1, **options)
        return [1e4 * record["lr"] for record in trainer.fit()]

    assert rates() == pytest.approx([1, 1, 1, 1])
    assert rates(schedule="linear") == pytest.approx([1, 0.75, 0.5, 0.25])
    assert rates(warmup_steps=2) == pytest.approx([0, 0.5, 1, 1])


def test_a_second_fit_returns_its_own_history():
    trainer = Trainer(make(), PAIRS, epochs=1)
    assert len(trainer.fit()) == len(trainer.fit()) == 1


def test_fit_saves_a_model_that_scores_the_same_and_the_history(tmp_path):
    rm = make()
    trainer = Trainer(rm, PAIRS, epochs=1, output_dir=tmp_path / "new" / "run", lr=1e-3)
    history = trainer.fit()
    again = ImplicitRM.from_pretrained(tmp_path / "new" / "run")
    assert torch.equal(again.score(["Q"], ["A"]), rm.score(["Q"], ["A"]))
    lines = (tmp_path / "new" / "run" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == history


def test_after_training_the_model_is_in_evaluation_mode_and_holds_no_gradients():
    rm = fit(make())
    assert not rm.training
    assert all(w.grad is None for w in rm.parameters())


# ------------------------------------------------------------------------- when it stops


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_before_the_step_with_the_weights_as_before(bad):
    rm, snapshots = make(), []

    def poison(_module, _args, output):
        snapshots.append(weights(rm))
        return (output[0] * bad, output[1]) if len(snapshots) == 6 else output

    handle = rm.register_forward_hook(poison)
    trainer = Trainer(rm, PAIRS, lr=1e-3, epochs=4, batch_size=4, micro_batch_size=2)
    with pytest.raises(FloatingPointError, match=rf"the loss is {bad} at step 2, rows \["):
        trainer.fit()
    assert same(weights(rm), snapshots[4])  # as after step 2, though half of step 3 had passed
    assert not same(weights(rm), snapshots[3])
    assert all(w.grad is None for w in rm.parameters())
    handle.remove()
    assert trainer.fit()[-1]["loss"] < math.log(2)  # nothing of the failed step is left


def test_weights_that_are_nan_from_the_start_stop_at_step_0():
    rm = make(ExplicitRM)
    rm.model.score.weight.data[0, 0] = math.nan
    with pytest.raises(FloatingPointError, match=r"the loss is nan at step 0, rows \[.*lower lr"):
        fit(rm)


LONG = PreferencePair("Do you? ", "yes " * CONTEXT, "no")


def test_an_overlong_training_pair_is_an_error_that_names_the_row():
    with pytest.raises(ValueError, match=f"row 8: .* more than max_length={CONTEXT}"):
        Trainer(make(), [*PAIRS, LONG])


def test_overlong_pairs_dropped_on_request_are_counted_out_loud(capsys):
    trainer = Trainer(
        make(), [*PAIRS, LONG], overlong="drop", eval_sets={"test": [LONG, LONG, *PAIRS]}
    )
    assert (trainer.dropped, len(trainer.pairs), len(trainer.eval_sets["test"])) == (1, 8, 8)
    said = capsys.readouterr().out
    assert "train_pairs: dropped 1 of 9 pairs" in said
    assert "eval_sets['test']: dropped 2 of 10 pairs" in said


def test_a_training_set_dropped_whole_is_an_error():
    with pytest.raises(ValueError, match=f"all 2 pairs exceed max_length={CONTEXT}; the longest"):
        Trainer(make(), [LONG, LONG], overlong="drop")


def test_a_bad_row_in_a_named_set_is_an_error_that_names_the_set():
    rows = [PAIRS[0], {"prompt": "Q", "chosen": "A"}]
    with pytest.raises(ValueError, match=r"eval_sets\['test'\]: row 1: no field 'rejected'"):
        Trainer(make(), PAIRS, eval_sets={"train": PAIRS, "test": rows})
    with pytest.raises(ValueError, match=r"eval_sets\['test'\]: no preference pairs"):
        Trainer(make(), PAIRS, eval_sets={"test": []})
    with pytest.raises(TypeError, match="eval_sets must be a mapping"):
        Trainer(make(), PAIRS, eval_sets=PAIRS)


@pytest.mark.parametrize("pairs", [None, "text", PAIRS[0]])
def test_something_other_than_pairs_is_an_error(pairs):
    with pytest.raises(TypeError, match="must be a sequence of preference pairs"):
        Trainer(make(), pairs)


BAD_SETTINGS = {
    "epochs": (0, "at least 1, got 0"),
    "batch_size": (-1, "at least 1, got -1"),
    "micro_batch_size": (0, "at least 1 or None, got 0"),
    "log_every": (1.5, "at least 1, got 1.5"),
    "eval_every": (0, "at least 1 or None, got 0"),
    "lr": (-1e-4, "not negative, got -0.0001"),
    "max_grad_norm": (0, "positive or None, got 0"),
    "mixed_precision": ("fp8", "got 'fp8'"),
    "overlong": ("cut", "got 'cut'"),
    "schedule": ("sawtooth", "sawtooth"),
}


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_a_setting_that_makes_no_sense_is_an_error_before_any_work(name):
    value, complaint = BAD_SETTINGS[name]
    with pytest.raises(ValueError, match=complaint):
        Trainer(make(), PAIRS, **{name: value})


@pytest.mark.parametrize("lr", [math.nan, math.inf])
def test_a_learning_rate_that_is_no_number_is_an_error(lr):
    with pytest.raises(ValueError, match="lr must be finite"):
        Trainer(make(), PAIRS, lr=lr)


def test_a_bare_language_model_is_not_a_reward_model():
    with pytest.raises(TypeError, match=r"got GPTNeoXForCausalLM; wrap it first"):
        Trainer(tiny(), PAIRS)


def test_a_progress_bar_shows_loss_and_accuracy_when_asked_and_nothing_otherwise(capsys):
    fit(make(), progress=True)
    shown = capsys.readouterr().err
    assert "implicit" in shown
    assert "loss=0.693" in shown
    assert "accuracy=0.500" in shown
    fit(make(), progress=False)
    assert capsys.readouterr().err == ""


def test_a_row_whose_loss_is_nan_is_named_by_its_place_in_the_data(tmp_path):
    pairs = [replace(p, origin=f"pairs.jsonl, line {i + 3}") for i, p in enumerate(PAIRS)]
    rm = ExplicitRM(tiny(), tokenizer())
    rm.model.score.weight.data[0, 0] = math.nan
    with pytest.raises(FloatingPointError, match=r"these rows are pairs\.jsonl, line \d") as error:
        Trainer(rm, pairs, batch_size=2, output_dir=tmp_path).fit()
    report = json.loads((tmp_path / "before-step-0" / "failure.json").read_text())
    named = "; ".join(pairs[row].origin for row in report["rows"])
    assert f"these rows are {named}" in str(error.value)
    assert named in report["message"]
