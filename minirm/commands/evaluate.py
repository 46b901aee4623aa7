"""``minirm evaluate``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from minirm.baselines import Scorer, baselines
from minirm.commands.evaluate_report import Scored, compared, reported
from minirm.commands.evaluate_rewards import check_finite, side_rewards
from minirm.commands.evaluate_sample import (
    agreeing,
    check_columns,
    in_training,
    sample_of,
    training_pairs,
)
from minirm.commands.evaluate_table import text_of
from minirm.commands.files import refuse_to_write_over
from minirm.commands.kept_rewards import KeptRewards
from minirm.commands.opening import (
    AS_PUBLISHED,
    add_model_arguments,
    fetched,
    holds_reward,
    open_reward,
)
from minirm.commands.shared import (
    BadCall,
    HelpFormatter,
    above_chance,
    add_data_arguments,
    add_format_argument,
    count,
    read_pairs,
    told_in_one_line,
    warn_of_glued_strings,
)
from minirm.data.benchmarks import check_one_format
from minirm.distributed import processes, say
from minirm.encoding import TextFormat
from minirm.models.bases import load_base
from minirm.pairs import PreferencePair, encode_pairs, placed
from minirm.plurals import counted
from minirm.reward_model import RewardModel
from minirm.rewards import ImplicitRM


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
    _add_data_arguments(evaluate)
    evaluate.add_argument("--by", metavar="COLUMN", help="also for each value of this column")
    evaluate.add_argument(
        "--batch-size", type=count, default=64, metavar="N", help="most responses scored together"
    )
    evaluate.add_argument(
        "--likelihood",
        metavar="NAME_OR_FOLDER",
        help="a language model, such as the one that MODEL was made from, whose ln pi stands among "
        "the baselines; the reference of an implicit reward always does, and costs nothing more",
    )
    evaluate.add_argument(
        "--ceiling",
        type=above_chance,
        metavar="SHARE",
        help="the accuracy at which the noise of the labels ends any model's, such as how often "
        "people agree with them; it stands in the table as given",
    )
    evaluate.add_argument(
        "--keep", type=Path, metavar="FILE", help="keep rewards in FILE as they come"
    )
    evaluate.add_argument(
        "--resume", action="store_true", help="go on with what --keep FILE holds after a stop"
    )
    evaluate.add_argument("--json", action="store_true", help="print JSON instead of a table")
    evaluate.set_defaults(run=run)


def _add_data_arguments(evaluate: argparse.ArgumentParser) -> None:
    data = add_data_arguments(evaluate)
    add_format_argument(data)
    data.add_argument(
        "--train",
        metavar="FILE_OR_NAME",
        help="training pairs, from which more baselines learn: cue words, and TF-IDF",
    )
    data.add_argument("--train-split", default="train", help="of --train on the hub")
    data.add_argument(
        "--train-config",
        metavar="NAME",
        help="which part of --train on the hub; that of --data where both are one dataset",
    )
    data.add_argument(
        "--item",
        metavar="COLUMN",
        help="rows that share its value are versions of one item: one unit in the intervals",
    )


def run(options: argparse.Namespace) -> None:
    if len(options.model) > 2:
        raise BadCall(f"one model is evaluated, or two are compared; got {len(options.model)}")
    loaded = read_pairs(options.data, options, format=options.format)
    benchmark = check_one_format(options.data, loaded.formats)
    check_columns(loaded, options)
    keep = _keep(options)
    usable = agreeing(loaded, options)
    training = training_pairs(options)
    leak = in_training([loaded.pairs[i] for i in usable], training, options)
    found: list[Asked] = []
    for name in options.model:
        model = _opened(name, options)
        found.append(_rewards(name, model, loaded.pairs, usable, options, keep))
    kept = [i for i in usable if all(i in one.rewards for one in found)]
    if not kept:
        raise ValueError(f"{options.data}: there is no pair that both models can read")
    sample = sample_of(loaded, kept, benchmark, options)
    cheap = [
        _baseline(name, scorer, [loaded.pairs[i] for i in kept])
        for name, scorer in baselines(training).items()
    ]
    cheap += _likelihoods(found, kept)
    if options.likelihood is not None:
        model = _language_model(options.likelihood, model.text_format)
        cheap.append(_likelihood(model, loaded.pairs, kept, options, keep))
    bad = len(loaded.dropped) + len(loaded.pairs) - len(usable)
    reports = []
    for one in found:
        scored = _scored(one.name, one.rewards, kept)
        head = {"model": one.name, "data": options.data, "format": " and ".join(loaded.formats)}
        head |= {} if options.ceiling is None else {"ceiling": options.ceiling}
        head |= {**leak, **one.said, "bad_rows": one.said["bad_rows"] + bad}
        reports.append((scored, head | reported(scored, cheap, sample)))
    report = reports[0][1]
    if len(reports) > 1:
        (first, _), (second, _) = reports
        report = {"models": [r for _, r in reports], "comparison": compared(first, second, sample)}
    say(json.dumps(report, indent=1, allow_nan=False) if options.json else text_of(report))


def _keep(options: argparse.Namespace) -> KeptRewards | None:
    if options.keep is None:
        if options.resume:
            raise BadCall("--resume goes on with the file that --keep names: give that too")
        return None
    inputs = [Path(name) for name in (options.data, options.train) if name is not None]
    for name in (*options.model, options.reference, options.likelihood):
        inputs += [] if name is None else [f for f in Path(name).rglob("*") if f.is_file()]
    refuse_to_write_over(options.keep, inputs, f"--keep {options.keep}")
    return KeptRewards(options.keep, resume=options.resume)


LIKELIHOOD = "ln pi_ref"


class Asked(NamedTuple):
    """A model's rewards, and what has to be said of it.

    Attributes:
        name: of the model.
        said: its kind, and how many pairs were left out.
        rewards: [2] by the place of the pair.
        likelihood: likewise ln pi_ref, of a model that has a reference.
    """

    name: str
    said: Mapping[str, Any]
    rewards: Mapping[int, Tensor]
    likelihood: Mapping[int, Tensor] | None


def _opened(name: str, options: argparse.Namespace) -> RewardModel:
    own = argparse.Namespace(**vars(options) | {"model": name})
    if len(options.model) > 1 and options.reference is not None and holds_reward(name):
        own.reference = own.beta = None  # they are the other model's
    return open_reward(own)


def _language_model(name: str, like: TextFormat) -> RewardModel:
    """r(x, y) = ln pi(y|x) of a language model that reads text as ``like`` says."""
    with told_in_one_line(name):
        base, tokenizer = load_base(fetched(name), dtype=AS_PUBLISHED)
    model = ImplicitRM(base, tokenizer, beta=1.0, reference=None, copy=False, text_format=like)
    return model.to(processes().device).eval()


def _rewards(
    name: str,
    model: RewardModel,
    pairs: Sequence[PreferencePair],
    usable: Sequence[int],
    options: argparse.Namespace,
    keep: KeptRewards | None,
) -> Asked:
    """A model's rewards of the pairs that it can read."""
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
        reader = "the model" if name in options.model else name
        print(
            f"{options.data}: left out {len(dropped.bad)} of {counted(len(pairs), 'pair')} that "
            f"{reader} cannot read; the first: {dropped.bad[0]}",
            file=sys.stderr,
        )
    rewards, reference = side_rewards(model, encoded, batch_size=options.batch_size, keep=keep)
    check_finite(model, [pairs[i] for i in dropped.kept], encoded, rewards)
    said = {"reward": model.kind, "overlong": dropped.overlong, "bad_rows": len(dropped.bad)}
    places = [usable[i] for i in dropped.kept]
    likelihood = None
    if reference is not None:
        likelihood = dict(zip(places, reference.unbind(), strict=True))
    return Asked(name, said, dict(zip(places, rewards.unbind(), strict=True)), likelihood)


