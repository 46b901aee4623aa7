"""Adapters: only they (and an explicit head) move, and the base is its own reference."""

import copy

import pytest
import torch
from tiny import ARCHITECTURES, PAIRS, PROMPTS, RESPONSES, same, tiny, tokenizer, weights

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, Trainer, load_base
from minirm.evaluation import evaluate
from minirm.training.loop import Loop

pytestmark = pytest.mark.needs("peft")
KINDS = (ExplicitRM, ImplicitRM, GenerativeRM)


def lora(**options):
    from peft import LoraConfig

    return LoraConfig(**{"r": 4, "target_modules": "all-linear", "lora_dropout": 0.1} | options)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A base with a name: where it is saved."""
    folder = tmp_path_factory.mktemp("base")
    tiny().save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return load_base(folder)[0]


def fit(rm, **options):
    Trainer(rm, PAIRS, **{"lr": 1e-2, "epochs": 3, "batch_size": 4} | options).fit()
    return rm


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_adapter_scores_the_same_when_it_is_opened_again(kind, base, tmp_path):
    rm = fit(kind(base, tokenizer(), lora=lora()), epochs=20)
    assert evaluate(rm, PAIRS)["accuracy"] > 0.8
    scores = rm.score(PROMPTS, RESPONSES)
    assert len(set(scores.tolist())) == 4
    rm.save_pretrained(tmp_path)
    again = kind.from_pretrained(tmp_path)
    assert torch.equal(again.score(PROMPTS, RESPONSES), scores)
    assert not list(tmp_path.glob("model*.safetensors"))  # the base is not written again
    trained = {n for n, w in again.named_parameters() if w.requires_grad}
    assert trained == {n for n, w in rm.named_parameters() if w.requires_grad}
    assert not torch.equal(fit(again).score(PROMPTS, RESPONSES), scores)  # and it trains on


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_head_of_an_explicit_reward_is_trained_with_the_adapter(architecture):
    rm = ExplicitRM(
        tiny(architecture), tokenizer(), lora=lora(fan_in_fan_out=architecture == "gpt2")
    )
    before = weights(rm)
    after = weights(fit(rm))
    moved = {name for name in after if not torch.equal(after[name], before[name])}
    assert {n for n in moved if "score" in n} == {n for n in after if "score.modules_to_save" in n}
    assert all("lora_" in n or "score" in n for n in moved)


def test_the_reference_is_the_base_with_the_adapter_off(base):
    rm = ImplicitRM(base, tokenizer(), beta=1.0, lora=lora())
    assert rm.reference is None
    assert rm.has_reference
    assert rm.score(PROMPTS, RESPONSES).tolist() == [0.0] * 4
    fit(rm)
    full = ImplicitRM(
        copy.deepcopy(rm.model).merge_and_unload(), tokenizer(), beta=1.0, reference=base
    )
    torch.testing.assert_close(
        rm.score(PROMPTS, RESPONSES), full.score(PROMPTS, RESPONSES), atol=1e-4, rtol=1e-4
    )
    tokens, shares = rm.token_rewards(PROMPTS[0], RESPONSES[0])
    torch.testing.assert_close(shares.sum(), full.score(PROMPTS[:1], RESPONSES[:1])[0])
    assert len(tokens) == len(shares)


def test_the_cached_reference_of_an_adapter_is_the_online_one(monkeypatch):
    cached = fit(ImplicitRM(tiny().double(), tokenizer(), lora=lora()))
    monkeypatch.setattr(Loop, "reference", lambda self: None)
    online = fit(ImplicitRM(tiny().double(), tokenizer(), lora=lora()))
    torch.testing.assert_close(weights(cached), weights(online), atol=1e-9, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_adds_few_weights_and_the_base_handed_over_stays(kind):
    base = tiny()
    before = weights(base)
    rm = fit(kind(base, tokenizer(), lora=lora(r=1)))
    assert same(weights(base), before)
    total = sum(w.numel() for w in rm.parameters())
    trained = sum(w.numel() for w in rm.parameters() if w.requires_grad)
    assert 0 < trained < 0.1 * total
    assert total < 1.1 * sum(w.numel() for w in base.parameters())  # no second copy
    alone = kind(base, tokenizer(), lora=lora(), copy=False)
    assert alone.model.base_model.model.base_model is base.base_model


def test_without_a_reference_an_adapter_gives_beta_ln_pi(base, tmp_path):
    rm = ImplicitRM(base, tokenizer(), reference=None, lora=lora())
    plain = ImplicitRM(base, tokenizer(), reference=None)
    scores = rm.score(PROMPTS, RESPONSES)
    torch.testing.assert_close(scores, plain.score(PROMPTS, RESPONSES))
    rm.save_pretrained(tmp_path)
    again = ImplicitRM.from_pretrained(tmp_path)
    assert not again.has_reference
    assert torch.equal(again.score(PROMPTS, RESPONSES), scores)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_trained_over_a_bfloat16_base_is_float32(kind, tmp_path):
    tiny().save_pretrained(tmp_path / "base")
    tokenizer().save_pretrained(tmp_path / "base")
    half = load_base(tmp_path / "base", dtype=torch.bfloat16)[0]
    rm = kind(half, tokenizer(), lora=lora())
    before = weights(rm)
    fit(rm, mixed_precision="bf16", gradient_checkpointing=True)
    trained = {n: w for n, w in rm.named_parameters() if w.requires_grad}
    assert {w.dtype for w in trained.values()} == {torch.float32}
    frozen = {n: w.dtype for n, w in rm.named_parameters() if n not in trained}
    assert {dtype for n, dtype in frozen.items() if "score" not in n} == {torch.bfloat16}
    assert all(torch.equal(w, before[n]) != (n in trained) for n, w in weights(rm).items())
    rm.save_pretrained(tmp_path / "rm")
    again = kind.from_pretrained(tmp_path / "rm")
    assert {n: w.dtype for n, w in again.named_parameters()} == {
        n: w.dtype for n, w in rm.named_parameters()
    }
    assert torch.equal(again.score(PROMPTS, RESPONSES), rm.score(PROMPTS, RESPONSES))


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_checkpointing_changes_nothing_under_an_adapter(kind):
    runs = [
        weights(fit(kind(tiny(), tokenizer(), lora=lora()), gradient_checkpointing=on))
        for on in (False, True)
    ]
    assert same(*runs)


def test_a_fresh_adapter_depends_on_no_global_state():
    runs = []
    for noise in range(2):
        torch.manual_seed(noise)
        runs.append(weights(fit(ImplicitRM(tiny(), tokenizer(), lora=lora()))))
    assert same(*runs)


def test_a_base_without_a_name_cannot_be_left_out_of_a_saved_adapter(tmp_path):
    rm = ImplicitRM(tiny(), tokenizer(), lora=lora())
    with pytest.raises(ValueError, match="this base has no name to find it by"):
        rm.save_pretrained(tmp_path)
