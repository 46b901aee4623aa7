"""The settings of a training run, each written once.

The trainer's signature and documentation, the checks, the options of ``minirm train`` and what a
checkpoint must agree on are all read off ``Settings``.
"""

from __future__ import annotations

import inspect
from dataclasses import Field, dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar

from minirm.training import trackers
from minirm.training.kinds import (
    COUNT,
    FOLDER,
    INTEGER,
    NOT_NEGATIVE,
    POSITIVE,
    SWITCH,
    Kind,
    one_of,
    whole_number,
)
from minirm.training.schedules import SCHEDULES

Class = TypeVar("Class", bound=type)
HOW, WHEN = "optimisation", "on the way"  # groups of options
DROP_OR_NOT = one_of("error", "drop")
TRACKER = Kind(f"one of {', '.join(trackers.NAMES)}", trackers.is_tracker, lambda v: v)


def _about(
    kind: Kind, text: str, *, group: str = "", flag: str = "", stays: bool = False
) -> dict[str, Any]:
    """What there is to know of a setting. (Where its default is None, None is a value too.)

    Args:
        kind: what it may be.
        text: what it means, in a line.
        group: of the options of ``minirm train``; without one it has no option of its own there.
        flag: the option's name where that is another than the setting's.
        stays: whether a run must have it as the checkpoint that it goes on from.
    """
    return {"kind": kind, "text": text, "group": group, "flag": flag, "stays": stays}


# fmt: off
@dataclass(frozen=True)
class Settings:
    """How a reward model is trained; ``Trainer`` takes each as a keyword of its own, too.

    Raises:
        ValueError: a value that makes no sense.
        ModuleNotFoundError: the package of ``log_with`` is not installed.
    """

    lr: float = field(default=1e-4, metadata=_about(
        NOT_NEGATIVE, "learning rate of AdamW, at its height", group=HOW, stays=True))
    schedule: str = field(default="constant", metadata=_about(
        one_of(*SCHEDULES), "how the learning rate goes on", group=HOW, stays=True))
    warmup_steps: int = field(default=0, metadata=_about(
        whole_number(0), "steps over which it first rises from 0", group=HOW, stays=True))
    epochs: int = field(default=5, metadata=_about(
        COUNT, "passes over the pairs", group=HOW, stays=True))
    batch_size: int = field(default=32, metadata=_about(
        COUNT, "pairs a step, over all processes together", group=HOW, stays=True))
    micro_batch_size: int | None = field(default=None, metadata=_about(
        COUNT, "pairs on a device at once; left out: all of a batch", group=HOW))
    weight_decay: float = field(default=0.0, metadata=_about(
        NOT_NEGATIVE, "of AdamW", group=HOW, stays=True))
    max_grad_norm: float | None = field(default=None, metadata=_about(
        POSITIVE, "norm to clip the gradient at; left out: no clipping", group=HOW, stays=True))
    mixed_precision: Literal["no", "bf16", "fp16"] = field(default="no", metadata=_about(
        one_of("no", "bf16", "fp16"), "autocast over the weights as they are stored",
        group=HOW, flag="--precision", stays=True))
    gradient_checkpointing: bool = field(default=False, metadata=_about(
        SWITCH, "compute activations again in the backward pass: less memory, a third slower",
        group=HOW))
    seed: int = field(default=0, metadata=_about(
        INTEGER, "of the order of the pairs (minirm train: also of a new head)",
        group=HOW, stays=True))
    bad_rows: Literal["error", "drop"] = field(default="error", metadata=_about(
        DROP_OR_NOT, "pairs that cannot be encoded: stop, or leave them out and count them"))
    overlong: Literal["error", "drop"] = field(default="error", metadata=_about(
        DROP_OR_NOT, "pairs over the model's context: stop, or leave them out and count them"))
    eval_every: int | None = field(default=None, metadata=_about(
        COUNT, "steps between evaluations, from step 0 on; left out: at the end", group=WHEN))
    log_every: int = field(default=10, metadata=_about(
        COUNT, "steps between records of the loss", group=WHEN))
    log_with: Any = field(default=None, metadata=_about(
        TRACKER, "where to send every record too: tensorboard, wandb, ...", group=WHEN))
    progress: bool | None = field(default=None, metadata=_about(
        SWITCH, "whether to show a bar; left out: where somebody can watch"))
    output_dir: str | Path | None = field(default=None, metadata=_about(
        FOLDER, "folder for model, history and checkpoints; left out: nothing is written"))
    save_every: int | None = field(default=None, metadata=_about(
        COUNT, "steps between checkpoints to go on from; left out: none", group=WHEN))
    keep: int = field(default=2, metadata=_about(
        COUNT, "checkpoints to keep, the newest", group=WHEN))
    resume: bool = field(default=False, metadata=_about(
        SWITCH, "go on from the newest whole checkpoint, where there is one, to the weights of a "
        "run that was never interrupted: bit for bit on a CPU", group=WHEN))
    # fmt: on

    def __post_init__(self) -> None:
        for each in fields(self):
            value, kind = getattr(self, each.name), each.metadata["kind"]
            if value is None and each.default is None:
                continue
            if not kind.holds(value):
                none = " or None" if each.default is None else ""
                raise ValueError(f"{each.name} must be {kind.says}{none}, got {value!r}")
            object.__setattr__(self, each.name, kind.read(value))
        if self.output_dir is None and (self.save_every is not None or self.resume):
            raise ValueError("save_every and resume need an output_dir to hold the checkpoints")
        trackers.check(self.log_with, self.folder)

    @property
    def folder(self) -> Path | None:
        """``output_dir`` as a path."""
        return None if self.output_dir is None else Path(self.output_dir)

    def changed(self, **changes: Any) -> Settings:
        """These settings with some others.

        Raises:
            TypeError: there is no such setting; the message names the nearest.
        """
        names = [each.name for each in fields(self)]
        for name in changes:
            if name not in names:
                near = get_close_matches(name, names, 1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
                raise TypeError(f"no setting is called {name!r}; {hint}")
        return replace(self, **changes)

    def steps_per_epoch(self, pairs: int) -> int:
        return -(-pairs // self.batch_size)

    def total_steps(self, pairs: int) -> int:
        return self.epochs * self.steps_per_epoch(pairs)

    @property
    def what_must_stay(self) -> dict[str, Any]:
        """What a checkpoint and the run that goes on from it have to agree on."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.metadata["stays"]}


def flag(each: Field) -> str:
    """The option of ``minirm train`` for a setting, such as ``--batch-size``."""
    return each.metadata["flag"] or "--" + each.name.replace("_", "-")


def takes_settings(cls: Class) -> Class:
    """Let the signature and the documentation of ``cls`` name every setting.

    They stand in place of ``**changes`` in the one, and of a line ``{settings}`` in the other.
    """
    constructor: Any = vars(cls)["__init__"]
    own = list(inspect.signature(constructor).parameters.values())[:-1]
    for each in fields(Settings):
        how = {"default": each.default, "annotation": each.type}
        own.append(inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, **how))
    constructor.__signature__ = inspect.Signature(own)
    lines = (f"{each.name}: {_described(each)}." for each in fields(Settings))
    if cls.__doc__ is not None:  # under python -OO there is none
        cls.__doc__ = cls.__doc__.replace("{settings}", "\n        ".join(lines))
    return cls


def _described(each: Field) -> str:
    kind, text = each.metadata["kind"], each.metadata["text"]
    return f"{text} ({kind.says})" if kind.names else text
