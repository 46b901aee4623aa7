"""What the commands share: data and its arguments, types of arguments, and telling a bad call."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, PreferencePair, load_base
from minirm.data.benchmarks import FORMATS, PLAIN
from minirm.data.preferences import Loaded, glued_strings, load_preferences
from minirm.reward_model import RewardModel

REWARDS: dict[str, type[RewardModel]] = {
    kind.kind: kind for kind in (ExplicitRM, ImplicitRM, GenerativeRM)
}


class BadCall(ValueError):
    """The arguments contradict each other or name something that no command has: exit status 2."""


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Defaults in the help where there is one, and descriptions line by line as written."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return super()._get_help_string(action) if action.default else action.help


def open_base(name: str, dtype: torch.dtype) -> tuple[Any, Any]:
    """``load_base``; what cannot be found is an error of one line."""
    with told_in_one_line(name):
        return load_base(name, dtype=dtype)


@contextmanager
def told_in_one_line(name: str) -> Iterator[None]:
    """Where transformers cannot find ``name`` it explains itself over many lines: keep the first.

    Raises:
        FileNotFoundError: in place of its OSError.
    """
    try:
        yield
    except OSError as error:
        if str(error).startswith("no model "):  # said already, of another name
            raise
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise FileNotFoundError(f"no model {name!r}: {first}") from error


def add_data_arguments(command: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Where comparisons come from and how their rows are read; the group of these arguments."""
    data = command.add_argument_group(
        "data",
        "Rows with prompt, chosen and rejected: strings, or conversations (lists of messages "
        "with role and content). Whole conversations that share their first turns need no prompt.",
    )
    add = data.add_argument
    add(
        "--data",
        required=True,
        metavar="FILE_OR_NAME",
        help="JSON lines, CSV or Parquet (also .gz), or a dataset on the hub (owner/name; needs "
        "minirm[hub])",
    )
    add("--split", default="train", help="of a dataset on the hub")
    add("--data-config", metavar="NAME", help="which part of a dataset on the hub that has several")
    add_column_arguments(data)
    add(
        "--bad-rows",
        choices=("error", "drop"),
        default="error",
        help="rows that make no pair: stop, or leave them out and count them",
    )
    add(
        "--overlong",
        choices=("error", "drop"),
        default="error",
        help="pairs over the model's context: stop, or leave them out and count them",
    )
    add("--limit", type=count, metavar="N", help="read at most N rows")
    return data


def add_column_arguments(group: Any) -> None:
    """What the columns are called, and how strings become text for a model."""
    add = group.add_argument
    add(
        "--columns",
        type=column_names,
        default={},
        metavar="FIELD=COLUMN,...",
        help="unusual names of columns, as in prompt=question,chosen=better",
    )
    add(
        "--chat",
        action="store_true",
        default=None,
        help="read strings as turns, with the chat template; a trained model knows",
    )
    add(
        "--separator",
        metavar="TEXT",
        help="put between a prompt and its response; a trained model knows",
    )


def add_format_argument(group: Any) -> None:
    """What the rows of the data are, where their columns say something else."""
    group.add_argument(
        "--format",
        choices=FORMATS,
        help=f"what the data is, where its columns say something else: {PLAIN} is no benchmark",
    )


def read_pairs(
    source: str,
    options: argparse.Namespace,
    split: str | None = None,
    *,
    format: str | None = None,
) -> Loaded:
    """Pairs and what else was found, as ``add_data_arguments`` was answered.

    Args:
        source: a file, or the name of a dataset on the hub.
        options: the parsed arguments.
        split: of a dataset on the hub; None for the one that the arguments name.
        format: what its rows are (``add_format_argument``); None: as their columns say.
    """
    return load_preferences(
        source,
        split=split or options.split,
        config=options.data_config,
        columns=options.columns,
        format=format,
        bad_rows=options.bad_rows,
        limit=options.limit,
    )


def warn_of_glued_strings(source: str, pairs: Sequence[PreferencePair], model: RewardModel) -> None:
    """Say so where most prompts run straight into their responses, as the model reads them."""
    how = model.text_format
    if warning := glued_strings(pairs, chat=how.chat, separator=how.separator):
        print(f"{source}: {warning}", file=sys.stderr)


def unescaped(text: str) -> str:
    r"""``\n`` as a shell passes it on is meant as a line break."""
    return text.replace("\\n", "\n").replace("\\t", "\t")


def column_names(text: str) -> dict[str, str]:
    """``prompt=question,chosen=better`` as a mapping."""
    names = {}
    for part in text.split(","):
        field, equals, column = part.partition("=")
        if not (field.strip() and equals and column.strip()):
            raise argparse.ArgumentTypeError(f"must be FIELD=COLUMN,..., got {text!r}")
        names[field.strip()] = column.strip()
    return names


def count(text: str) -> int:
    """A whole number from 1 on."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return value


def positive(text: str) -> float:
    """A finite number above 0."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be positive and finite, got {text}")
    return value


def above_chance(text: str) -> float:
    """A share of pairs from one half, which a coin has, to 1."""
    value = float(text)
    if not 0.5 < value <= 1:
        raise argparse.ArgumentTypeError(f"must be a share above 0.5 and at most 1, got {text}")
    return value


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells, the first column to the left and the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)
