"""``minirm score``. Rows come in and go out as they are scored; none is held back."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from minirm.commands.shared import (
    BadCall,
    add_column_arguments,
    count,
    open_reward,
    unescaped,
)
from minirm.data.files import json_lines
from minirm.reward_model import RewardModel


def add(commands: argparse._SubParsersAction) -> None:
    score = commands.add_parser(
        "score",
        help="rewards of responses: JSON lines in, JSON lines out",
        description='Read one JSON object a line, {"prompt": ..., "response": ...}, and write it '
        'again with its "reward". Strings, or conversations. Rewards of different models, or of '
        "an implicit and an explicit one, are on different scales: compare responses to one "
        "prompt under one model.",
        epilog="example:\n"
        """  echo '{"prompt": "Do you? ", "response": "yes"}' | minirm score my-rm""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = score.add_argument
    add("model", metavar="MODEL", help="a folder that `minirm train` wrote")
    add("input", nargs="?", default="-", metavar="FILE", help="default: standard input")
    add("--output", type=Path, metavar="FILE", help="default: standard output")
    add(
        "--batch-size",
        type=count,
        default=64,
        metavar="N",
        help="rows scored together (default: 64); 1 answers every line at once",
    )
    add_column_arguments(score)
    score.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    names = {"prompt": "prompt", "response": "response"}
    if unknown := sorted(set(options.columns) - set(names)):
        raise BadCall(f"--columns here names prompt and response, got {', '.join(unknown)}")
    names |= options.columns
    if options.input != "-" and not Path(options.input).is_file():
        raise FileNotFoundError(f"there is no file {options.input!r}")
    model = open_reward(options.model)
    with ExitStack() as files:
        lines, name = sys.stdin, "standard input"
        if options.input != "-":
            lines = files.enter_context(open(options.input, encoding="utf-8"))
            name = options.input
        out = sys.stdout
        if options.output is not None:
            out = files.enter_context(options.output.open("w", encoding="utf-8"))
        rows = json_lines(lines, name)
        first = 0
        while batch := list(islice(rows, options.batch_size)):
            for row in _scored(model, batch, names, options, first):
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
            out.flush()
            first += len(batch)


def _scored(
    model: RewardModel,
    batch: list[Mapping[str, Any]],
    names: Mapping[str, str],
    options: argparse.Namespace,
    first: int,
) -> Iterator[dict[str, Any]]:
    texts: dict[str, list[Any]] = {field: [] for field in names}
    for number, row in enumerate(batch, first):
        for column in names.values():
            if column not in row:
                raise ValueError(f"row {number} has no {column!r}; it has {sorted(row)}")
        prompt, response = (row[names[field]] for field in ("prompt", "response"))
        if isinstance(prompt, str) and isinstance(response, str):
            if options.chat:
                prompt = [{"role": "user", "content": prompt}]
                response = [{"role": "assistant", "content": response}]
            elif not prompt.endswith(separator := unescaped(options.separator)):
                prompt += separator
        texts["prompt"].append(prompt)
        texts["response"].append(response)
    try:
        rewards = model.score(texts["prompt"], texts["response"], batch_size=len(batch))
    except (TypeError, ValueError) as error:
        raise ValueError(f"in the rows from {first} on, counted from 0: {error}") from error
    for row, reward in zip(batch, rewards.tolist(), strict=True):
        yield {**row, "reward": reward}
