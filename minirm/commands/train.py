"""``minirm train``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from transformers import SchedulerType

from minirm.commands.shared import (
    REWARDS,
    BadCall,
    add_data_arguments,
    count,
    open_base,
    positive,
    read_pairs,
)
from minirm.distributed import say
from minirm.reward_model import RewardModel
from minirm.training.trainer import Trainer

EXAMPLES = """examples:
  minirm train --reward explicit --data pairs.jsonl --output my-rm
  minirm train --reward implicit --beta 0.1 --model owner/name --precision bf16 \\
      --data owner/dataset --split train --chat --eval-data test=held-out.jsonl --output my-rm
  minirm train --reward implicit --model owner/name --lora 16 --precision bf16 \\
      --gradient-checkpointing --micro-batch-size 1 ...     a large model on a small GPU
  torchrun --nproc_per_node 8 -m minirm train ...     the same on eight GPUs of one machine

A run with --save-every that was stopped goes on with the same command and --resume.
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
        formatter_class=_Formatter,
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
    option = train.add_argument_group("optimisation").add_argument
    option("--lr", type=positive, default=1e-4, help="of AdamW, at its height")
    option("--schedule", default="constant", choices=sorted(SchedulerType), metavar="NAME",
           help="of lr: constant, linear, cosine, ...")  # fmt: skip
    option("--warmup-steps", type=count, default=0, metavar="N")
    option("--epochs", type=count, default=5, metavar="N")
    option("--batch-size", type=count, default=32, metavar="N", help="pairs a step, in all")
    option("--micro-batch-size", type=count, metavar="N", help="pairs on a device at once")
    option("--weight-decay", type=float, default=0.0, metavar="W")
    option("--max-grad-norm", type=positive, metavar="NORM", help="clip gradients to this norm")
    option("--precision", choices=("no", "bf16", "fp16"), default="no",
           help="autocast; the weights stay in float32")  # fmt: skip
    option("--lora", type=count, metavar="RANK",
           help="train adapters of this rank alone (needs minirm[lora]); with --precision bf16 "
           "the frozen base is held in bfloat16")  # fmt: skip
    option("--gradient-checkpointing", action="store_true",
           help="less memory, about a third slower")  # fmt: skip
    option("--seed", type=int, default=0, help="of the order of the pairs, and of a new head")
    option = train.add_argument_group("the reward").add_argument
    option("--beta", type=positive, help="implicit: reward per nat (default: 0.01)")
    option("--no-reference", action="store_true", help="implicit: r = beta ln pi(y|x)")
    option("--pooling", choices=("last", "mean"), help="explicit: the state that the head reads")
    option("--yes", metavar="WORD", help="generative: the verdict on a good answer")
    option("--no", metavar="WORD", help="generative: the verdict on a bad one")
    option = train.add_argument_group("on the way").add_argument
    option("--eval-data", nargs="+", default=[], metavar="[NAME=]FILE_OR_NAME",
           help="sets to evaluate at the end, and every --eval-every steps")  # fmt: skip
    option("--eval-split", default="test", metavar="SPLIT", help="of --eval-data on the hub")
    option("--eval-every", type=count, metavar="STEPS")
    option("--log-every", type=count, default=10, metavar="STEPS")
    option("--save-every", type=count, metavar="STEPS", help="write a checkpoint to go on from")
    option("--keep", type=count, default=2, metavar="N", help="checkpoints to keep, the newest")
    option("--resume", action="store_true", help="go on from the newest whole checkpoint")
    train.set_defaults(run=run)


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Defaults in the help, and examples line by line."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False, "", 0) or not action.default:
            return action.help  # "(default: None)" tells nobody anything
        return super()._get_help_string(action)


def run(options: argparse.Namespace) -> None:
    if options.output.is_file():
        raise FileExistsError(f"--output {options.output} is a file; give a folder")
    settings = _own_settings(options) | _lora(options)
    pairs, _ = read_pairs(options.data, options)
    sets = {}
    for given in options.eval_data:
        name, equals, source = given.partition("=")
        name, source = (name, source) if equals else (Path(given).stem, given)
        if name in sets:
            raise BadCall(f"two sets of --eval-data are called {name!r}: write NAME=FILE")
        sets[name], _ = read_pairs(source, options, options.eval_split)
    model = _model(options, settings)
    trainer = Trainer(
        model,
        pairs,
        eval_sets=sets,
        lr=options.lr,
        schedule=options.schedule,
        warmup_steps=options.warmup_steps,
        epochs=options.epochs,
        batch_size=options.batch_size,
        micro_batch_size=options.micro_batch_size,
        weight_decay=options.weight_decay,
        max_grad_norm=options.max_grad_norm,
        mixed_precision=options.precision,
        gradient_checkpointing=options.gradient_checkpointing,
        overlong=options.overlong,
        log_every=options.log_every,
        eval_every=options.eval_every,
        seed=options.seed,
        output_dir=options.output,
        save_every=options.save_every,
        keep=options.keep,
        resume=options.resume,
    )
    for record in trainer.fit():
        say("  ".join(f"{name} {_short(value)}" for name, value in record.items()))
    say(f"written: {options.output}")


def _own_settings(options: argparse.Namespace) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for option, (kind, argument) in OWN.items():
        value = getattr(options, option)
        if value in (None, False):
            continue
        if kind != options.reward:
            flag = "--" + option.replace("_", "-")
            raise BadCall(f"{flag} is for --reward {kind}, not for {options.reward}")
        settings[argument] = None if option == "no_reference" else value
    return settings


def _lora(options: argparse.Namespace) -> dict[str, Any]:
    if options.lora is None:
        return {}
    try:
        from peft import LoraConfig
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "--lora needs the package peft: pip install minirm[lora]"
        ) from error
    rank = options.lora
    return {"lora": LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")}


def _model(options: argparse.Namespace, settings: dict[str, Any]) -> RewardModel:
    # What is not trained needs no master weights: autocast would round them all the same.
    frozen = options.lora is not None and options.precision == "bf16"
    base, tokenizer = open_base(options.model, torch.bfloat16 if frozen else torch.float32)
    if options.reward == "explicit":
        settings = settings | {"seed": options.seed}
    return REWARDS[options.reward](base, tokenizer, copy=False, **settings)


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"
