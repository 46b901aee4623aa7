"""Hugging Face's forms. A causal LM as a classifier, a pad of its own, folders on disk."""

from __future__ import annotations

import copy as copying
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from minirm.distributed import gathered, is_spread, processes
from minirm.logprobs import language_model
from minirm.models.bases import BUNDLED, load_tokenizer, resolve
from minirm.progress import without_loading_bars

if TYPE_CHECKING:
    from minirm.reward_model import RewardModel

Model = TypeVar("Model", bound="RewardModel")
SETTINGS = "minirm.json"
REFERENCE = "reference"
ADAPTER = "adapter_config.json"


def without_dropout(model: Any) -> Any:
    """Turn dropout off for good: with it a policy differs from its own reference at step 0."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for holder in (module, getattr(module, "config", module)):
            for name, value in vars(holder).items():  # rates used by functions: OPT's, Falcon's
                if "drop" in name and isinstance(value, float):
                    setattr(holder, name, 0.0)
    return model


def as_classifier(base: Any, seed: int) -> Any:
    """Put the body of a causal LM under a fresh linear head with one output and no bias.

    The result is the architecture's own ``...ForSequenceClassification``, so that what is saved
    opens anywhere. The body is ``base``'s, not a copy.
    """
    config = copying.deepcopy(base.config)
    config.num_labels = 1
    with torch.device("meta"):  # its weights are all replaced: allocate none
        model = AutoModelForSequenceClassification.from_config(
            config, attn_implementation=base.config._attn_implementation
        )
    body = base.base_model
    setattr(model, model.base_model_prefix, body)
    weight = next(body.parameters())
    size = model.score.in_features  # skip_init: its draw would move the global random state
    head = nn.utils.skip_init(nn.Linear, size, 1, bias=False, dtype=weight.dtype)
    generator = torch.Generator().manual_seed(seed)
    spread = getattr(config, "initializer_range", 0.02)
    nn.init.normal_(head.weight, std=spread, generator=generator)
    model.score = head.to(weight.device)
    return model.train(base.training)


def with_adapter(model: Any, lora: Any, task: str, seed: int = 0) -> Any:
    """Freeze ``model`` and add a LoRA adapter: a ``PeftModel`` that changes nothing as it starts.

    Args:
        model: frozen in the dtype that it has. lora: a ``peft.LoraConfig``.
        task: "CAUSAL_LM", or "SEQ_CLS", whose head is trained too.
        seed: of the adapter's start; the global random state stays as it was.
    """
    from peft import get_peft_model

    lora = copying.deepcopy(lora)
    lora.task_type = task
    with torch.random.fork_rng(devices=[]), _peft(model):
        torch.manual_seed(seed)
        return get_peft_model(model, lora)


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


def ensure_own_pad(model: Any, tokenizer: Any) -> Any:
    """Give a classifier a pad token that is not EOS; returns the tokenizer, copied if changed.

    Hugging Face's classifiers read the last token that is not padding. Where padding is EOS they
    would read one token too early, and where there is none they refuse to run on a batch.
    """
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id == tokenizer.eos_token_id:
        tokenizer = copying.deepcopy(tokenizer)
        tokenizer.add_special_tokens({"pad_token": "<|pad|>"})
        rows = model.get_input_embeddings().num_embeddings
        if tokenizer.pad_token_id >= rows:  # never shrink: many models have more rows than tokens
            model.resize_token_embeddings(tokenizer.pad_token_id + 1)
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return tokenizer


@without_loading_bars()
def save(model: RewardModel, path: Any) -> None:
    """Write model, tokenizer, settings and (where there is one) reference below ``path``.

    Where FSDP has spread the weights, every process must call it; the main one writes.
    """
    path = Path(path)
    reference = getattr(model, "reference", None)
    weights, reference_weights = _weights(model.model), _weights(reference)
    if is_spread(model) and not processes().is_main_process:
        return
    adapted = language_model(model.model) is not model.model
    if adapted:
        _save_adapter(model.model, path, weights)
    else:
        model.model.save_pretrained(path, state_dict=weights)
    model.tokenizer.save_pretrained(path)
    if reference is not None:
        reference.save_pretrained(path / REFERENCE, state_dict=reference_weights)
    has_reference = getattr(model, "has_reference", False)
    settings = {"reward": model.kind, "has_reference": has_reference, **model.settings()}
    settings["text_format"] = asdict(model.text_format)
    (path / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n")


@without_loading_bars()
def load(path: Any, kind: type[Model]) -> Model:
    """Open a folder written by ``save`` as a ``kind``.

    Raises:
        FileNotFoundError: there is no such folder. ValueError: it holds another kind of reward.
    """
    path = resolve(path)
    settings = _read_settings(path, kind)
    tokenizer = load_tokenizer(path)
    if (Path(path) / ADAPTER).is_file():
        model = _load_adapter(Path(path), kind)
    elif kind.kind == "explicit":
        model, report = AutoModelForSequenceClassification.from_pretrained(
            path, output_loading_info=True, dtype="auto"
        )
        if "score.weight" in report["missing_keys"]:
            raise ValueError(f"{str(path)!r} holds no reward head (score.weight): train one first")
    else:
        model = AutoModelForCausalLM.from_pretrained(path, dtype="auto")
    if kind.kind == "implicit":
        settings["reference"] = _load_reference(Path(path), settings.pop("has_reference"))
    return kind(model, tokenizer, copy=False, **settings)


def _load_reference(path: Path, wanted: bool) -> Any:
    if not wanted:
        return None
    if not (path / REFERENCE).is_dir():
        return "base"  # an adapter's base, with the adapter off
    return AutoModelForCausalLM.from_pretrained(path / REFERENCE, dtype="auto")


def _weights(model: Any) -> dict[str, Tensor] | None:
    """What FSDP has spread over the processes, put together on the main one; else None."""
    if model is None or not is_spread(model):
        return None
    named = model.state_dict(keep_vars=True)
    once = {id(weight): gathered(weight.detach()) for weight in named.values()}  # tied: one tensor
    return {name: once[id(weight)] for name, weight in named.items()}


def _save_adapter(model: Any, path: Path, weights: dict[str, Tensor] | None) -> None:
    """peft's own files: the adapter (and a head), and the name of the base."""
    config = model.active_peft_config
    if not config.base_model_name_or_path:
        raise ValueError(
            "an adapter is saved without its base, and this base has no name to find it by: "
            "save the base first, load it from there, and train that"
        )
    config.inference_mode = False
    model.save_pretrained(path, save_embedding_layers=False, state_dict=weights)
    base = language_model(model)
    base.config.dtype = str(base.dtype).removeprefix("torch.")
    base.config.save_pretrained(path)


