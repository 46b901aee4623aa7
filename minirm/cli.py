"""The command line: collects the commands, and turns an error into one line and a status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import torch

from minirm import __version__
from minirm.commands import doctor, evaluate, experiment, grade, pretrain, score, train
from minirm.commands.shared import BadCall


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 1 for a failed run, 2 for a bad call.

    A call is bad where its words alone show it; a file that is not there is a run that failed.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = build_parser()
    options = parser.parse_args(arguments)
    options.command_line = "minirm " + " ".join(arguments)
    try:
        options.run(options)
    except KeyboardInterrupt:
        return _failed("stopped", 1)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or closing it complains
        return 0
    except BadCall as error:
        return _failed(error, 2)
    except (OSError, ValueError, TypeError, ArithmeticError, RuntimeError, ImportError) as error:
        return _failed(error, 1)
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    return 0


def _failed(error: object, status: int) -> int:
    """Say in one line what went wrong; with MINIRM_TRACEBACK=1 show where."""
    if os.environ.get("MINIRM_TRACEBACK") == "1" and isinstance(error, BaseException):
        raise error
    print(f"minirm: {error}", file=sys.stderr)
    return status


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; each command adds its own part."""
    parser = argparse.ArgumentParser(
        prog="minirm",
        description="Explicit and implicit reward models, side by side.",
        epilog="`minirm COMMAND --help` explains a command; start with `minirm doctor`.",
    )
    parser.add_argument("--version", action="version", version=f"minirm {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (train, evaluate, score, grade, doctor, experiment, pretrain):
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
