"""``minirm inspect``: a set of comparisons before any model is, or what a model reads in it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from minirm.commands import inspect_data, inspect_model, inspect_model_table, inspect_table
from minirm.commands.files import refuse_to_write_over, written_beside
from minirm.commands.shared import (
    BadCall,
    HelpFormatter,
    add_column_arguments,
    add_format_argument,
    count,
    positive,
)
from minirm.distributed import processes, say
from minirm.pages import data_page, model_page
from minirm.pages.sheet import SIGNED

PRINTED = "-"
DEFAULTS = {"max_items": 100, "seed": 0, "batch_size": 64}
"""Of a model's options; the parser has none, so that one given for data alone is seen."""
DESCRIPTION = """\
minirm inspect DATA ...           what repeats in comparisons, what answers give away without their
                                  prompt (length, cue words), their languages, and what a test
                                  shares with its training set
minirm inspect MODEL --data FILE  what a reward model reads: wordings, openings, order, length,
                                  words of the prompt, the prompt itself, single tokens

With --data the first word is a model, as it is for `evaluate` and `score`; without, it is data. A
model is asked for rewards of rewritten answers too, on items drawn at random (--max-items); answers
that occur several times are scored once. Rows that make no pair, or one too long for the model, are
left out and counted. It runs in one process (`evaluate` shares its answers among several)."""
WORDINGS = """\
wordings:
  Rows that say the same in other words give a meaning share of real rewrites. All rows with one
  value in the column --item are one comparison, and the column --wording says how it is put:
    {"prompt": "2 + 2? ", "chosen": "4", "rejected": "5", "id": 7, "how": "digits"}
    {"prompt": "2 + 2? ", "chosen": "four", "rejected": "five", "id": 7, "how": "words"}
    minirm inspect my-rm --data rows.jsonl --item id --wording how
  Where each wording has a file of its own, --wording is left out. What is not about wordings is
  measured on the first one:
    minirm inspect my-rm --data test.jsonl test-french.jsonl --item prompt"""


def add(commands: argparse._SubParsersAction) -> None:
    inspect = commands.add_parser(
        "inspect",
        help="look at comparisons before any model does, or at what a model reads in them",
        description=DESCRIPTION,
        epilog=WORDINGS,
        formatter_class=HelpFormatter,
    )
    add_ = inspect.add_argument
    add_(
        "what",
        nargs="+",
        metavar="DATA|MODEL",
        help="files, or datasets on the hub; with --data one model: a folder that `minirm train` "
        "wrote, or a classifier with one label",
    )
    add_("--split", default="train", help="of a dataset on the hub")
    add_(
        "--data-config", metavar="NAME", help="which part of a dataset on the hub that has several"
    )
    add_("--limit", type=count, metavar="N", help="read at most N rows of each")
    add_column_arguments(inspect)
    add_format_argument(inspect)
    add_(
        "--json",
        nargs="?",
        const=PRINTED,
        metavar="FILE",
        help="print JSON instead of the report, or write it to FILE (.json) beside the report",
    )
    add_("--html", type=Path, metavar="FILE", help="write one page with pictures (.html) too")
    _add_data_arguments(inspect)
    _add_model_arguments(inspect)
    inspect.set_defaults(run=run)


def _add_data_arguments(inspect: argparse.ArgumentParser) -> None:
    add_ = inspect.add_argument_group("of data").add_argument
    add_(
        "--train",
        nargs="+",
        default=[],
        metavar="FILE_OR_NAME",
        help="look for the sets in these; without it, for each set in all the others",
    )
    add_("--train-split", metavar="NAME", help="of --train's datasets on the hub (default: train)")
    add_("--model", metavar="NAME", help="whose tokenizer, template and context are looked at")


def _add_model_arguments(inspect: argparse.ArgumentParser) -> None:
    add_ = inspect.add_argument_group("of a model").add_argument
    add_(
        "--data",
        nargs="+",
        default=[],
        metavar="FILE_OR_NAME",
        help="comparisons on which a model is looked at",
    )
    add_(
        "--item",
        metavar="COLUMN",
        help="rows that share its value are one comparison in several wordings",
    )
    add_("--wording", metavar="COLUMN", help="says which wording a row has; without it, its file")
    add_(
        "--max-items",
        type=count,
        metavar="N",
        help="look at N items, drawn at random: prompts, with all their pairs and wordings "
        f"(default: {DEFAULTS['max_items']})",
    )
    add_(
        "--seed",
        type=int,
        help=f"draws the items, orders and exchanges (default: {DEFAULTS['seed']})",
    )
    add_(
        "--batch-size",
        type=count,
        metavar="N",
        help=f"most responses scored together (default: {DEFAULTS['batch_size']})",
    )
    add_(
        "--reference",
        metavar="NAME_OR_FOLDER",
        help="the model from which DPO trained MODEL; the reward is the implicit one",
    )
    add_("--beta", type=positive, help="with --reference: reward per nat (default: 0.01)")


