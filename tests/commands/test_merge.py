"""``minirm merge``: the same scores without an adapter and without its base."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from calling import call
from safetensors.torch import load_file
from tiny import PAIRS, perturb, tiny, tokenizer
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, load_base
from minirm.pairs import TextFormat

pytestmark = pytest.mark.needs("peft")

PROMPTS, RESPONSES = [p.prompt for p in PAIRS], [p.chosen for p in PAIRS]
KINDS = {
    "explicit": (ExplicitRM, {}),
    "explicit, mean": (ExplicitRM, {"pooling": "mean"}),
    "implicit": (ImplicitRM, {"beta": 0.5}),
    "implicit, no reference": (ImplicitRM, {"reference": None}),
    "generative": (GenerativeRM, {"no": "nope"}),
}


def adapted(kind, dtype=torch.float32, **more):
    """A folder with a trained adapter, over the base in "base"."""
    from peft import LoraConfig

    reward, options = KINDS[kind]
    lora = LoraConfig(r=3, lora_alpha=6, target_modules="all-linear")
    base, words = load_base("base", dtype=dtype)
    rm = reward(base, words, lora=lora, **options, **more)
    perturb(rm.model, scale=0.1)
    rm.save_pretrained("adapter")
    return reward.from_pretrained("adapter")


@pytest.mark.parametrize("architecture", ["gpt_neox", "llama"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_merged_model_scores_the_same_and_needs_nothing_beside_it(
    kind, architecture, here, capsys
):
    tiny(architecture).save_pretrained("base")
    reward, options = KINDS[kind]
    untrained = reward(tiny(architecture), tokenizer(), **options).score(PROMPTS, RESPONSES)
    before = adapted(kind, text_format=TextFormat(separator="\n"))
    expected = before.score(PROMPTS, RESPONSES)
    assert call("merge", "adapter", "--output", "whole") == 0
    said = capsys.readouterr()
    size = sum(weight.numel() for weight in tiny(architecture).parameters())
    if before.kind == "explicit":  # a head of 32 in the place of the unembedding
        size += 32 - tiny(architecture).get_output_embeddings().weight.numel()
    assert said.out.startswith(f"written: whole ({before.kind}, {size:,} parameters in float32")
    assert ("and its reference" in said.out) == (kind == "implicit")
    assert (said.out.count("\n"), said.err) == (1, "")
    shutil.rmtree("base")
    shutil.rmtree("adapter")
    after = type(before).from_pretrained("whole")
    torch.testing.assert_close(after.score(PROMPTS, RESPONSES), expected, atol=1e-5, rtol=0)
    assert (untrained - expected).abs().max() > 1e-4  # the adapter does something
    assert after.settings() == before.settings()
    assert after.text_format == before.text_format
    assert not list(Path("whole").glob("adapter*"))
    assert not [name for name in load_file("whole/model.safetensors") if "lora" in name]


def test_transformers_opens_the_classifier_and_the_policy_and_its_reference(here):
    expected = adapted("explicit").score(PROMPTS[:1], RESPONSES[:1]).item()
    assert call("merge", "adapter", "--output", "whole") == 0
    classifier = AutoModelForSequenceClassification.from_pretrained("whole").eval()
    sequence = ExplicitRM.from_pretrained("whole").encode(PROMPTS[0], RESPONSES[0])
    found = classifier(torch.tensor([sequence.prompt + sequence.response])).logits.item()
    assert found == pytest.approx(expected, abs=1e-5)
    adapted("implicit")
    assert call("merge", "adapter", "--output", "policy") == 0
    reference = AutoModelForCausalLM.from_pretrained("policy/reference").state_dict()
    for name, weight in tiny().state_dict().items():
        assert torch.equal(reference[name], weight)
    policy = AutoModelForCausalLM.from_pretrained("policy").state_dict()
    assert any(not torch.equal(policy[name], reference[name]) for name in policy)


@pytest.mark.parametrize("kind", ["explicit", "implicit"])
def test_over_a_bfloat16_base_the_sum_is_kept_in_float32(kind, here, capsys):
    before = adapted(kind, dtype=torch.bfloat16)
    expected = before.score(PROMPTS, RESPONSES)
    assert call("merge", "adapter", "--output", "whole") == 0
    assert "in float32" in capsys.readouterr().out
    after = type(before).from_pretrained("whole")
    assert {w.dtype for w in after.parameters()} == {torch.float32}
    found = after.score(PROMPTS, RESPONSES)
    # The adapter's folder computes in bfloat16, the merged one no more.
    torch.testing.assert_close(found, expected, atol=0.05 * expected.abs().max().item(), rtol=0)


REFUSED = {
    "a file": ("adapter", "pairs.jsonl", "--output pairs.jsonl is there already"),
    "a folder with something in it": ("adapter", "base", "--output base is there already"),
    "the adapter's own folder": ("adapter", "adapter", "--output adapter is there already"),
    "no adapter": ("rm", "whole", "'rm' holds no adapter: there is nothing to merge"),
    "no reward": ("base", "whole", "'base' is no folder that `minirm train --lora` wrote"),
    "no folder": ("nothing", "whole", "there is no folder 'nothing'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_merged_is_refused_and_nothing_changes(case, here, capsys):
    folder, output, complaint = REFUSED[case]
    if folder == "adapter":
        adapted("explicit")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    capsys.readouterr()
    assert call("merge", folder, "--output", output) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"minirm: {complaint}")
    assert said.count("\n") == 1
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
    assert not Path("whole").exists()


def test_a_quantised_base_is_refused(here, capsys, monkeypatch):
    adapted("explicit")
    opened = ExplicitRM.from_pretrained("adapter")
    opened.model.get_base_model().is_quantized = True  # as transformers marks it
    monkeypatch.setattr(ExplicitRM, "from_pretrained", classmethod(lambda *_: opened))
    assert call("merge", "adapter", "--output", "whole") == 1
    assert "the adapter's base is quantised" in capsys.readouterr().err
    assert not Path("whole").exists()


def test_an_empty_folder_is_a_new_one(here):
    adapted("explicit")
    Path("whole").mkdir()
    assert call("merge", "adapter", "--output", "whole") == 0
    assert json.loads(Path("whole/minirm.json").read_text())["reward"] == "explicit"
