"""Where a language model comes from: the bundled tiny ones, pip's real one, a folder, the hub."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from minirm.models import real
from minirm.models.probes import has_linear_head
from minirm.models.rounding import TOO_MANY_TIES, share_on_ties
from minirm.progress import quiet_transformers

ASSETS = Path(__file__).parents[1] / "assets"
MAIN = ("seed-0", "seed-1", "seed-2")
"""Bases pretrained on the main world of ``minirm.worlds.opinions``, one a seed."""
NO_FACTS = ("no-facts", "no-facts-1", "no-facts-2")
"""Bases of the world in which nothing said beforehand decides the answer, one a seed."""
COMMON = (*MAIN, "no-facts")
"""The four of most experiments; they have read answers with 42 openings and no others."""
RARE = ("rare-0", "rare-1", "rare-2")
"""Bases of the main world in which now and then an answer begins otherwise, one a seed."""
BUNDLED = MAIN + NO_FACTS + RARE
"""All names of the tiny GPT-NeoX models that ship with the library."""
NAMES = (*BUNDLED, real.NAME)
"""What is no folder and no name on the hub; the last is there after ``minirm base smollm2``."""


def load_base(
    name: str | os.PathLike[str] = "seed-0", *, dtype: torch.dtype = torch.float32, **options: Any
) -> tuple[Any, Any]:
    """A causal language model and its tokenizer.

    Args:
        name: one of ``BUNDLED`` (needs no network), "smollm2" once `minirm base smollm2` has
            fetched it, a local folder, or a model on the hub.
        dtype: of the weights; float32 keeps the master weights exact under mixed precision.
        options: passed on to ``AutoModelForCausalLM.from_pretrained``.

    Returns:
        the model, in eval mode, and its tokenizer.

    Raises:
        FileNotFoundError: ``name`` is written like a path and no such folder exists, or "smollm2"
            was not fetched; the message has the command for it.
        ValueError: it holds no causal language model, or not all of one.
    """
    source = resolve(name)
    if (Path(source) / "adapter_config.json").is_file():
        raise ValueError(
            f"{source!r} holds an adapter, not a model: open it with the reward's from_pretrained, "
            "or make one model of the two with `minirm merge`"
        )
    model = causal_lm(source, dtype=dtype, **options)
    has_linear_head(model)  # raises where it is not causal
    if (share := share_on_ties(model)) > TOO_MANY_TIES:
        warnings.warn(
            f"{share:.0%} of the weights of {str(name)!r} lie half way between two bfloat16 "
            "numbers, as after 4 bits or float16: under bf16 the smallest step rounds them either "
            'way; train it in float32 (mixed_precision="no")',
            stacklevel=2,
        )
    return model.eval(), load_tokenizer(source)


def causal_lm(source: str | os.PathLike[str], **options: Any) -> Any:
    """``AutoModelForCausalLM.from_pretrained``, quiet, and with all of its weights or none.

    Raises:
        ModuleNotFoundError: its weights are quantised, and the package for that is missing.
        ValueError: the folder lacks weights, which transformers would draw at random.
    """
    try:
        with quiet_transformers():
            model, report = AutoModelForCausalLM.from_pretrained(
                source, output_loading_info=True, **options
            )
    except ImportError as error:
        first = str(error).strip().splitlines()[0]
        raise ModuleNotFoundError(
            f"{str(source)!r} needs a package that is missing: {first}"
        ) from error
    if missing := sorted(report["missing_keys"]):
        raise ValueError(
            f"{str(source)!r} is no whole language model: it has no {missing[0]} "
            f"({len(missing)} weights are missing); is it a classifier's folder?"
        )
    return model


def load_tokenizer(source: str | os.PathLike[str]) -> Any:
    """The tokenizer of a folder, just as it was saved, or of a name on the hub.

    For some architectures, Qwen2 among them, ``AutoTokenizer`` builds the family's own class out
    of any tokenizer.json, and a tokenizer of another make then cuts text differently.
    """
    config = Path(source) / "tokenizer_config.json"
    saved = json.loads(config.read_text()).get("tokenizer_class") if config.is_file() else None
    plain = saved in ("TokenizersBackend", "PreTrainedTokenizerFast")
    return (PreTrainedTokenizerFast if plain else AutoTokenizer).from_pretrained(source)


def resolve(name: str | os.PathLike[str]) -> str:
    """What transformers can open: the folder that ``name`` means, or else a name on the hub."""
    text = os.fspath(name)
    if text in BUNDLED:
        return str(ASSETS / text)
    if text == real.NAME:
        return str(real.find())
    path = Path(text).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ValueError(f"the folder {text!r} holds no model: it has no config.json")
        return str(path.absolute())  # an adapter is found by it from elsewhere too
    if isinstance(name, os.PathLike) or text.startswith((".", "/", "~")) or text.count("/") > 1:
        raise FileNotFoundError(
            f"there is no folder {text!r}; a model by name is one of {', '.join(NAMES)}, "
            'and a model on the hub is written "owner/name"'
        )
    return text
