"""``minirm train``."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from minirm.commands.opening import read_text_as_told, says_how_it_reads
from minirm.commands.shared import (
    REWARDS,
    BadCall,
    HelpFormatter,
    add_data_arguments,
    count,
    positive,
    read_pairs,
    told_in_one_line,
    warn_of_glued_strings,
)
from minirm.distributed import say
from minirm.models.adapters import is_adapted, of_rank
from minirm.models.starting import start
from minirm.progress import lines_of_logging
from minirm.reward_model import RewardModel
from minirm.training.kinds import Kind
from minirm.training.settings import HOW, WHEN, Settings, flag
from minirm.training.trainer import Trainer

EXAMPLES = """examples:
  minirm train --reward explicit --data pairs.jsonl --output my-rm
  minirm train --reward implicit --beta 0.1 --model owner/name --precision bf16 \\
      --data owner/dataset --split train --chat --eval-data test=held-out.jsonl --output my-rm
  minirm train --reward implicit --model owner/name --lora 16 --precision bf16 \\
      --gradient-checkpointing --micro-batch-size 1 ...     a large model on a small GPU
  torchrun --nproc_per_node 8 -m minirm train ...     the same on eight GPUs of one machine

A run with --save-every that was stopped goes on with the same command and --resume. Where --model
is a reward model with a head or an adapter of its own, these are trained on.
"""

# What only one of the rewards has; given to another it is a bad call, not something to pass over.
OWN = {
    "beta": ("implicit", "beta"),
    "no_reference": ("implicit", "reference"),
    "pooling": ("explicit", "pooling"),
    "yes": ("generative", "yes"),
    "no": ("generative", "no"),
}


def add(commands: argparse._SubParsersAction) -> None:
    train = commands.add_parser(
        "train",
        help="train a reward model on preference pairs",
        description="Train an explicit, an implicit or a generative reward model on your own "
        "comparisons, and write it as a folder that `minirm evaluate` and `minirm score` take.",
        epilog=EXAMPLES,
        formatter_class=HelpFormatter,
    )
    option = train.add_argument
    option("--reward", required=True, choices=REWARDS, help="what is read as the reward")
    option(
        "--model",
        default="seed-0",
        metavar="NAME_OR_FOLDER",
        help="a bundled base, a local folder, or a causal LM on the hub",
    )
    option("--output", required=True, type=Path, metavar="FOLDER", help="where the model goes")
    add_data_arguments(train)
    group = train.add_argument_group(HOW)
    _add_settings(group, HOW)
    group.add_argument(
        "--lora", type=count, metavar="RANK",
        help="train adapters of this rank alone (needs minirm[lora]); with --precision bf16 "
        "the frozen base is held in bfloat16",
    )  # fmt: skip
    option = train.add_argument_group("the reward").add_argument
    option("--beta", type=positive, help="implicit: reward per nat (default: 0.01)")
    option("--no-reference", action="store_true", help="implicit: r = beta ln pi(y|x)")
    option("--pooling", choices=("last", "mean"), help="explicit: the state that the head reads")
    option("--yes", metavar="WORD", help="generative: the verdict on a good answer")
    option("--no", metavar="WORD", help="generative: the verdict on a bad one")
    group = train.add_argument_group("on the way")
    group.add_argument(
        "--eval-data", nargs="+", default=[], metavar="[NAME=]FILE_OR_NAME",
        help="sets to evaluate at the end, and every --eval-every steps",
    )  # fmt: skip
    group.add_argument(
        "--eval-split", default="test", metavar="SPLIT", help="of --eval-data on the hub"
    )
    _add_settings(group, WHEN)
    train.set_defaults(run=run)


def _add_settings(group: Any, name: str) -> None:
    """An option for each of the trainer's settings of this group."""
    for each in fields(Settings):
        kind, text = each.metadata["kind"], each.metadata["text"]
        options: dict[str, Any] = {"dest": each.name, "default": each.default, "help": text}
        if each.metadata["group"] != name:
            continue
        if isinstance(each.default, bool):
            options["action"] = "store_true"
        elif kind.names:
            options["choices"] = kind.names
        else:
            metavar = {int: "N", float: "X"}.get(kind.read, "NAME")
            options |= {"type": _reader(kind), "metavar": metavar}
        group.add_argument(flag(each), **options)


