"""Settings that fit a machine: of each experiment on a real model a table of its own options."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import torch

Options = Mapping[str, tuple[str, ...]]

MODEL = "Qwen/Qwen2.5-1.5B-Instruct"
"""One of the paper's four of the Persona experiment, and free to fetch."""

THREE = ("explicit", "explicit, mean", "implicit")
REAL: Mapping[str, Options] = {
    "cpu": {
        "--bases": ("smollm2",), "--designs": ("paper", "all prefixes"),
        "--rewards": ("explicit", "implicit"), "--epochs": ("4",), "--prompts": ("5",),
    },
    "16gb": {
        "--bases": (MODEL,), "--lora": ("16",), "--lr": ("1e-4",),
        "--designs": ("paper", "all prefixes"), "--rewards": THREE, "--prompts": ("5",),
    },
    "80gb": {
        "--bases": (MODEL,), "--lr": ("1e-6",), "--epochs": ("50",), "--batch-size": ("32",),
        "--designs": ("paper", "all prefixes"), "--rewards": THREE, "--seeds": ("3",),
    },
}  # fmt: skip
"""For ``minirm experiment real``. The last has the paper's rate, epochs and batch size."""

SHIFTS: Mapping[str, Options] = {
    "cpu": {
        "--base": ("smollm2",), "--epochs": ("1",), "--batch-size": ("8",),
        "--micro-batch-size": ("4",), "--max-pairs": ("80",), "--max-items": ("15",),
        "--max-prompt": ("128",), "--max-answer": ("96",),
    },
    "16gb": {
        "--base": (MODEL,), "--lora": ("16",), "--lr": ("1e-4",), "--epochs": ("1",),
        "--micro-batch-size": ("2",), "--max-pairs": ("300",), "--max-items": ("50",),
        "--max-prompt": ("256",), "--max-answer": ("256",),
    },
    "80gb": {
        "--base": (MODEL,), "--lr": ("1e-6",), "--micro-batch-size": ("4",),
        "--precision": ("tf32",),
    },
}  # fmt: skip
"""For ``minirm experiment shifts``. The last has the paper's rate, epochs and batch size."""

AT_LEAST = {"80gb": 70e9, "16gb": 14e9}
"""Bytes of a GPU from which a preset is taken for it; below them it is "cpu"."""


def add_preset_argument(command: argparse.ArgumentParser, table: Mapping[str, Options]) -> None:
    command.add_argument(
        "--preset",
        choices=("auto", *table),
        help="options that fit a machine, auto: this one; the call's own options win",
    )


def fitting() -> tuple[str, str]:
    """The name of the preset for this machine, and why it is that."""
    if not torch.cuda.is_available():
        return "cpu", "no GPU was found"
    card = torch.cuda.get_device_properties(0)
    name = next((name for name, least in AT_LEAST.items() if card.total_memory >= least), "cpu")
    return name, f"for {card.name} with {card.total_memory / 1e9:.0f} GB"


def with_preset(
    options: argparse.Namespace,
    add_options: Callable[[argparse.ArgumentParser], Any],
    table: Mapping[str, Options],
) -> argparse.Namespace:
    """The options with those of the preset that they name; the command in full is printed.

    Args:
        options: as they were parsed, with the "command_line" that they were parsed from.
        add_options: gives a parser the command's own options.
        table: the presets by name.

    Returns:
        the same for the command in full, "command_line" included.
    """
    name, why = options.preset, "as asked for"
    if name == "auto":
        name, why = fitting()
    head, own = _split(options.command_line)
    parser = argparse.ArgumentParser()
    add_options(parser)
    chosen = {option: [option, *values] for option, values in table[name].items()}
    alone = parser.parse_args(_joined(chosen))
    found = parser.parse_args([*_joined(chosen), *own])  # of two values the later one holds
    for option in table[name]:
        place = option.removeprefix("--").replace("-", "_")
        if getattr(found, place) != getattr(alone, place):
            del chosen[option]
    found.command_line = shlex.join([*head, *_joined(chosen), *own])
    print(f"preset {name} ({why}):\n  {found.command_line}")
    return found


def _split(command_line: str) -> tuple[list[str], list[str]]:
    """``minirm experiment NAME`` and the words after it, but for ``--preset``."""
    words = shlex.split(command_line)
    preset = argparse.ArgumentParser(add_help=False)
    preset.add_argument("--preset")
    return words[:3], preset.parse_known_args(words[3:])[1]


def _joined(words: Mapping[str, list[str]]) -> list[str]:
    return [*chain.from_iterable(words.values())]
