"""``minirm evaluate``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import Any

from torch import Tensor

from minirm import metrics
from minirm.commands.shared import (
    add_data_arguments,
    count,
    open_reward,
    read_pairs,
    table,
)
from minirm.distributed import say
from minirm.evaluation import pair_rewards
from minirm.pairs import encode_pairs


def add(commands: argparse._SubParsersAction) -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="accuracy, margins and calibration of a saved reward model",
        description="How often a saved reward model prefers the chosen response (a tie counts "
        "one half; 95%% Wilson interval), by how much, and how far its confidence "
        "sigmoid(r+ - r-) is to be trusted (expected calibration error, Brier score).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    evaluate.add_argument("model", metavar="MODEL", help="a folder that `minirm train` wrote")
    add_data_arguments(evaluate)
    evaluate.add_argument("--by", metavar="COLUMN", help="also for each value of this column")
    evaluate.add_argument("--batch-size", type=count, default=64, metavar="N")
    evaluate.add_argument("--json", action="store_true", help="print JSON instead of a table")
    evaluate.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    pairs, rows = read_pairs(options.data, options)
    if options.by is not None and options.by not in rows[0]:
        raise ValueError(f"--by {options.by}: no such column; there are {sorted(rows[0])}")
    model = open_reward(options.model)
    encoded, _ = encode_pairs(pairs, model.encode)
    limit = model.max_length
    fits = [limit is None or len(pair) <= limit for pair in encoded]
    if not all(fits):
        longest = max(map(len, encoded))
        what = f"{fits.count(False)} of {len(fits)} pairs exceed the context of {limit} tokens"
        if options.overlong == "error" or not any(fits):
            raise ValueError(
                f"{what} (the longest has {longest}; the first is row {fits.index(False)}); "
                "leave them out with --overlong drop"
            )
    kept = [i for i, fine in enumerate(fits) if fine]
    chosen, rejected = pair_rewards(
        model, [encoded[i] for i in kept], batch_size=options.batch_size
    )
    report: dict[str, Any] = {"model": options.model, "data": options.data, "reward": model.kind}
    report |= {"overlong": fits.count(False), **measures(chosen, rejected)}
    if options.by is not None:
        groups: dict[str, list[int]] = {}
        for place, i in enumerate(kept):
            groups.setdefault(str(rows[i].get(options.by)), []).append(place)
        report["by"] = {
            group: measures(chosen[places], rejected[places])
            for group, places in sorted(groups.items())
        }
    say(json.dumps(report, indent=1) if options.json else _table(report))


def measures(chosen: Tensor, rejected: Tensor) -> dict[str, Any]:
    """What the command prints, from rewards [B] and [B]."""
    accuracy = metrics.accuracy(chosen, rejected)
    return {
        "pairs": len(chosen),
        "accuracy": accuracy,
        "interval": metrics.wilson_interval(accuracy * len(chosen), len(chosen)),
        "margin": float((chosen - rejected).double().mean()),
        "normalised_margin": metrics.normalised_margin(chosen, rejected),
        "calibration_error": metrics.calibration_error(chosen, rejected),
        "brier_score": metrics.brier_score(chosen, rejected),
    }


def _table(report: dict[str, Any]) -> str:
    head = ["", "pairs", "accuracy", "95 % interval", "margin", "normalised", "ECE", "Brier"]
    body = [_cells("all", report)]
    body += [_cells(name, group) for name, group in report.get("by", {}).items()]
    lines = table([head, *body])
    if report["overlong"]:
        lines += f"\nleft out as too long for the model's context: {report['overlong']}"
    return lines


def _cells(name: str, found: dict[str, Any]) -> Iterable[str]:
    low, high = found["interval"]
    return [
        name,
        str(found["pairs"]),
        f"{found['accuracy']:.4f}",
        f"{low:.4f}-{high:.4f}",
        f"{found['margin']:.4g}",
        f"{found['normalised_margin']:.3f}",
        f"{found['calibration_error']:.4f}",
        f"{found['brier_score']:.4f}",
    ]
