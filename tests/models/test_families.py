"""What some families do their own way: no classifier's class, positions by length, more senses."""

import pytest
import torch
import transformers
from tiny import CONTEXT, PAIRS, PROMPTS, RESPONSES, tiny, tokenizer
from transformers import AutoModelForCausalLM

from minirm import ExplicitRM, ImplicitRM, Trainer
from minirm.forward import length_changes_positions
from minirm.logprobs import naive_logprob
from minirm.models.heads import has_own_head

SIZES = {
    "vocab_size": len(tokenizer()), "hidden_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 4, "intermediate_size": 64, "max_position_embeddings": CONTEXT,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.2,
}  # fmt: skip
GROUPED = SIZES | {"num_key_value_heads": 2}
FAMILIES = {
    "Granite": GROUPED,
    "Cohere": GROUPED,
    "Olmoe": GROUPED | {"num_experts": 4, "num_experts_per_tok": 2},
    "Mamba": {
        "vocab_size": SIZES["vocab_size"],
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "state_size": 8,
    },
    "Llama4Text": GROUPED | {"head_dim": 8, "intermediate_size_mlp": 64, "num_local_experts": 2},
    "ModernBertDecoder": SIZES | {"cls_token_id": 1, "sep_token_id": 2, "local_attention": 16},
}
# Mamba, sliding windows and the rest are told apart elsewhere; here the warning is in the way.
pytestmark = pytest.mark.filterwarnings("ignore:.*gives other numbers where two answers share")


def family(name):
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**FAMILIES[name])
    return AutoModelForCausalLM.from_config(config).eval()


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("kind", [ExplicitRM, ImplicitRM])
def test_a_family_without_a_classifier_s_class_trains_saves_and_opens(name, kind, tmp_path):
    rm = kind(family(name), tokenizer(), copy=False)
    assert has_own_head(rm.model) == (kind is ExplicitRM)
    options = {"lr": 1e-2, "epochs": 6, "batch_size": 4, "log_every": 2}
    history = Trainer(rm, PAIRS, **options, output_dir=tmp_path).fit()
    assert history[-1]["loss"] < history[0]["loss"]
    together = rm.score(PROMPTS, RESPONSES)
    alone = [rm.score([x], [y]) for x, y in zip(PROMPTS, RESPONSES, strict=True)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-4)
    assert torch.equal(kind.from_pretrained(tmp_path).score(PROMPTS, RESPONSES), together)


def test_a_head_of_our_own_reads_the_last_state():
    rm = ExplicitRM(family("Granite"), tokenizer(), seed=3)
    states = rm.features(PROMPTS, RESPONSES)
    ids = [rm.encode(x, y) for x, y in zip(PROMPTS, RESPONSES, strict=True)]
    plain = [
        rm.model.model(input_ids=torch.tensor([[*e.prompt, *e.response]])).last_hidden_state[0, -1]
        for e in ids
    ]
    torch.testing.assert_close(states, torch.stack(plain), atol=1e-5, rtol=1e-4)
    expected = states @ rm.model.score.weight[0]
    torch.testing.assert_close(rm.score(PROMPTS, RESPONSES), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.needs("peft")
def test_a_head_of_our_own_under_an_adapter(tmp_path):
    from peft import LoraConfig

    family("Granite").save_pretrained(tmp_path / "base")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    lora = LoraConfig(r=2, target_modules="all-linear", exclude_modules=["lm_head"])
    rm = ExplicitRM(base, tokenizer(), lora=lora)
    Trainer(rm, PAIRS, lr=1e-2, epochs=2, batch_size=4, output_dir=tmp_path / "rm").fit()
    again = ExplicitRM.from_pretrained(tmp_path / "rm")
    assert torch.equal(again.score(PROMPTS, RESPONSES), rm.score(PROMPTS, RESPONSES))


# ------------------------------------------------------- rotary embeddings that look at the length


def by_length(kind):
    """A Phi-3 or a Llama whose rotary embeddings change beyond 24 tokens."""
    if kind == "dynamic":
        rope = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0}
        return tiny("llama", rope_parameters=rope, max_position_embeddings=24)
    factors = {"short_factor": [1.0] * 4, "long_factor": [4.0, 3.0, 2.0, 5.0]}
    rope = {"rope_type": "longrope", "rope_theta": 1e4, **factors}
    rope |= {"original_max_position_embeddings": 24, "partial_rotary_factor": 1.0}
    config = transformers.Phi3Config(
        **(GROUPED | {"rope_parameters": rope, "original_max_position_embeddings": 24})
    )
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


LONG = ("yes " * 20, "In my view, the answer is yes", "nope", "no " * 15)


@pytest.mark.parametrize("kind", ["longrope", "dynamic"])
@pytest.mark.parametrize("reward", [ExplicitRM, ImplicitRM])
def test_one_answer_has_one_reward_whoever_stands_beside_it(kind, reward, monkeypatch):
    monkeypatch.setattr(reward, "max_length", CONTEXT)
    rm = reward(
        by_length(kind), tokenizer(), **({"reference": None} if reward is ImplicitRM else {})
    )
    assert not rm.shares_prompts
    prompts = ["Do you? "] * 4
    together = rm.score(prompts, LONG)
    alone = [rm.score([x], [y]) for x, y in zip(prompts, LONG, strict=True)]
    reverse = rm.score(prompts, LONG[::-1]).flip(0)
    for other in (torch.cat(alone), reverse):
        torch.testing.assert_close(together, other, atol=1e-6, rtol=1e-5)
    if reward is ImplicitRM:
        for y, r in zip(LONG, together.tolist(), strict=True):
            e = rm.encode("Do you? ", y)
            fresh = by_length(kind)  # which has not seen a longer row
            expected = 0.01 * naive_logprob(fresh, e.prompt, e.response).item()
            assert r == pytest.approx(expected, rel=1e-5)


def test_the_long_and_the_short_embeddings_really_differ():
    model = by_length("longrope")
    ids = torch.randint(3, 100, (1, 30), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        short = model(input_ids=ids[:, :20]).logits[0, 19]
        long = model(input_ids=ids).logits[0, 19]
    assert (short - long).abs().max() > 1e-2
    assert length_changes_positions(model)
    assert not length_changes_positions(tiny("llama"))


# -------------------------------------------------------------------- models that also see


def seeing():
    text = {k: v for k, v in GROUPED.items() if k not in ("pad_token_id", "bos_token_id")}
    config = transformers.Gemma3Config(
        text_config=text | {"head_dim": 8, "sliding_window": 64},
        vision_config={
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1,
            "num_attention_heads": 2, "image_size": 28, "patch_size": 14,
        },
    )  # fmt: skip
    torch.manual_seed(0)
    return transformers.Gemma3ForConditionalGeneration(config).eval()


@pytest.mark.parametrize("kind", [ExplicitRM, ImplicitRM])
def test_of_a_model_that_sees_only_what_reads_text_is_trained(kind):
    rm = kind(seeing(), tokenizer(), copy=False)
    assert rm.max_length == CONTEXT  # the text's, which the outer configuration does not say
    losses, _ = rm(rm.rows([rm.encode("Do you? ", y) for y in ("yes", "no")]))
    losses.sum().backward()
    missing = [n for n, w in rm.named_parameters() if w.requires_grad and w.grad is None]
    assert missing == []  # two processes would wait for these
    frozen = [n for n, w in rm.model.named_parameters() if not w.requires_grad]
    assert frozen
    assert all("vision" in name or "multi_modal" in name for name in frozen)
    with pytest.raises(ValueError, match=f"context is {CONTEXT}"):
        rm.score(["Do you? "], ["yes " * 200])
