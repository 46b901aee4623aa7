"""Random words for the benchmarks: what a text says costs no time, how long it is does."""

from __future__ import annotations

import random
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast


def make_tokenizer(vocabulary: int) -> Any:
    words = {f"w{i}": i for i in range(vocabulary - 3)}
    words |= {t: vocabulary - 3 + i for i, t in enumerate(("<pad>", "</s>", "<unk>"))}
    backend = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


def make_text(name: int, tokens: int, vocabulary: int) -> str:
    """So many words; one name stands for one text."""
    word = random.Random(name)
    return " ".join(f"w{word.randrange(vocabulary - 3)}" for _ in range(tokens))
