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

from minirm.baselines import Scorer, baselines
from minirm.commands.evaluate_report import Sample, Scored, compared, reported
from minirm.commands.evaluate_table import text_of
from minirm.commands.opening import add_model_arguments, holds_reward, open_reward
from minirm.commands.shared import (
    BadCall,
    HelpFormatter,
    add_data_arguments,
    count,
    read_pairs,
    warn_of_glued_strings,
)
from minirm.data.benchmarks import check_one_format, item
from minirm.data.inspection import opposed, same_prompt
from minirm.data.preferences import Loaded
from minirm.distributed import say
from minirm.evaluation import pair_rewards
from minirm.metrics.intervals import linked
from minirm.pairs import EncodedPair, PreferencePair, encode_pairs
from minirm.reward_model import RewardModel


def add(commands: argparse._SubParsersAction) -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="accuracy, margins and calibration of a reward model, or of two side by side",
        description="How often a reward model prefers the chosen response (a tie counts one half), "
        "by how much, and\nhow far its confidence sigmoid(r+ - r-) is to be trusted (expected "
        "calibration error, Brier score).\nThe 95 % interval is Wilson's, or Student's t over "
        "prompts where prompts repeat. RewardBench (1, 2 and M-),\nRM-Bench, JudgeBench and LLMBar "
        "are known by their columns and scored as they define it. Baselines that\nread no prompt "
        "stand beside; * marks what one of them reaches. Two models are compared pair by pair.",
        formatter_class=HelpFormatter,
    )
    add_model_arguments(evaluate, several=True)
    data = add_data_arguments(evaluate)
    data.add_argument(
        "--train",
        metavar="FILE_OR_NAME",
        help="training pairs, from which more baselines learn: cue words, and TF-IDF",
    )
    data.add_argument(
        "--item",
        metavar="COLUMN",
        help="rows that share its value are versions of one item: one unit in the intervals",
    )
    evaluate.add_argument("--by", metavar="COLUMN", help="also for each value of this column")
    evaluate.add_argument(
        "--batch-size", type=count, default=64, metavar="N", help="responses scored together"
    )
    evaluate.add_argument("--json", action="store_true", help="print JSON instead of a table")
    evaluate.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    if len(options.model) > 2:
        raise BadCall(f"one model is evaluated, or two are compared; got {len(options.model)}")
    loaded = read_pairs(options.data, options)
    benchmark = check_one_format(options.data, loaded.formats)
    for flag, column in (("--by", options.by), ("--item", options.item)):
        if column is not None and column not in loaded.rows[0]:
            raise ValueError(f"{flag} {column}: no such column; there are {sorted(loaded.rows[0])}")
    usable = _agreeing(loaded, options)
    training = _training(options)
    found = [_rewards(name, loaded.pairs, usable, options) for name in options.model]
    kept = [i for i in usable if all(i in rewards for _, rewards in found)]
    if not kept:
        raise ValueError(f"{options.data}: there is no pair that both models can read")
    sample = _sample(loaded, kept, benchmark, options)
    cheap = [
        _baseline(name, scorer, [loaded.pairs[i] for i in kept])
        for name, scorer in baselines(training).items()
    ]
    bad = len(loaded.dropped) + len(loaded.pairs) - len(usable)
    reports = []
    for name, (said, rewards) in zip(options.model, found, strict=True):
        model = Scored(name, *torch.stack([rewards[i] for i in kept]).unbind(1))
        head = {"model": name, "data": options.data, "format": " and ".join(loaded.formats)}
        head |= said | {"bad_rows": said["bad_rows"] + bad}
        reports.append((model, head | reported(model, cheap, sample)))
    report = reports[0][1]
    if len(reports) > 1:
        (first, _), (second, _) = reports
        report = {"models": [r for _, r in reports], "comparison": compared(first, second, sample)}
    say(json.dumps(report, indent=1, allow_nan=False) if options.json else text_of(report))


def _training(options: argparse.Namespace) -> Sequence[PreferencePair]:
    if options.train is None:
        return []
    return read_pairs(options.train, argparse.Namespace(**vars(options) | {"limit": None})).pairs


def _agreeing(loaded: Loaded, options: argparse.Namespace) -> list[int]:
    """The places of the pairs that no other pair contradicts."""
    clashes = opposed(loaded.pairs)
    if clashes and options.bad_rows == "error":
        one, other = (loaded.pairs[i].origin for i in clashes[0])
        place = str(one).removeprefix(f"{options.data}, ")
        raise ValueError(
            f"{other} prefers the answer that {place} rejects, to the same prompt: the labels "
            "contradict each other (--bad-rows drop leaves both out)"
        )
    out = {i for clash in clashes for i in clash}
    if out:
        print(
            f"{options.data}: left out {len(out)} pairs whose labels contradict each other",
            file=sys.stderr,
        )
    return [i for i in range(len(loaded.pairs)) if i not in out]


def _rewards(
    name: str, pairs: Sequence[PreferencePair], usable: Sequence[int], options: argparse.Namespace
) -> tuple[dict[str, Any], dict[int, Tensor]]:
    """What to say of a model, and its rewards [2] by the place of the pair."""
    own = argparse.Namespace(**vars(options) | {"model": name})
    if len(options.model) > 1 and options.reference is not None and holds_reward(name):
        own.reference = own.beta = None  # they are the other model's
    model = open_reward(own)
    pairs = [pairs[i] for i in usable]
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
    both = pair_rewards(model, encoded, batch_size=options.batch_size)
    _check_finite(model, [pairs[i] for i in dropped.kept], encoded, both)
    said = {"reward": model.kind, "overlong": dropped.overlong, "bad_rows": len(dropped.bad)}
    places = [usable[i] for i in dropped.kept]
    return said, dict(zip(places, torch.stack(both, 1).unbind(), strict=True))


def _baseline(name: str, scorer: Scorer, pairs: Sequence[PreferencePair]) -> Scored:
    prompts = [pair.prompt for pair in pairs]
    sides = ([getattr(pair, side) for pair in pairs] for side in ("chosen", "rejected"))
    chosen, rejected = (scorer.score(prompts, responses) for responses in sides)
    return Scored(name, chosen, rejected)


def _sample(
    loaded: Loaded, kept: Sequence[int], benchmark: str | None, options: argparse.Namespace
) -> Sample:
    rows = [loaded.rows[i] for i in kept]
    prompts = [same_prompt(loaded.pairs[i]) for i in kept]
    items = [item(benchmark, row) if options.item is None else row[options.item] for row in rows]
    groups: dict[str, list[int]] = {}
    for place, row in enumerate(rows if options.by is not None else ()):
        groups.setdefault(str(row.get(options.by)), []).append(place)
    units = linked(prompts, [None if it is None else str(it) for it in items])
    return Sample(rows, prompts, units, benchmark, dict(sorted(groups.items())))


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