def run(options: argparse.Namespace) -> None:
    if (several := processes().num_processes) > 1:
        raise BadCall(
            f"inspect is for one process: each of {several} would do all of it, and write to the "
            "same files; start it without torchrun"
        )
    _check_call(options)
    _check_outputs(options)
    if options.data:
        (options.model,) = options.what
        for name, value in DEFAULTS.items():
            if getattr(options, name) is None:
                setattr(options, name, value)
        report = inspect_model.look_at_model(options)
        text, page = inspect_model_table.text_of, model_page.page_of
    else:
        report = inspect_data.look_at_data(options)
        text, page = inspect_table.text_of, data_page.page_of
    as_json = json.dumps(report, indent=1, allow_nan=False)
    for path, content in _written(options, report, page, as_json):
        with written_beside(path) as file:
            file.write(content)
    say(as_json if options.json == PRINTED else text(report))


def _written(
    options: argparse.Namespace, report: Mapping[str, Any], page: Any, as_json: str
) -> list[tuple[Path, str]]:
    found = []
    if options.json not in (None, PRINTED):
        found.append((Path(options.json), as_json + "\n"))
    if options.html is not None:
        found.append((options.html, page(report)))
    return found


def _check_call(options: argparse.Namespace) -> None:
    """Refuse arguments of the other half of the command."""
    of_data = {
        "--train": options.train,
        "--train-split": options.train_split,
        "--model": options.model,
    }
    of_model = {
        "--item": options.item,
        "--wording": options.wording,
        "--reference": options.reference,
        "--beta": options.beta,
        "--max-items": options.max_items,
        "--seed": options.seed,
        "--batch-size": options.batch_size,
    }
    if not options.data:
        if options.train_split is not None and not options.train:
            raise BadCall(
                "--train-split needs --train, the sets in which the others are looked for"
            )
        if given := [flag for flag, value in of_model.items() if value is not None]:
            raise BadCall(f"{given[0]} is for a model: minirm inspect MODEL --data FILE")
        folders = [name for name in options.what if Path(name).is_dir()]
        if folders:
            raise BadCall(
                f"{folders[0]!r} is a folder, not data: to look at what a model reads, name the "
                f"data too, as in minirm inspect {folders[0]} --data FILE"
            )
        return
    if len(options.what) > 1:
        raise BadCall(
            f"with --data one model is looked at, got {len(options.what)} names: "
            f"{', '.join(options.what)}"
        )
    if given := [flag for flag, value in of_data.items() if value]:
        raise BadCall(f"{given[0]} is for data alone: minirm inspect DATA {given[0]} ...")
    if options.wording is not None and options.item is None:
        raise BadCall("--wording needs --item, the column that says which rows are one comparison")


def _check_outputs(options: argparse.Namespace) -> None:
    """Nothing is written over what is read, nor is a file of data taken for a place to write."""
    outputs = {".html": (options.html, "--html")}
    if options.json != PRINTED:
        outputs[".json"] = (options.json, "--json")
    inputs = [Path(name) for name in (*options.what, *options.train, *options.data)]
    for suffix, (output, flag) in outputs.items():
        if output is None:
            continue
        if Path(output).suffix != suffix:
            raise BadCall(f"{flag} writes to a file that ends in {suffix}, got {str(output)!r}")
        _check_output(Path(output), flag, inputs)
    if options.json not in (None, PRINTED):
        _check_old_report(Path(options.json))
    page = options.html
    if page is not None and page.exists() and SIGNED not in page.read_text(errors="replace"):
        raise FileExistsError(_no_report("--html", page))


def _check_output(output: Path, flag: str, inputs: Sequence[Path]) -> None:
    if output.parent != Path() and not output.parent.is_dir():
        raise FileNotFoundError(f"{flag} {output}: there is no folder {str(output.parent)!r}")
    partial = output.with_name(f"{output.name}.partial")
    if partial.exists() and partial.stat().st_size:
        raise FileExistsError(
            f"{partial} holds what a stopped run wrote: move it away or delete it first"
        )
    if output.is_dir():
        raise IsADirectoryError(f"{flag} {output} is a folder")
    files = [file for name in inputs for file in ([name] if not name.is_dir() else name.rglob("*"))]
    refuse_to_write_over(output, files, f"{flag} {output}")


def _check_old_report(path: Path) -> None:
    """`--json FILE` followed by data would take the first file of data for FILE."""
    if not path.exists():
        return
    try:
        old = json.loads(path.read_text())
    except ValueError:
        old = None
    if not (isinstance(old, dict) and "shared" in old):
        raise FileExistsError(_no_report("--json", path))


def _no_report(flag: str, path: Path) -> str:
    return f"{flag} {path}: that file is there and is no report of `minirm inspect`; name another"