def _reader(kind: Kind) -> Any:
    def read(text: str) -> Any:
        value = kind.read(text)
        if not kind.holds(value):
            raise argparse.ArgumentTypeError(f"must be {kind.says}, got {text}")
        return value

    read.__name__ = kind.says  # argparse's "invalid ... value"
    return read


def run(options: argparse.Namespace) -> None:
    sets = _named_sets(options)
    _check_paths(options, sets)
    if options.lr == 0:
        raise BadCall("--lr must be positive, got 0: nothing would move")
    own = _own_settings(options)
    settings = _settings(options)
    pairs = read_pairs(options.data, options).pairs
    eval_sets = {
        name: read_pairs(source, options, options.eval_split).pairs for name, source in sets.items()
    }
    model = _model(options, own)
    warn_of_glued_strings(options.data, pairs, model)
    trainer = Trainer(model, pairs, eval_sets=eval_sets, settings=settings)
    with lines_of_logging():
        trainer.fit()
    say(f"written: {options.output}")


def _settings(options: argparse.Namespace) -> Settings:
    answers = vars(options) | {"output_dir": options.output}
    return Settings(**{f.name: answers[f.name] for f in fields(Settings) if f.name in answers})


def _named_sets(options: argparse.Namespace) -> dict[str, str]:
    """``--eval-data`` as names and sources."""
    sets: dict[str, str] = {}
    for given in options.eval_data:
        name, equals, source = given.partition("=")
        name, source = (name, source) if equals else (Path(given).stem, given)
        if name in sets:
            raise BadCall(f"two sets of --eval-data are called {name!r}: write NAME=FILE")
        sets[name] = source
    return sets


def _check_paths(options: argparse.Namespace, sets: dict[str, str]) -> None:
    """Nothing that is read may lie where the run writes, be it through a link."""
    output = options.output.resolve()
    if output.is_file():
        raise FileExistsError(f"--output {options.output} is a file; give a folder")
    read = [("--model", options.model), ("--data", options.data)]
    for name, given in read + [("--eval-data", source) for source in sets.values()]:
        path = Path(given).expanduser()
        if path.exists() and path.resolve().is_relative_to(output):
            raise ValueError(
                f"{name} {given} would be overwritten: --output {options.output} is "
                f"{'the same folder' if path.resolve() == output else 'the folder that it is in'}; "
                "give another"
            )


def _own_settings(options: argparse.Namespace) -> dict[str, Any]:
    """What the reward's constructor is to be told."""
    settings: dict[str, Any] = {}
    for option, (kind, argument) in OWN.items():
        value = getattr(options, option)
        if value in (None, False):
            continue
        if kind != options.reward:
            name = "--" + option.replace("_", "-")
            raise BadCall(f"{name} is for --reward {kind}, not for {options.reward}")
        settings[argument] = None if option == "no_reference" else value
    return settings


def _model(options: argparse.Namespace, own: dict[str, Any]) -> RewardModel:
    """The model to train: a new reward on a language model, or one that is gone on with."""
    # What is not trained needs no master weights: autocast would round them all the same.
    frozen = options.lora is not None and options.mixed_precision == "bf16"
    dtype = torch.bfloat16 if frozen else torch.float32
    with told_in_one_line(options.model):
        found, line = start(options.model, options.reward, dtype=dtype)
    held = found.settings
    for name, value in own.items():
        if name in held and held[name] != value:
            was = "one" if isinstance(held[name], torch.nn.Module) else repr(held[name])
            raise ValueError(
                f"--model {options.model} was trained with {name} {was}, not {value!r}: "
                "leave the option out, or train from the base"
            )
    if options.lora is not None and is_adapted(found.model):
        raise ValueError(
            f"--model {options.model} has an adapter already: leave --lora out to train that one "
            "on, or merge it first"
        )
    say(line)
    if options.reward == "explicit":
        own = own | {"seed": options.seed}
    if options.lora is not None:
        own = own | {"lora": of_rank(options.lora)}
    model = REWARDS[options.reward](found.model, found.tokenizer, copy=False, **held | own)
    read_text_as_told(model, options, known=says_how_it_reads(options.model))
    return model
