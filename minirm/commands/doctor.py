"""``minirm doctor``: what is installed, what it runs on, whether the main things work; a model."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch

from minirm import ExplicitRM, ImplicitRM, PreferencePair, Trainer, __version__, load_base
from minirm.commands.examination import examined
from minirm.models.bases import BUNDLED

NEEDED = ("torch", "transformers", "accelerate", "safetensors", "tokenizers", "numpy")
OPTIONAL = {
    "datasets": "datasets from the hub (minirm[hub])",
    "pyarrow": "Parquet files (minirm[hub])",
    "peft": "LoRA (minirm[lora])",
    "matplotlib": "figures (minirm[book])",
}


def add(commands: argparse._SubParsersAction) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="versions, device, and what works here",
        description="Print versions and devices, then train for a step, save, open and score. "
        "With MODEL look at that instead: how much it reads, in which tokens and turns, and "
        "whether its weights stand bfloat16. Exit status 1 if something that everybody needs "
        "does not work, or the model does not open.",
    )
    doctor.add_argument(
        "model",
        nargs="?",
        metavar="MODEL",
        help="a language model or a reward model: a bundled one, a folder, or owner/name",
    )
    doctor.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    if options.model is not None:
        for name, said in examined(options.model):
            print(f"{name:15} {said}")
        return
    print(f"minirm {__version__}, Python {platform.python_version()}, {platform.platform()}")
    for package in NEEDED:
        print(f"  {package:14}{_version(package)}")
    for package, use in OPTIONAL.items():
        print(f"  {package:14}{_version(package)}  ({use})")
    print(f"devices: {_devices()}")
    print("checks:")
    failed = [name for name, check in CHECKS.items() if not _passes(name, check)]
    if failed:
        raise RuntimeError(f"does not work here: {', '.join(failed)}")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _devices() -> str:
    cpu = f"CPU with {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    gpus = [
        f"{p.name} ({p.total_memory / 2**30:.0f} GiB)"
        for p in map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    ]
    apple = ["Apple GPU (MPS)"] if torch.backends.mps.is_available() else []
    return ", ".join([cpu, *(gpus or apple or ["no GPU"])])


def _passes(name: str, check: Callable[[], str]) -> bool:
    try:
        said = check()
    except Exception as error:  # whatever it is: this command is there to say so
        first = (str(error).splitlines() or [""])[0]
        print(f"  FAILS {name}: {type(error).__name__}: {first}")
        return False
    print(f"  ok    {name}{': ' + said if said else ''}")
    return True


PAIR = PreferencePair("Do you often help strangers? ", "yes", "no")


def _bundled() -> str:
    for name in BUNDLED:
        load_base(name)
    return ", ".join(BUNDLED)


def _train_and_open(precision: Literal["no", "bf16"] = "no") -> str:
    base, tokenizer = load_base()
    model = ExplicitRM(base, tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model, [PAIR], epochs=1, mixed_precision=precision, output_dir=folder, progress=False
        )
        trainer.fit()
        again = ExplicitRM.from_pretrained(Path(folder)).to(model.device)
        difference = abs(again.score([PAIR.prompt], ["yes"]) - model.score([PAIR.prompt], ["yes"]))
    if difference > 1e-5:
        raise RuntimeError(f"the saved model scores {difference.item()} away from itself")
    return f"on {model.device}"


def _implicit() -> str:
    base, tokenizer = load_base()
    reward = ImplicitRM(base, tokenizer).score([PAIR.prompt], [PAIR.chosen]).item()
    if reward != 0:
        raise RuntimeError(f"a fresh implicit reward is {reward}, not 0")
    return "a fresh one is exactly 0"


def _distributed() -> str:
    if not torch.distributed.is_available():
        raise RuntimeError("this torch was built without it")
    found = [b for b in ("nccl", "gloo") if getattr(torch.distributed, f"is_{b}_available")()]
    return "torchrun with " + " and ".join(found)


CHECKS: dict[str, Callable[[], str]] = {
    "bundled language models": _bundled,
    "train, save, open, score": _train_and_open,
    "the same in bf16": lambda: _train_and_open("bf16"),
    "implicit reward": _implicit,
    "several processes": _distributed,
}