def _likelihood(
    model: RewardModel,
    pairs: Sequence[PreferencePair],
    kept: Sequence[int],
    options: argparse.Namespace,
    keep: KeptRewards | None,
) -> Scored:
    """ln pi of the pairs that the language model can read; what it cannot read takes none away."""
    try:
        asked = _rewards(options.likelihood, model, pairs, kept, options, keep)
    except (TypeError, ValueError) as error:
        raise placed(error, f"--likelihood {options.likelihood}") from error
    unread = torch.full_like(next(iter(asked.rewards.values())), torch.nan)
    rewards = dict.fromkeys(kept, unread) | dict(asked.rewards)
    return _scored(f"ln pi of {asked.name}", rewards, kept)


def _scored(name: str, rewards: Mapping[int, Tensor], places: Sequence[int]) -> Scored:
    return Scored(name, *torch.stack([rewards[i] for i in places]).unbind(1))


def _likelihoods(found: Sequence[Asked], kept: Sequence[int]) -> list[Scored]:
    """ln pi_ref of the models that have a reference, once where they agree about it."""
    columns: list[Scored] = []
    for asked in found:
        if asked.likelihood is not None:
            name = f"{LIKELIHOOD} of {asked.name}" if columns else LIKELIHOOD
            own = _scored(name, asked.likelihood, kept)
            if not any(
                torch.equal(own.chosen, other.chosen) and torch.equal(own.rejected, other.rejected)
                for other in columns
            ):
                columns.append(own)
    return columns


def _baseline(name: str, scorer: Scorer, pairs: Sequence[PreferencePair]) -> Scored:
    prompts = [pair.prompt for pair in pairs]
    sides = ([getattr(pair, side) for pair in pairs] for side in ("chosen", "rejected"))
    chosen, rejected = (scorer.score(prompts, responses) for responses in sides)
    return Scored(name, chosen, rejected)
