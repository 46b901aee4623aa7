"""``minirm evaluate``."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from minirm import metrics
from minirm.commands.opening import add_model_arguments, open_reward
from minirm.commands.shared import (
    HelpFormatter,
    add_data_arguments,
    count,
    read_pairs,
    table,
    warn_of_glued_strings,
)
from minirm.distributed import say
from minirm.evaluation import pair_rewards
from minirm.pairs import EncodedPair, PreferencePair, encode_pairs
from minirm.reward_model import RewardModel


def add(commands: argparse._SubParsersAction) -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="accuracy, margins and calibration of a reward model",
        description="How often a reward model prefers the chosen response (a tie counts one half), "
        "by how much, and\nhow far its confidence sigmoid(r+ - r-) is to be trusted (expected "
        "calibration error, Brier score).\nThe 95 % interval is Wilson's, or Student's t over "
        "prompts where prompts repeat.",
        formatter_class=HelpFormatter,
    )
    add_model_arguments(evaluate)
    add_data_arguments(evaluate)
    evaluate.add_argument("--by", metavar="COLUMN", help="also for each value of this column")
    evaluate.add_argument(
        "--batch-size", type=count, default=64, metavar="N", help="responses scored together"
    )
    evaluate.add_argument("--json", action="store_true", help="print JSON instead of a table")
    evaluate.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    loaded = read_pairs(options.data, options)
    pairs, rows = loaded.pairs, loaded.rows
    if options.by is not None and options.by not in rows[0]:
        raise ValueError(f"--by {options.by}: no such column; there are {sorted(rows[0])}")
    model = open_reward(options)
    warn_of_glued_strings(options.data, pairs, model)
    encoded, dropped = encode_pairs(
        pairs,
        model.encode,
        max_length=model.max_length,
        overlong=options.overlong,
        bad_rows=options.bad_rows,
    )
    if dropped.bad:
        print(
            f"{options.data}: left out {len(dropped.bad)} of {len(pairs)} pairs that the model "
            f"cannot read; the first: {dropped.bad[0]}",
            file=sys.stderr,
        )
    pairs, rows = [pairs[i] for i in dropped.kept], [rows[i] for i in dropped.kept]
    chosen, rejected = pair_rewards(model, encoded, batch_size=options.batch_size)
    _check_finite(model, pairs, encoded, (chosen, rejected))
    prompts = [_prompt(pair) for pair in pairs]
    report: dict[str, Any] = {"model": options.model, "data": options.data, "reward": model.kind}
    report |= {"overlong": dropped.overlong, "bad_rows": len(loaded.dropped) + len(dropped.bad)}
    report |= measures(chosen, rejected, prompts)
    if options.by is not None:
        groups: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            groups.setdefault(str(row.get(options.by)), []).append(place)
        report["by"] = {
            group: measures(chosen[places], rejected[places], [prompts[i] for i in places])
            for group, places in sorted(groups.items())
        }
    say(json.dumps(report, indent=1, allow_nan=False) if options.json else _table(report))


def measures(chosen: Tensor, rejected: Tensor, prompts: Sequence[str]) -> dict[str, Any]:
    """What the command prints.

    Args:
        chosen: rewards [B].
        rejected: rewards [B].
        prompts: [B], what each pair's prompt is told apart by.
    """
    accuracy = metrics.accuracy(chosen, rejected)
    right = ((chosen > rejected) + 0.5 * (chosen == rejected)).double().tolist()
    return {
        "pairs": len(chosen),
        "prompts": len(set(prompts)),
        "accuracy": accuracy,
        "interval": metrics.clustered_interval(right, prompts),
        "margin": float((chosen - rejected).double().mean()),
        "normalised_margin": metrics.normalised_margin(chosen, rejected),
        "calibration_error": metrics.calibration_error(chosen, rejected),
        "brier_score": metrics.brier_score(chosen, rejected),
    }


def _prompt(pair: PreferencePair) -> str:
    return json.dumps([pair.prompt, pair.tools], default=str, sort_keys=True)


def _check_finite(
    model: RewardModel,
    pairs: Sequence[PreferencePair],
    encoded: Sequence[EncodedPair],
    rewards: Sequence[Tensor],
) -> None:
    wrong = torch.nonzero(~torch.stack(list(rewards)).isfinite()).tolist()
    for side, i in sorted(wrong, key=lambda at: at[1]):
        sequence = (encoded[i].chosen, encoded[i].rejected)[side]
        # Alone, for in a shared row one that is not finite spoils those beside it.
        reward = model.score_encoded([sequence]).item()
        if not math.isfinite(reward):
            raise ValueError(
                f"{pairs[i].origin or f'pair {i}, counted from 0'}: the reward of the "
                f"{('chosen', 'rejected')[side]} response is {reward}, so no ranking can be read "
                "from it"
            )


def _table(report: dict[str, Any]) -> str:
    head = ["", "pairs", "accuracy", "95 % interval", "margin", "normalised", "ECE", "Brier"]
    body = [_cells("all", report)]
    body += [_cells(name, group) for name, group in report.get("by", {}).items()]
    lines = [table([head, *body])]
    if report["prompts"] < report["pairs"]:
        lines.append(
            f"{report['pairs']} pairs on {report['prompts']} prompts: the intervals count a "
            "prompt as one unit"
        )
    if report["overlong"]:
        lines.append(f"left out as too long for the model's context: {report['overlong']}")
    return "\n".join(lines)


def _cells(name: str, found: dict[str, Any]) -> list[str]:
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
