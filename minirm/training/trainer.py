"""The trainer: steps through the loop, and on the way logs, evaluates and saves."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from minirm import distributed
from minirm.batches import pair_cost
from minirm.evaluation import EvaluationSets, Pairs
from minirm.models.adapters import check_trainable
from minirm.pairs import Dropped, EncodedPair, encode_pairs, placed
from minirm.progress import progress_bar
from minirm.reward_model import RewardModel
from minirm.rewards import GenerativeRM
from minirm.training import resuming, trackers
from minirm.training.loop import Loop
from minirm.training.monitor import NotFinite
from minirm.training.run_folder import Record, RunFolder
from minirm.training.settings import Settings, takes_settings

logger = logging.getLogger("minirm")
OnEvaluate = Callable[[RewardModel, int], Mapping[str, float]]


@takes_settings
class Trainer:
    """Train a reward model on preference pairs.

    Each record of the history is also a line of the logger "minirm", at the level INFO, and goes
    into ``history.jsonl`` as soon as it is there.

    >>> from minirm import ExplicitRM, PreferencePair, Trainer, load_base
    >>> pair = PreferencePair("Do you help strangers? ", chosen="yes", rejected="no")
    >>> trainer = Trainer(ExplicitRM(*load_base()), [pair], epochs=3, log_every=1)
    >>> [round(record["accuracy"], 1) for record in trainer.fit()][-1]
    1.0

    Args:
        model: an ``ExplicitRM``, ``ImplicitRM`` or ``GenerativeRM``; trained in place.
        train_pairs: the comparisons; all of them are validated and tokenised here.
        eval_sets: named sets, evaluated at the end and every ``eval_every`` steps (and at step 0).
        on_evaluate: called at each evaluation with the model and the number of steps that were
            taken; the numbers that it returns, by name, join the record.
        settings: all of what follows as one object; what is given besides changes it.
        {settings}

    With ``MINIRM_FAST=1`` in the environment, which is for trying out whether notebooks run, no
    training is longer than two epochs, and a warning says so.

    Raises:
        TypeError: something other than a reward model or pairs, or a setting that there is not.
        ValueError: a bad row (named), or a setting that makes no sense.
    """

    def __init__(
        self,
        model: RewardModel,
        train_pairs: Pairs,
        *,
        eval_sets: Mapping[str, Pairs] | None = None,
        on_evaluate: OnEvaluate | None = None,
        settings: Settings | None = None,
        **changes: Any,
    ) -> None:
        if not isinstance(model, RewardModel):
            raise TypeError(
                f"model must be a reward model, got {type(model).__name__}; "
                "wrap it first, as in ExplicitRM(model, tokenizer)"
            )
        if not isinstance(eval_sets or {}, Mapping):
            raise TypeError(
                "eval_sets must be a mapping from names to pairs, such as "
                f'{{"test": pairs}}, got {type(eval_sets).__name__}'
            )
        settings = (settings or Settings()).changed(**changes)
        if os.environ.get("MINIRM_FAST") == "1" and settings.epochs > 2:
            warnings.warn(f"MINIRM_FAST=1: 2 epochs instead of {settings.epochs}", stacklevel=2)
            settings = replace(settings, epochs=2)
        check_trainable(model.model)
        self.model, self.settings, self.on_evaluate = model, settings, on_evaluate
        folder = settings.folder
        self._folder = None if folder is None else RunFolder(folder, settings.keep)
        if self._folder is not None and settings.resume and (date := self._folder.date()):
            model.text_format = replace(model.text_format, date=date)  # it goes on as it began
        self.pairs, dropped = _encoded("train_pairs", train_pairs, model, settings)
        self.dropped = dropped.total
        given = train_pairs if isinstance(train_pairs, Sequence) else []
        self._origins = [getattr(given[i], "origin", None) for i in dropped.kept if given]
        if isinstance(model, GenerativeRM) and any(pair.margin for pair in self.pairs):
            raise ValueError(
                "a generative reward is trained by cross-entropy, which has no margin: "
                "leave the margins out, or train an explicit or an implicit reward"
            )
        self.costs = [pair_cost(pair, shared=model.shares_prompts) for pair in self.pairs]
        self.eval_sets: dict[str, list[EncodedPair]] = {}
        for name, pairs in (eval_sets or {}).items():
            place = f"eval_sets[{name!r}]"
            try:
                self.eval_sets[name], _ = _encoded(place, pairs, model, settings)
            except (TypeError, ValueError) as error:
                raise placed(error, place) from error
        self.history: list[Record] = []
        self._sets: EvaluationSets | None = None

    @property
    def total_steps(self) -> int:
        return self.settings.total_steps(len(self.pairs))

    def fit(self) -> list[Record]:
        """Train, and return the history: one dict per record, "step" in each.

        Training records hold "loss", "accuracy", "margin" (means over the pairs since the last
        record) and "lr"; evaluation records hold "NAME/accuracy", "NAME/margin" and
        "NAME/normalised_margin" for each set, and what ``on_evaluate`` returns.

        Raises:
            FloatingPointError: a loss or a gradient is not finite. The model holds the weights
                before that step; with an ``output_dir`` they are saved there too.
            OSError: a checkpoint cannot be written; the one before it is still there.
            ValueError: the checkpoints there are another run's (or, without ``resume``, any are).
        """
        self.history = []
        if self._folder is not None and not self.settings.resume:
            self._folder.check_new()
        must_stay = self._what_must_stay()
        loop = Loop(self.model, self.pairs, self.costs, self.settings)
        try:
            trackers.start(loop.accelerator, vars(self.settings))
            self._train(loop, must_stay)
        except NotFinite as error:
            if origins := [self._origins[i] for i in error.rows if any(self._origins)]:
                error.args = (f"{error}; these rows are {'; '.join(map(str, origins))}",)
            message = str(error)
            if self._folder is not None:
                message = self._folder.save_failure(self.model, self.history, error)
            raise FloatingPointError(message) from None
        finally:
            self._sets = None
            loop.close()
            trackers.finish(loop.accelerator)
        if self._folder is not None:
            self._folder.save_model(self.model)
        return self.history

    def evaluate(self) -> dict[str, dict[str, float]]:
        """Metrics of every named evaluation set, as ``minirm.evaluation.evaluate`` gives them."""
        if not self.eval_sets:
            return {}
        return (self._sets or EvaluationSets(self.model, self.eval_sets)).measure()

    def _train(self, loop: Loop, must_stay: dict[str, Any]) -> None:
        reference = loop.reference()
        if self.eval_sets:
            self._sets = EvaluationSets(self.model, self.eval_sets)
            self._sets.read_reference()
        loop.move_reference("cpu")  # its numbers are cached: the device is the policy's
        start = self._go_on(loop, must_stay)
        if self._folder is not None:
            self._folder.begin(self.history)
        show = self.settings.progress if loop.accelerator.is_main_process else False
        total, kind, every = self.total_steps, self.model.kind, self.settings
        with progress_bar(total=total, initial=start, desc=kind, show=show) as bar:
            if start == 0 and every.eval_every is not None:
                self._evaluate(0, loop)
            for step in loop.steps(start, reference):
                bar.update()
                last = step.number == total
                log = last or _due(step.number, every.log_every)
                evaluate = last or _due(step.number, every.eval_every)
                save = _due(step.number, every.save_every) and not last
                if log or evaluate or save:
                    loop.monitor.check()
                if log:
                    means = loop.monitor.mean()
                    record = {"step": step.number, "epoch": step.epoch, **means, "lr": step.lr}
                    self._record(record, loop)
                    bar.set_postfix({k: f"{record[k]:.3f}" for k in ("loss", "accuracy")})
                if evaluate:
                    self._evaluate(step.number, loop)
                if save:
                    self._save_checkpoint(step.number, loop, must_stay)

    def _evaluate(self, step: int, loop: Loop) -> None:
        if not self.eval_sets and self.on_evaluate is None:
            return
        self.model.eval()
        record: Record = {"step": step}
        for name, values in self.evaluate().items():
            record |= {f"{name}/{metric}": value for metric, value in values.items()}
        if self.on_evaluate is not None:
            loop.move_reference(self.model.device)  # who is called may want to score
            more = self.on_evaluate(self.model, step)
            loop.move_reference("cpu")
            self.model.zero_grad(set_to_none=True)  # or what was left there would join a batch
            record |= _numbers(more, record)
        self._record(record, loop)

    def _record(self, record: Record, loop: Loop) -> None:
        self.history.append(record)
        if self._folder is not None:
            self._folder.add(record)
        if loop.accelerator.is_main_process:
            logger.info("  ".join(f"{name} {_short(value)}" for name, value in record.items()))
        loop.accelerator.log({k: v for k, v in record.items() if k != "step"}, step=record["step"])

    # ------------------------------------------------------------------ going on

    def _what_must_stay(self) -> dict[str, Any]:
        """What must not change between a checkpoint and the run that goes on from it."""
        if not self.settings.save_every and not self.settings.resume:
            return {}
        frozen = (w for w in self.model.parameters() if not w.requires_grad)
        return {
            "reward": self.model.kind,
            **self.model.settings(),
            **self.settings.what_must_stay,
            "pairs": resuming.fingerprint(self.pairs),
            "frozen_weights": resuming.checksum(frozen),
        }

    def _save_checkpoint(self, step: int, loop: Loop, must_stay: dict[str, Any]) -> None:
        assert self._folder is not None, "the settings see to that"
        tensors, state = resuming.snapshot(*loop.parts)
        if loop.monitor.totals is not None:
            tensors["window"] = loop.monitor.totals
        state |= {"settings": must_stay, "history": self.history}
        state["date"] = self.model.text_format.date
        self._folder.save_checkpoint(step, tensors, state)

    def _go_on(self, loop: Loop, must_stay: dict[str, Any]) -> int:
        """The step to go on from; restores everything where there is a checkpoint."""
        if self._folder is None or not self.settings.resume:
            return 0
        checkpoint = self._folder.load_checkpoint()
        if checkpoint is None:
            return 0
        resuming.check_same_run(checkpoint.state["settings"], must_stay)
        resuming.restore(checkpoint, *loop.parts)
        if "window" in checkpoint.tensors:
            loop.monitor.totals = checkpoint.tensors["window"].to(self.model.device)
        self.history = checkpoint.state["history"]
        distributed.say(f"going on after step {checkpoint.step} of {self.total_steps}")
        return checkpoint.step


def _encoded(
    name: str, pairs: Pairs, model: RewardModel, settings: Settings
) -> tuple[list[EncodedPair], Dropped]:
    """The pairs as token ids, and what was left out, which is said with the reason."""
    kept, dropped = encode_pairs(
        pairs,
        model.encode,
        max_length=model.max_length,
        overlong=settings.overlong,
        bad_rows=settings.bad_rows,
    )
    whole = dropped.total + len(kept)
    if dropped.overlong:
        many = f"{dropped.overlong} of {whole}"
        distributed.say(f"{name}: dropped {many} pairs, which exceed the context")
    if dropped.bad:
        many, first = f"{len(dropped.bad)} of {whole}", dropped.bad[0]
        distributed.say(f"{name}: left out {many} pairs; the first: {first}")
    return kept, dropped


def _numbers(given: Any, record: Record) -> Record:
    """What ``on_evaluate`` returned, as plain numbers under names of its own."""
    if not isinstance(given, Mapping):
        raise TypeError(
            f"on_evaluate must return a mapping from names to numbers, got {type(given).__name__}"
        )
    if taken := sorted(record.keys() & given.keys()):
        raise ValueError(f"on_evaluate returned {taken[0]!r}, which the record has already")
    return {str(name): float(value) for name, value in given.items()}


def _due(step: int, every: int | None) -> bool:
    return every is not None and step % every == 0


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"