def _load_adapter(path: Path, kind: type[Model]) -> Any:
    from peft import PeftModel

    name = json.loads((path / ADAPTER).read_text())["base_model_name_or_path"]
    if Path(name).name in BUNDLED and not Path(name).is_dir():  # saved on another machine
        name = Path(name).name
    dtype = json.loads((path / "config.json").read_text())["dtype"]  # the one it was trained over
    base = AutoModelForCausalLM.from_pretrained(resolve(name), dtype=dtype)
    if kind.kind == "explicit":
        base = as_classifier(base, seed=0)
    with _peft(base):
        return PeftModel.from_pretrained(base, path, is_trainable=True)


def saved_kind(path: Any) -> str:
    """Which reward a folder holds: "explicit", "implicit" or "generative".

    Raises:
        FileNotFoundError: it has no ``minirm.json``.
    """
    return json.loads((Path(path) / SETTINGS).read_text())["reward"]


def _read_settings(path: Any, kind: type[Model]) -> dict[str, Any]:
    file = Path(path) / SETTINGS
    if not file.is_file():
        if kind.kind == "explicit":  # any one-label classifier is an explicit reward
            return {}
        raise FileNotFoundError(
            f"{str(path)!r} has no {SETTINGS}, which holds what the weights do not "
            f"(beta, reference, question); was it saved by {kind.__name__}.save_pretrained?"
        )
    settings = json.loads(file.read_text())
    saved = settings.pop("reward")
    if saved != kind.kind:
        raise ValueError(
            f"{str(path)!r} holds another kind of reward ({saved}) than {kind.__name__} opens"
        )
    if kind.kind != "implicit":
        settings.pop("has_reference")
    return settings
