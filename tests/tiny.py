"""Small random models, tokenizers and pairs for the tests. Nothing here is trained or loaded."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from hypothesis import settings
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from minirm import PreferencePair
from minirm.worlds.opinions import build_tokenizer

torch.set_num_threads(1)

patient = settings(deadline=None, max_examples=40)
"""For hypothesis: a busy machine is no failure."""

ARCHITECTURES = ("gpt_neox", "llama", "qwen2", "gpt2")
CONTEXT = 128

PROMPTS = (
    "Do you often help strangers? ",
    'Is the following statement something you would say? "I quietly blame guests." ',
    "Words of mine: ",
    "Would you say this about yourself? ",
)
RESPONSES = (
    "In my view, the answer is yes",
    "nope",
    "hardly, I must say",
    "My answer is of course",
)

PAIRS = [
    PreferencePair(prompt, chosen, rejected)
    for prompt, chosen, rejected in zip(
        PROMPTS * 2,
        RESPONSES + RESPONSES[1:] + RESPONSES[:1],
        ("no", "never", "nah", "wrong") * 2,
        strict=True,
    )
]  # eight pairs of ragged lengths


@functools.cache
def tokenizer() -> Any:
    """The small world's tokenizer; shared, so that a test that changes it would be noticed."""
    return build_tokenizer()


def tiny(architecture: str = "gpt_neox", *, seed: int = 0, vocab: int = 0, **changes: Any) -> Any:
    """A random causal LM: hidden size 32, two layers; eval mode, float32."""
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    sizes |= {"intermediate_size": 64, "max_position_embeddings": CONTEXT}
    grouped = {"num_key_value_heads": 2}  # grouped-query attention
    config_class, specific = {
        "gpt_neox": (GPTNeoXConfig, {}),
        "llama": (LlamaConfig, grouped),
        "qwen2": (Qwen2Config, grouped),
        "gemma2": (Gemma2Config, grouped | {"head_dim": 8, "sliding_window": CONTEXT}),
        "mistral": (MistralConfig, grouped | {"sliding_window": 8}),
        "gpt2": (GPT2Config, {}),
    }[architecture]
    if architecture == "gpt2":
        sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT}
    vocab = {"vocab_size": vocab or len(tokenizer())}
    specials = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    config = config_class(**(sizes | specific | vocab | specials | changes))
    torch.manual_seed(seed)
    # Ten times the usual spread: the usual one makes every reward nearly zero and hides mistakes.
    config.initializer_range = changes.get("initializer_range", 0.2)
    return AutoModelForCausalLM.from_config(config).eval()


def perturb(model: Any, scale: float = 0.02, seed: int = 1) -> Any:
    """Add noise to every weight that is trained, in place: a stand-in for training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                noise = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
                weight += scale * noise.to(weight.dtype)
    return model


def weights(model: Any) -> dict[str, torch.Tensor]:
    """A snapshot of all weights."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    """Bit for bit."""
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def byte_tokenizer(
    *,
    specials: Sequence[str] = (),
    merges: Sequence[tuple[str, str]] = (),
    template: str | None = None,
    bos: str | None = None,
    eos: str | None = "</s>",
    pad: str | None = None,
    adds_bos: bool = False,
    adds_eos: bool = False,
) -> Any:
    """A byte-level BPE with the merges and special tokens that a test is about."""
    named = {"bos_token": bos, "eos_token": eos, "pad_token": pad}
    added = [t for t in dict.fromkeys([*named.values(), *specials]) if t is not None]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet()) + [a + b for a, b in merges]
    backend = Tokenizer(
        models.BPE(vocab={t: i for i, t in enumerate(alphabet)}, merges=list(merges))
    )
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(t, special=True) for t in added])
    if adds_bos or adds_eos:
        around = [t for t, wanted in ((bos, adds_bos), (eos, adds_eos)) if wanted]
        backend.post_processor = processors.TemplateProcessing(
            single=f"{bos if adds_bos else ''} $A {eos if adds_eos else ''}".strip(),
            special_tokens=[(t, backend.token_to_id(t)) for t in around],
        )
    result = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        clean_up_tokenization_spaces=False,
        **{name: token for name, token in named.items() if token is not None},
    )
    result.chat_template = template
    return result


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def assistant(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


_LLAMA3_TURN = "<|h|>{{ m['role'] }}<|/h|>\n\n{{ m['content'] }}<|eot|>"
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}" + _LLAMA3_TURN + "{% endfor %}"
    "{% if add_generation_prompt %}<|h|>assistant<|/h|>\n\n{% endif %}"
)
"""BOS is part of the text, and a turn ends in EOS."""

_QWEN_TURN = "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
QWEN = (
    "{% for m in messages %}" + _QWEN_TURN + "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""A turn ends in EOS and a newline."""

THINKING = QWEN.replace("assistant\n{% endif %}", "assistant\n<think>\n\n</think>\n\n{% endif %}")
"""The generation prompt holds an empty thought that is gone once the answer is in the context."""


def llama3_tokenizer() -> Any:
    special = ("<|h|>", "<|/h|>")
    return byte_tokenizer(
        specials=special, template=LLAMA3, bos="<|begin|>", eos="<|eot|>", adds_bos=True
    )


def qwen_tokenizer(template: str = QWEN, merges: Sequence[tuple[str, str]] = ()) -> Any:
    return byte_tokenizer(
        specials=("<|im_start|>",), template=template, eos="<|im_end|>", pad="<pad>", merges=merges
    )
