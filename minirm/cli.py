"""The command line: collects the commands, and turns an error into one line and a status."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from transformers.utils import logging

from minirm import __version__
from minirm.commands import (
    base,
    doctor,
    evaluate,
    experiment,
    grade,
    inspect,
    merge,
    pretrain,
    score,
    train,
)
from minirm.commands.shared import BadCall

EXPLAINED = (OSError, ValueError, TypeError, ArithmeticError, RuntimeError, ImportError)
"""Errors whose message says enough; others are told by their type too."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the words after ``minirm``; default: those that the process was called with.

    Returns:
        the exit status: 0, 1 for a failed run, 2 for a bad call. A call is bad where its words
        alone show it; a file that is not there is a run that failed.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = build_parser().parse_args(arguments)
    options.command_line = "minirm " + shlex.join(arguments)
    try:
        with _one_voice():
            options.run(options)
    except KeyboardInterrupt as error:
        return _failed(error, 1)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or closing it complains
        return 0
    except BadCall as error:
        return _failed(error, 2)
    except Exception as error:  # other people's packages raise what they like
        return _failed(error, 1)
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    return 0


@contextmanager
def _one_voice() -> Iterator[None]:
    """Keep transformers' remarks (what it loaded, resized, ...) apart, and a warning to one line.

    What matters in them this library says itself. TRANSFORMERS_VERBOSITY brings them back.
    """
    level, form = logging.get_verbosity(), warnings.formatwarning
    if "TRANSFORMERS_VERBOSITY" not in os.environ:
        logging.set_verbosity_error()
    warnings.formatwarning = lambda message, *_, **__: f"minirm: warning: {message}\n"
    try:
        yield
    finally:
        logging.set_verbosity(level)
        warnings.formatwarning = form


def _failed(error: BaseException, status: int) -> int:
    """Say in one line what went wrong; with MINIRM_TRACEBACK=1 show where."""
    if os.environ.get("MINIRM_TRACEBACK") == "1":
        raise error
    print(f"minirm: {_in_one_line(error)}", file=sys.stderr)
    return status


def _in_one_line(error: BaseException) -> str:
    """The error's first words, and where they say too little its type.

    >>> _in_one_line(ValueError("no such column"))
    'no such column'
    >>> _in_one_line(ValueError())
    'ValueError'
    >>> _in_one_line(KeyError("layers"))
    "KeyError: 'layers'"
    """
    first, *rest = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    if rest and first.endswith(":"):  # a heading: torch's, where weights do not fit
        first, *rest = [f"{first} {rest[0]}", *rest[1:]]
    if rest:
        first += " (MINIRM_TRACEBACK=1 shows the rest)"
    if isinstance(error, KeyboardInterrupt):
        first = "stopped"
    elif not (isinstance(error, EXPLAINED) and first):
        first = f"{type(error).__name__}: {first}".removesuffix(": ")
    return "; ".join([first, *getattr(error, "__notes__", [])])


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="minirm",
        description="Explicit and implicit reward models, side by side.",
        epilog="`minirm COMMAND --help` explains a command; start with `minirm doctor`.",
    )
    parser.add_argument("--version", action="version", version=f"minirm {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    collected = (train, evaluate, score, inspect, merge, grade, doctor, experiment, pretrain, base)
    for command in collected:
        command.add(commands)
    return parser


if __name__ == "__main__":  # as `python -m minirm.cli`, which does the same as -m minirm
    sys.exit(main())
