"""``minirm merge``. An adapter's folder as a model that needs no adapter and no base beside it."""

from __future__ import annotations

import argparse
import copy as copying
from pathlib import Path
from typing import Any

import torch

from minirm.commands.shared import REWARDS
from minirm.forward import language_model
from minirm.models.adapters import is_adapted
from minirm.models.saving import saved_kind
from minirm.reward_model import RewardModel


def add(commands: argparse._SubParsersAction) -> None:
    merge = commands.add_parser(
        "merge",
        help="make an ordinary model of a LoRA adapter and its base",
        description="Write a reward model that was trained with --lora as a folder of whole "
        "weights: an explicit one as a classifier with its head, an implicit one as its policy "
        "and its reference. The scores stay the same.",
    )
    merge.add_argument("folder", metavar="FOLDER", help="one that `minirm train --lora` wrote")
    merge.add_argument(
        "--output", required=True, type=Path, metavar="NEW", help="a new or empty folder"
    )
    merge.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    output: Path = options.output
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise FileExistsError(f"--output {output} is there already: give a new folder")
    if not Path(options.folder).is_dir():
        raise FileNotFoundError(f"there is no folder {options.folder!r}")
    kind = saved_kind(options.folder)
    if kind is None:
        raise ValueError(f"{options.folder!r} is no folder that `minirm train --lora` wrote")
    model = REWARDS[kind].from_pretrained(options.folder)
    if not is_adapted(model.model):
        raise ValueError(f"{options.folder!r} holds no adapter: there is nothing to merge")
    whole = merged(model)
    whole.save_pretrained(output)
    size = sum(weight.numel() for weight in whole.model.parameters())
    dtype = str(whole.model.dtype).removeprefix("torch.")
    reference = " and its reference" if whole.has_reference else ""
    print(f"written: {output} ({kind}, {size:,} parameters in {dtype}{reference})")


def merged(model: RewardModel) -> RewardModel:
    """The reward model with its adapter added into the weights; ``model`` is used up.

    It is done in float32 where the base has less, and stays so: in bfloat16 most of what an
    adapter adds would be rounded away.

    Raises:
        ValueError: the base is quantised, so that the sum could not be written.
    """
    base = language_model(model.model)
    if getattr(base, "is_quantized", False):
        raise ValueError(
            "the adapter's base is quantised, and a merged model would be rounded to that: "
            "score and evaluate take the adapter's folder as it is"
        )
    adapted: Any = model.model.to(torch.promote_types(base.dtype, torch.float32))
    settings: dict[str, Any] = model.settings()
    if model.kind == "implicit":
        settings["reference"] = getattr(model, "reference", None)
        if model.has_reference and settings["reference"] is None:  # the base, the adapter off
            settings["reference"] = copying.deepcopy(adapted).unload()
    whole = type(model)(adapted.merge_and_unload(), model.tokenizer, copy=False, **settings)
    whole.text_format = model.text_format
    return whole
