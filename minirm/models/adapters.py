"""LoRA adapters: made, written and opened through peft. The base stays where it is."""

from __future__ import annotations

import copy as copying
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers.quantizers.auto import AutoQuantizationConfig

from minirm.forward import language_model
from minirm.models.bases import NAMES, causal_lm, resolve
from minirm.models.heads import make_room, with_head

ADAPTER = "adapter_config.json"


def is_adapted(model: Any) -> bool:
    """Whether ``model`` is one under an adapter."""
    return language_model(model) is not model


def of_rank(rank: int) -> Any:
    """The ``peft.LoraConfig`` of the commands: all linear maps but the head, alpha twice the rank.

    Raises:
        ModuleNotFoundError: peft is not installed.
    """
    try:
        from peft import LoraConfig
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "--lora needs the package peft: pip install minirm[lora]"
        ) from error
    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")


def with_adapter(model: Any, lora: Any, task: str, seed: int = 0) -> Any:
    """Freeze ``model`` and add a LoRA adapter: a ``PeftModel`` that changes nothing as it starts.

    Args:
        model: frozen in the dtype that it has.
        lora: a ``peft.LoraConfig``.
        task: "CAUSAL_LM", or "SEQ_CLS", whose head is trained too.
        seed: of the adapter's start; the global random state stays as it was.

    Raises:
        ValueError: ``model`` has an adapter already.
    """
    from peft import get_peft_model

    if is_adapted(model):
        raise ValueError(
            "the base has an adapter already: train that one on (without lora=), or merge it first"
        )
    lora = copying.deepcopy(lora)
    lora.task_type = task
    with torch.random.fork_rng(devices=[]), _peft(model):
        torch.manual_seed(seed)
        return get_peft_model(model, lora)


def check_trainable(model: Any) -> None:
    """Raise ValueError where the weights are quantised and no adapter is there to be trained."""
    if getattr(language_model(model), "is_quantized", False) and not is_adapted(model):
        raise ValueError(
            "the weights are quantised, so they cannot be trained: train adapters over them "
            "(lora=..., --lora RANK), or load the base unquantised"
        )


def base_of(path: Path) -> str:
    """The name or folder of the base that the adapter in ``path`` was trained over."""
    name = json.loads((path / ADAPTER).read_text())["base_model_name_or_path"]
    if Path(name).name in NAMES and not Path(name).is_dir():  # saved on another machine
        name = Path(name).name
    return name


def check_base_stays(model: Any, path: Path) -> None:
    """Make sure that an adapter saved to ``path`` will find its base.

    Raises:
        ValueError: it would replace its own base, or the base has no name to find it by.
    """
    name = model.active_peft_config.base_model_name_or_path
    if not name:
        raise ValueError(
            "an adapter is saved without its base, and this base has no name to find it by: "
            "save the base first, load it from there, and train that"
        )
    if Path(name).is_dir() and path.is_dir() and Path(name).samefile(path):
        raise ValueError(
            f"{str(path)!r} holds the base that the adapter needs: save to another folder"
        )


def save_adapter(model: Any, path: Path, weights: dict[str, Tensor] | None) -> None:
    """peft's own files: the adapter (and a head); beside them the base's configuration."""
    model.active_peft_config.inference_mode = False
    model.save_pretrained(path, save_embedding_layers=False, state_dict=weights)
    (path / "README.md").unlink(missing_ok=True)  # a form to fill in; somebody's own may be there
    base = language_model(model)
    base.config.dtype = str(base.dtype).removeprefix("torch.")
    base.config.save_pretrained(path)  # with how the base was quantised, if it was


def load_adapter(path: Path, kind: str, tokenizer: Any) -> Any:
    """The base, as it was while the adapter was trained, under the adapter: a ``PeftModel``.

    Args:
        path: a folder that ``save_adapter`` wrote.
        kind: "explicit" puts the head on as well.
        tokenizer: the folder's own; its tokens all get a row in the embedding.
    """
    from peft import PeftModel

    config = json.loads((path / "config.json").read_text())
    options: dict[str, Any] = {"dtype": config["dtype"]}
    if quantised := config.get("quantization_config"):
        options["quantization_config"] = AutoQuantizationConfig.from_dict(quantised)
    base = causal_lm(resolve(base_of(path)), **options)
    if kind == "explicit":
        base = with_head(base, seed=0, copy=False)
    make_room(base, tokenizer)
    with _peft(base):
        return PeftModel.from_pretrained(base, path, is_trainable=True)


@contextmanager
def _peft(model: Any) -> Iterator[None]:
    """While peft makes or opens an adapter: what is trained is float32 over a bfloat16 base too.

    peft sees to that for the adapter; for a head it does not. And it still asks transformers for
    a name that is out of date.
    """
    if hasattr(model, "score"):
        model.score.to(torch.promote_types(model.score.weight.dtype, torch.float32))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".is_gradient_checkpointing. is deprecated")
        yield
