"""A base in four bits: it trains through adapters only, and opens as it was."""

import sys

import pytest
import torch
from tiny import PAIRS, PROMPTS, RESPONSES, tiny, tokenizer
from transformers import BitsAndBytesConfig

from minirm import ExplicitRM, ImplicitRM, Trainer, load_base

KINDS = (ExplicitRM, ImplicitRM)


@pytest.fixture
def folder(tmp_path):
    tiny("llama").save_pretrained(tmp_path / "base")
    tokenizer().save_pretrained(tmp_path / "base")
    return tmp_path / "base"


@pytest.fixture(autouse=True)
def every_processor_alike(monkeypatch):
    """Where there is AVX512-BF16, bitsandbytes packs weights for a kernel that has no gradient."""
    if "bitsandbytes" in sys.modules:
        monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: False)


def in_four_bits(folder):
    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.float32)
    return load_base(folder, quantization_config=config)[0]


def lora():
    from peft import LoraConfig

    return LoraConfig(r=4, target_modules="all-linear")


@pytest.mark.needs("peft", "bitsandbytes")
@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_opens_over_the_base_that_it_was_trained_over(kind, folder, tmp_path):
    base = in_four_bits(folder)
    rm = kind(base, tokenizer(), lora=lora())
    Trainer(rm, PAIRS, lr=1e-2, epochs=2, batch_size=4).fit()
    rm.save_pretrained(tmp_path / "rm")
    again = kind.from_pretrained(tmp_path / "rm")
    assert torch.equal(again.score(PROMPTS, RESPONSES), rm.score(PROMPTS, RESPONSES))
    assert again.model.get_base_model().is_quantized
    # The base in full gives other numbers: there is something to get wrong.
    whole = ImplicitRM(load_base(folder)[0], tokenizer(), reference=None)
    rough = ImplicitRM(base, tokenizer(), reference=None)
    assert (whole.score(PROMPTS, RESPONSES) - rough.score(PROMPTS, RESPONSES)).abs().max() > 1e-3


@pytest.mark.needs("bitsandbytes")
@pytest.mark.parametrize("kind", KINDS)
def test_without_adapters_it_is_refused_before_training(kind, folder):
    rm = kind(in_four_bits(folder), tokenizer())
    with pytest.raises(ValueError, match="weights are quantised"):
        Trainer(rm, PAIRS)


@pytest.mark.needs("bitsandbytes")
def test_without_the_package_a_line_says_what_is_missing(folder, monkeypatch):
    import transformers.quantizers.quantizer_bnb_4bit as quantizer

    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    for name in [n for n in vars(quantizer) if n.startswith("is_bitsandbytes")]:
        monkeypatch.setattr(quantizer, name, lambda *_: False)
    with pytest.raises(ModuleNotFoundError, match=r"needs a package that is missing.*bitsandbytes"):
        in_four_bits(folder)
