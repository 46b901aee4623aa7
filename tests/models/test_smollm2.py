"""The real language model itself, where `make real` has put it: it speaks, and is trained."""

import pytest
import torch
from tiny import assistant, user

from minirm import ExplicitRM, ImplicitRM, PreferencePair, Trainer, load_base

pytestmark = [pytest.mark.slow, pytest.mark.needs("smollm2")]


@pytest.fixture(scope="module")
def smollm2():
    with pytest.warns(UserWarning, match="half way between two bfloat16 numbers"):
        return load_base("smollm2")


def test_it_knows_the_capital_of_france(smollm2):
    base, tok = smollm2
    assert base.lm_head.weight is base.model.embed_tokens.weight
    assert tok.pad_token == tok.eos_token == "<|im_end|>"
    turns = user("What is the capital of France?")
    ids = tok.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt")
    ids = ids if torch.is_tensor(ids) else ids["input_ids"]
    assert "You are a helpful AI assistant named SmolLM" in tok.decode(ids[0])
    with torch.no_grad():
        said = base.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=7, do_sample=False
        )
    assert "Paris" in tok.decode(said[0, ids.shape[1] :])


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("kind", [ExplicitRM, ImplicitRM])
def test_both_rewards_train_on_it(smollm2, kind, chat):
    """Three steps on one pair raise its margin; the base stays as it was."""
    base, tok = smollm2
    before = base.model.norm.weight.clone()
    prompt, chosen, rejected = "Do you often help strangers? ", "In my view, yes", "I say never"
    if chat:
        prompt, chosen, rejected = user(prompt.rstrip()), assistant(chosen), assistant(rejected)
    rm = kind(base, tok)

    def margin():
        good, bad = rm.score([prompt, prompt], [chosen, rejected]).tolist()
        return good - bad

    first = margin()
    if kind is ImplicitRM:
        assert first == 0
    pairs = [PreferencePair(prompt, chosen, rejected)]
    Trainer(rm, pairs, lr=1e-5, epochs=3, batch_size=1, progress=False).fit()
    assert margin() > first
    assert torch.equal(base.model.norm.weight, before)
