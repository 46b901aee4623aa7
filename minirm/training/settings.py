"""The settings of a training run, each written once.

The trainer's signature and documentation, the checks, the options of ``minirm train`` and what a
checkpoint must agree on are all read off ``Settings``.
"""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields, replace
from difflib import get_close_matches
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from transformers import SchedulerType, get_scheduler

from minirm.training import trackers

Class = TypeVar("Class", bound=type)


@dataclass(frozen=True)
class Kind:
    """What a setting may be.

    Attributes:
        says: in words, to stand after "must be".
        holds: whether a value is one.
        read: from a command line's word; also makes plain values of NumPy's.
        names: all there are, where they can be counted.
    """

    says: str
    holds: Callable[[Any], bool]
    read: Callable[[Any], Any]
    names: tuple[str, ...] = ()


def whole_number(least: int) -> Kind:
    def holds(value: Any) -> bool:
        return isinstance(value, Integral) and value >= least

    return Kind(f"a whole number of at least {least}", holds, int)


def one_of(*names: str) -> Kind:
    quoted = [f'"{name}"' for name in names]
    says = " or ".join([", ".join(quoted[:-1]), quoted[-1]])
    return Kind(says, names.__contains__, lambda name: names[names.index(name)], names)


def _works(name: str) -> bool:
    """Whether a schedule needs no more than the numbers of warm-up steps and of all steps: some
    ask for arguments of their own, others for a figure of merit at every step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=1.0)
    try:
        schedule = get_scheduler(name, optimizer, 1, 4)
        optimizer.step()
        schedule.step()
    except (TypeError, ValueError):
        return False
    return True


SCHEDULES = tuple(name.value for name in sorted(SchedulerType) if _works(name))
"""The schedules of transformers that work with what the trainer tells them."""

COUNT = whole_number(1)
ANY_WHOLE = Kind("a whole number", lambda v: isinstance(v, Integral), int)
POSITIVE = Kind("positive", lambda v: isinstance(v, Real) and v > 0, float)
NOT_NEGATIVE = Kind(
    "finite and not negative", lambda v: isinstance(v, Real) and 0 <= v < math.inf, float
)
SWITCH = Kind("True or False", lambda v: isinstance(v, bool), bool)
FOLDER = Kind("a path", lambda v: isinstance(v, str | os.PathLike), Path)
TRACKER = Kind(
    "a tracker of Accelerate: " + ", ".join(trackers.NAMES), trackers.is_tracker, lambda v: v
)


def _setting(
    default: Any, kind: Kind, text: str, *, group: str = "", flag: str = "", stays: bool = False
) -> Any:
    """One setting.

    Args:
        default: where it is None, None is a value too.
        kind: what it may be.
        text: what it means, in a line.
        group: of options of ``minirm train``; without one it has no option there that is its own.
        flag: the option's name where that is another than the setting's.
        stays: whether a run must have it as the checkpoint that it goes on from.
    """
    about = {"kind": kind, "text": text, "group": group, "flag": flag, "stays": stays}
    return field(default=default, metadata=about)


HOW, WHEN = "optimisation", "on the way"


@dataclass(frozen=True)
class Settings:
    """How a reward model is trained; ``Trainer`` takes each as a keyword of its own, too.

    Raises:
        ValueError: a value that makes no sense.
        ModuleNotFoundError: the package of ``log_with`` is not installed.
    """

    lr: float = _setting(
        1e-4, NOT_NEGATIVE, "learning rate of AdamW, at its height", group=HOW, stays=True
    )
    schedule: str = _setting(
        "constant", one_of(*SCHEDULES), "how the learning rate goes on", group=HOW, stays=True
    )
    warmup_steps: int = _setting(
        0, whole_number(0), "steps over which it first rises from 0", group=HOW, stays=True
    )
    epochs: int = _setting(5, COUNT, "passes over the pairs", group=HOW, stays=True)
    batch_size: int = _setting(
        32, COUNT, "pairs a step, over all processes together", group=HOW, stays=True
    )
    micro_batch_size: int | None = _setting(
        None, COUNT, "pairs on a device at once; left out: all of a batch", group=HOW
    )
    weight_decay: float = _setting(0.0, NOT_NEGATIVE, "of AdamW", group=HOW, stays=True)
    max_grad_norm: float | None = _setting(
        None, POSITIVE, "norm to clip the gradient at; left out: no clipping", group=HOW, stays=True
    )
    mixed_precision: Literal["no", "bf16", "fp16"] = _setting(
        "no", one_of("no", "bf16", "fp16"), "autocast over the weights as they are stored",
        group=HOW, flag="--precision", stays=True,
    )  # fmt: skip
    gradient_checkpointing: bool = _setting(
        False, SWITCH, "compute a layer's activations again in the backward pass: less memory, "
        "about a third slower", group=HOW,
    )  # fmt: skip
    seed: int = _setting(0, ANY_WHOLE, "of the order of the pairs", group=HOW, stays=True)
    bad_rows: Literal["error", "drop"] = _setting(
        "error", one_of("error", "drop"), "pairs that cannot be encoded: stop, or leave them out "
        "and count them",
    )  # fmt: skip
    overlong: Literal["error", "drop"] = _setting(
        "error", one_of("error", "drop"), "pairs over the model's context: stop, or leave them "
        "out and count them",
    )  # fmt: skip
    eval_every: int | None = _setting(
        None, COUNT, "steps between evaluations, from step 0 on; left out: at the end", group=WHEN
    )
    log_every: int = _setting(10, COUNT, "steps between records of the loss", group=WHEN)
    log_with: Any = _setting(
        None, TRACKER, "a tracker to send every record to, such as tensorboard or wandb",
        group=WHEN,
    )  # fmt: skip
    progress: bool | None = _setting(
        None, SWITCH, "whether to show a bar; left out: where somebody can watch"
    )
    output_dir: str | Path | None = _setting(
        None, FOLDER, "folder for model, history and checkpoints; left out: nothing is written"
    )
    save_every: int | None = _setting(
        None, COUNT, "steps between checkpoints to go on from; left out: none", group=WHEN
    )
    keep: int = _setting(2, COUNT, "checkpoints to keep, the newest", group=WHEN)
    resume: bool = _setting(
        False, SWITCH, "go on from the newest whole checkpoint, where there is one, to the same "
        "weights as a run that was never interrupted: bit for bit on a CPU", group=WHEN,
    )  # fmt: skip

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
        trackers.check(self.log_with, self.output_dir)

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
        return {each.name: getattr(self, each.name) for each in fields(self) if each.metadata["stays"]}


def flag(each: Field) -> str:
    """The option of ``minirm train`` for a setting, such as ``--batch-size``."""
    return each.metadata["flag"] or "--" + each.name.replace("_", "-")


def takes_settings(cls: Class) -> Class:
    """Let the signature and the documentation of ``cls`` name every setting.

    They stand in place of ``**changes`` in the one, and of a line ``{settings}`` in the other.
    """
    keyword = inspect.Parameter.KEYWORD_ONLY
    own = list(inspect.signature(cls.__init__).parameters.values())[:-1]
    own += [
        inspect.Parameter(each.name, keyword, default=each.default, annotation=each.type)
        for each in fields(Settings)
    ]
    cls.__init__.__signature__ = inspect.Signature(own)
    lines = (f"{each.name}: {each.metadata['text']}." for each in fields(Settings))
    if cls.__doc__ is not None:  # under python -OO there is none
        cls.__doc__ = cls.__doc__.replace("{settings}", "\n        ".join(lines))
    return cls
