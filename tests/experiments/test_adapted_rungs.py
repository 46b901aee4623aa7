"""Rungs whose adapters are trained in place of all weights."""

import pytest
import torch
from tiny import PAIRS, PROMPTS, RESPONSES, tiny, tokenizer, weights

from minirm import Trainer
from minirm.experiments import rungs


@pytest.mark.needs("peft")
@pytest.mark.parametrize("rung", rungs.ADAPTED)
def test_with_adapters_only_they_and_a_head_move(rung):
    base = tiny()
    before = weights(base)
    model = rungs.new_model(rung, base, tokenizer(), 0, lora=2)
    plain = rungs.new_model(rung, tiny(), tokenizer(), 0)
    start = model.score(PROMPTS, RESPONSES)
    torch.testing.assert_close(start, plain.score(PROMPTS, RESPONSES))  # adapters start at nothing
    if rung == "implicit":
        assert start.tolist() == [0.0] * len(PROMPTS)
        assert model.reference is None  # no second model: it is its own, without the adapters
    held = weights(model)
    Trainer(model, PAIRS, lr=1e-2, epochs=2, batch_size=4, progress=False).fit()
    moved = {name for name, w in weights(model).items() if not torch.equal(w, held[name])}
    assert any("lora_" in name for name in moved)
    assert all("lora_" in name or "score" in name for name in moved)
    assert any("score" in name for name in moved) == rung.startswith("explicit")
    kept = {name.replace(".base_layer", ""): w for name, w in weights(model).items()}
    name = next(name for name in before if "dense" in name and name.endswith("weight"))
    assert any(k.endswith(name) and torch.equal(w, before[name]) for k, w in kept.items())
    assert not torch.equal(model.score(PROMPTS, RESPONSES), start)


def test_adapters_are_for_the_rungs_that_say_so():
    with pytest.raises(ValueError, match=r"adapters can be trained for explicit, .*'generative'"):
        rungs.new_model("generative", tiny(), tokenizer(), 0, lora=2)
