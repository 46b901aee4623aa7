"""How the tests call the command line, and what they call it with."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tiny import PAIRS

from minirm import cli

ROOT = Path(__file__).parents[2]
ROWS = [
    {"prompt": p.prompt, "chosen": p.chosen, "rejected": p.rejected, "kind": "ab"[i % 3 == 0]}
    for i, p in enumerate(PAIRS)
]
TRAIN = ("train", "--model", "base", "--data", "pairs.jsonl", "--output", "out", "--epochs", "2")


def call(*arguments):
    """Run a command in this process; its exit status."""
    return cli.main([str(a) for a in arguments])


def status_of(arguments):
    """The same where argparse may leave by itself."""
    try:
        return call(*arguments)
    except SystemExit as error:
        return error.code


def start(*arguments, **options):
    """``python -m minirm`` in a process of its own, with pipes."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = [sys.executable, "-m", "minirm", *map(str, arguments)]
    return subprocess.Popen(command, text=True, env=environment, **(pipes | options))


def lines(name):
    return Path(name).read_text().splitlines()


def write_rows(name, rows):
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
