"""The training loop. One loop for every reward: the loss is the model's own.

A step takes ``batch_size`` pairs whatever the memory: ``micro_batch_size`` only says how many of
them are on a device at once, and the gradient is that of the whole batch to rounding. Nor does it
matter how many processes share the batch: ``torchrun`` starts them, Accelerate joins them up; with
``ACCELERATE_USE_FSDP=true`` in the environment they share the weights too (FSDP2).
"""

from __future__ import annotations

import json
import math
import os
import shutil
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors import SafetensorError
from torch import Tensor
from transformers import SchedulerType, get_scheduler

from minirm import distributed
from minirm.batches import Rows, epoch_batches, pair_cost, pair_rows
from minirm.evaluation import Pairs, evaluate_encoded, sum_dtype
from minirm.logprobs import in_full
from minirm.pairs import EncodedPair, encode_pairs, placed
from minirm.progress import progress_bar
from minirm.reward_model import RewardModel
from minirm.rewards import ImplicitRM
from minirm.training import checkpoints, resuming
from minirm.training.monitor import NotFinite, Window


class Trainer:
    """Train a reward model on preference pairs.

    Args:
        model: an ``ExplicitRM``, ``ImplicitRM`` or ``GenerativeRM``; trained in place.
        train_pairs: the comparisons; all of them are validated and tokenised here.
        eval_sets: named sets, evaluated at the end and every ``eval_every`` steps (and at step 0).
        on_evaluate: called with the model and the step at every evaluation; what it returns goes
            into that record.
        lr: of AdamW, at its height. schedule: a transformers name ("constant", "linear",
            "cosine", "constant_with_warmup", ...). warmup_steps: rising linearly.
        epochs: passes over the pairs. batch_size: pairs a step, over all processes together.
        micro_batch_size: pairs on a device at once; None for all of a batch.
        weight_decay: AdamW's. max_grad_norm: the gradient's norm to clip at, None for no clipping.
        mixed_precision: "no", "bf16" or "fp16": autocast over the weights as they are stored.
        gradient_checkpointing: recompute each layer in the backward pass: about a third slower, and
            a layer's activations in memory instead of all layers'.
        overlong: "error", or "drop" to leave out and count pairs over the model's context.
        log_every: steps between records in the history.
        seed: of the order of the pairs. output_dir: where ``fit`` saves model and history.
        save_every: steps between checkpoints in ``output_dir/checkpoints``; None for none.
        keep: how many checkpoints to keep, the newest. resume: True goes on from the newest
            whole one (from the start if there is none), and ends in the same weights as a run
            that was never interrupted: bit for bit on a CPU.
        progress: True or False; None shows a bar where somebody can watch.

    With ``MINIRM_FAST=1`` in the environment, which is for trying out whether notebooks run, no
    training is longer than two epochs, and a warning says so.

    Raises:
        TypeError, ValueError: bad rows (named), or settings that make no sense.
    """

    def __init__(
        self,
        model: RewardModel,
        train_pairs: Pairs,
        *,
        eval_sets: Mapping[str, Pairs] | None = None,
        on_evaluate: Callable[[Any, int], Mapping[str, float]] | None = None,
        lr: float = 1e-4,
        schedule: str = "constant",
        warmup_steps: int = 0,
        epochs: int = 5,
        batch_size: int = 32,
        micro_batch_size: int | None = None,
        weight_decay: float = 0.0,
        max_grad_norm: float | None = None,
        mixed_precision: Literal["no", "bf16", "fp16"] = "no",
        gradient_checkpointing: bool = False,
        overlong: Literal["error", "drop"] = "error",
        log_every: int = 10,
        eval_every: int | None = None,
        seed: int = 0,
        output_dir: str | Path | None = None,
        save_every: int | None = None,
        keep: int = 2,
        resume: bool = False,
        progress: bool | None = None,
    ) -> None:
        if not isinstance(model, RewardModel):
            raise TypeError(
                f"model must be a reward model, got {type(model).__name__}; "
                "wrap it first, as in ExplicitRM(model, tokenizer)"
            )
        counts = {"epochs": epochs, "batch_size": batch_size, "log_every": log_every}
        counts |= {"micro_batch_size": micro_batch_size, "eval_every": eval_every}
        counts |= {"save_every": save_every, "keep": keep}
        for name, value in counts.items():
            if value is not None and (value != int(value) or value < 1):
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        if not 0 <= lr < math.inf:
            raise ValueError(f"lr must be finite and not negative, got {lr!r}")
        if max_grad_norm is not None and not max_grad_norm > 0:
            raise ValueError(f"max_grad_norm must be positive or None, got {max_grad_norm!r}")
        if mixed_precision not in ("no", "bf16", "fp16"):
            raise ValueError(
                f'mixed_precision must be "no", "bf16" or "fp16", got {mixed_precision!r}'
            )
        if schedule not in list(SchedulerType):
            known = ", ".join(sorted(SchedulerType))
            raise ValueError(f"schedule must be one of {known}, got {schedule!r}")
        if output_dir is None and (save_every is not None or resume):
            raise ValueError("save_every and resume need an output_dir to hold the checkpoints")
        if warmup_steps and schedule == "constant":  # which would pass over the warm-up
            schedule = "constant_with_warmup"
        limits = {"max_length": model.max_length, "overlong": overlong}
        self.model = model
        self.pairs, self.dropped = encode_pairs(train_pairs, model.encode, **limits)
        _report(self.dropped, len(self.pairs), "train_pairs")
        self.costs = [pair_cost(pair, shared=model.shares_prompts) for pair in self.pairs]
        self.on_evaluate = on_evaluate
        self.eval_sets: dict[str, list[EncodedPair]] = {}
        if not isinstance(eval_sets or {}, Mapping):
            raise TypeError(
                "eval_sets must be a mapping from names to pairs, such as "
                f'{{"test": pairs}}, got {type(eval_sets).__name__}'
            )
        for name, pairs in (eval_sets or {}).items():
            try:
                self.eval_sets[name], dropped = encode_pairs(pairs, model.encode, **limits)
            except (TypeError, ValueError) as error:
                raise placed(error, f"eval_sets[{name!r}]") from error
            _report(dropped, len(self.eval_sets[name]), f"eval_sets[{name!r}]")
        if os.environ.get("MINIRM_FAST") == "1" and epochs > 2:
            warnings.warn(f"MINIRM_FAST=1: 2 epochs instead of {epochs}", stacklevel=2)
            epochs = 2
        self.lr, self.schedule, self.warmup_steps = lr, schedule, warmup_steps
        self.epochs, self.batch_size = epochs, batch_size
        self.micro_batch_size = micro_batch_size or batch_size
        self.weight_decay, self.max_grad_norm = weight_decay, max_grad_norm
        self.mixed_precision = mixed_precision
        self.gradient_checkpointing = gradient_checkpointing
        self.log_every, self.eval_every = log_every, eval_every
        self.seed, self.progress = seed, progress
        self.output_dir = None if output_dir is None else Path(output_dir)
        self.save_every, self.keep, self.resume = save_every, keep, resume
        self.history: list[dict[str, float]] = []

    @property
    def total_steps(self) -> int:
        return self.epochs * self._steps_per_epoch

    @property
    def _steps_per_epoch(self) -> int:
        return -(-len(self.pairs) // self.batch_size)

    def fit(self) -> list[dict[str, float]]:
        """Train, and return the history: one dict per record, "step" in each.

        Training records hold "loss", "accuracy", "margin" (means over the pairs since the last
        record) and "lr"; evaluation records hold "NAME/accuracy", "NAME/margin" and
        "NAME/normalised_margin" for each set.

        Raises:
            FloatingPointError: a loss or a gradient is not finite. The model holds the weights
                before that step; with an ``output_dir`` they are saved there too.
            OSError: a checkpoint cannot be written; the one before it is still there.
            ValueError: the checkpoints there are another run's (or, without ``resume``, any are).
        """
        self.history = []
        accelerator = self._accelerator()
        self._check_output()
        self._settings = self._what_must_stay() if self.save_every or self.resume else {}
        weights = [p for p in self.model.parameters() if p.requires_grad]
        # The fused kernel is the one that can be told on the device to leave a step out.
        optimizer = torch.optim.AdamW(
            weights, lr=self.lr, weight_decay=self.weight_decay, fused=_can_fuse(accelerator.device)
        )
        schedule = get_scheduler(self.schedule, optimizer, self.warmup_steps, self.total_steps)
        model, optimizer = accelerator.prepare(self.model, optimizer)
        distributed.gather_outside_forward(self.model, "rewards", "reference_logprobs")
        optimizer.zero_grad(set_to_none=True)  # what somebody left there is not of this batch
        if self.gradient_checkpointing:
            _checkpoint_activations(self.model.model, "enable", {"use_reentrant": False})
        try:
            self._loop(accelerator, model, optimizer, schedule)
        except NotFinite as error:
            raise FloatingPointError(self._save_failure(error)) from None
        finally:
            if self.gradient_checkpointing:
                _checkpoint_activations(self.model.model, "disable")
            self._move_reference(self.model.device)
            self.model.eval()
            self.model.zero_grad(set_to_none=True)
            # Takes off the autocast, which would otherwise stay on for the next Trainer.
            accelerator.unwrap_model(model, keep_fp32_wrapper=False)
        if self.output_dir is not None:
            self._save()
        return self.history

    def _loop(self, accelerator: Accelerator, model: Any, optimizer: Any, schedule: Any) -> None:
        with accelerator.autocast():  # rounded as the policy is, so that they cancel at the start
            reference = self._reference()
        self._move_reference("cpu")  # its numbers are cached: the device is the policy's
        weights = [p for p in self.model.parameters() if p.requires_grad]
        window = Window(accelerator.device)
        advice = f"lower lr (now {self.lr}) or clip gradients"
        parts = (self.model, optimizer.optimizer, schedule, accelerator.scaler)
        step = self._go_on(window, *parts)
        watched = self._watched(accelerator)
        bar = progress_bar(
            total=self.total_steps,
            initial=step,
            desc=self.model.kind,
            show=self.progress if accelerator.is_main_process else False,
        )
        with bar:
            if step == 0:
                self._evaluate_if_due(step)
            for epoch in range(step // self._steps_per_epoch, self.epochs):
                batches = epoch_batches(self.costs, self.batch_size, self.seed, epoch)
                for batch in islice(batches, step - epoch * self._steps_per_epoch, None):
                    model.train()
                    numbers = self._backward(accelerator, model, batch, reference)
                    # Over all ranks' gradient, so that they agree on what is finite.
                    norm = accelerator.clip_grad_norm_(weights, self.max_grad_norm or math.inf)
                    norm = distributed.whole(norm)
                    if accelerator.scaler is not None:  # fp16 overflows now and then, and skips
                        norm = torch.zeros_like(norm)
                    window.add(step, batch, numbers, norm)
                    if watched:
                        window.check(advice)
                    else:
                        optimizer.optimizer.found_inf = window.broken
                    lr = optimizer.param_groups[0]["lr"]
                    optimizer.step()
                    schedule.step()
                    optimizer.zero_grad(set_to_none=True)
                    step += 1
                    bar.update()
                    log = step == self.total_steps or step % self.log_every == 0
                    save = self._due(step, self.save_every) and step < self.total_steps
                    if log or save or self._due(step, self.eval_every):
                        window.check(advice)
                    if log:
                        record = window.mean() | {"lr": lr}
                        self.history.append({"step": step, "epoch": epoch, **record})
                        bar.set_postfix({k: f"{record[k]:.3f}" for k in ("loss", "accuracy")})
                    self._evaluate_if_due(step)
                    if save:
                        self._save_checkpoint(step, window, *parts)

    @staticmethod
    def _watched(accelerator: Accelerator) -> bool:
        """Whether the host looks at every step's numbers before the optimizer steps.

        On a GPU that would make it wait for the device. There the numbers are read when they are
        logged, and until then a flag on the device makes the optimizer skip every step from the
        first bad one on. (fp16's scaler wants that flag for itself, and waits anyway.)
        """
        return accelerator.device.type != "cuda" or accelerator.scaler is not None

    def evaluate(self) -> dict[str, dict[str, float]]:
        """Metrics of every named evaluation set, as ``evaluate`` gives them."""
        return {name: evaluate_encoded(self.model, pairs) for name, pairs in self.eval_sets.items()}

    def _accelerator(self) -> Accelerator:
        # Accelerate keeps its settings for the process; a notebook trains more than once.
        AcceleratorState._reset_state(reset_partial_state=True)
        layers = self.model.model._no_split_modules
        return Accelerator(
            mixed_precision=self.mixed_precision,
            cpu=distributed.on_cpu(),
            fsdp_plugin=distributed.fsdp(layers),
        )

    def _backward(
        self, accelerator: Accelerator, model: Any, batch: list[int], reference: Tensor | None
    ) -> Tensor:
        """Gradient of the batch's mean loss; returns loss, win and margin of its pairs: [3, B].

        Every process runs its own pairs of the batch and gets the sum over all of them.
        """
        shares, size = accelerator.num_processes, self.micro_batch_size
        mine = range(accelerator.process_index, len(batch), shares)
        parts = [mine[i : i + size] for i in range(0, len(mine), size)]
        passes = math.ceil(math.ceil(len(batch) / shares) / size)  # as many on every process
        numbers = None
        for k in range(passes):
            # A process that has no pairs left still has to take part: with weight 0.
            part, idle = (range(1), True) if k >= len(parts) else (parts[k], False)
            weight = 0 if idle else shares / len(batch)  # the processes are averaged
            with nullcontext() if k == passes - 1 else accelerator.no_sync(model):
                losses, rewards = model(self._rows([batch[i] for i in part], reference))
                # Weighted by pairs: a mean of means would favour the pairs of a short micro-batch.
                accelerator.backward(losses.sum() * weight)
            chosen, rejected = in_full(rewards.detach()).chunk(2)
            right = (chosen > rejected).to(chosen) + 0.5 * (chosen == rejected).to(chosen)
            if numbers is None:
                numbers = chosen.new_zeros(3, len(batch))
            if not idle:
                sums = torch.stack([in_full(losses.detach()), right, chosen - rejected])
                numbers[:, part.start : part.stop : part.step] = sums
        return distributed.add_up(numbers)

    def _rows(self, indices: list[int], reference: Tensor | None) -> Rows:
        pairs, pad = [self.pairs[i] for i in indices], self.model.pad_token_id
        rows = pair_rows(pairs, pad, shared=self.model.shares_prompts)
        if reference is not None:
            rows = replace(rows, reference=reference[:, indices].flatten())
        return rows.to(self.model.device)

    def _reference(self) -> Tensor | None:
        """ln pi_ref of both responses of every pair, once: [2, pairs]; None where unused."""
        if not isinstance(self.model, ImplicitRM) or not self.model.has_reference:
            return None
        indices = sorted(range(len(self.pairs)), key=self.costs.__getitem__)
        mine = distributed.share(indices)  # may be empty: a pair for two processes
        own, size = [indices[i] for i in mine or range(1)], self.micro_batch_size
        cache = torch.zeros(2, len(self.pairs), dtype=sum_dtype(self.model))
        for part in distributed.in_step(
            own[start : start + size] for start in range(0, len(own), size)
        ):
            values = self.model.reference_logprobs(self._rows(part, None)).cpu()
            if mine:
                cache[:, part] = values.reshape(2, -1)
        return distributed.add_up(cache)

    def _move_reference(self, device: torch.device | str) -> None:
        reference = getattr(self.model, "reference", None)
        if reference is not None and not torch.distributed.is_initialized():
            reference.to(device)

    def _evaluate_if_due(self, step: int) -> None:
        due = step == self.total_steps or self._due(step, self.eval_every)
        if not due or not (self.eval_sets or self.on_evaluate):
            return
        self._move_reference(self.model.device)
        flat = {
            f"{name}/{metric}": value
            for name, values in self.evaluate().items()
            for metric, value in values.items()
        }
        more = self.on_evaluate(self.model, step) if self.on_evaluate else {}
        self.history.append({"step": step, **flat, **more})
        self._move_reference("cpu")

    @staticmethod
    def _due(step: int, every: int | None) -> bool:
        return every is not None and step % every == 0

    # ------------------------------------------------------------------ what is left on the disk

    @property
    def _checkpoints(self) -> Path:
        return self.output_dir / "checkpoints"

    def _check_output(self) -> None:
        if self.output_dir is None or self.resume:
            return
        if (there := checkpoints.any_in(self._checkpoints)) is not None:
            raise ValueError(
                f"{there} is the checkpoint of an earlier run: go on from it with resume=True "
                "(--resume), or choose another output folder"
            )

    def _what_must_stay(self) -> dict[str, Any]:
        """What must not change between a checkpoint and the run that goes on from it."""
        names = ("lr", "schedule", "warmup_steps", "epochs", "batch_size", "weight_decay")
        names += ("max_grad_norm", "mixed_precision", "seed")
        frozen = (w for w in self.model.parameters() if not w.requires_grad)
        return {
            "reward": self.model.kind,
            **self.model.settings(),
            **{name: getattr(self, name) for name in names},
            "pairs": resuming.fingerprint(self.pairs),
            "frozen_weights": resuming.checksum(frozen),
        }

    def _save_checkpoint(self, step: int, window: Window, *parts: Any) -> None:
        tensors, state = resuming.snapshot(*parts)
        if window.totals is not None:
            tensors["window"] = window.totals
        state |= {"settings": self._settings, "history": self.history}
        if distributed.processes().is_main_process:
            checkpoints.save(self._checkpoints, step, tensors, state, keep=self.keep)

    def _go_on(self, window: Window, *parts: Any) -> int:
        """The step to go on from; restores everything where there is a checkpoint."""
        if not self.resume:
            return 0
        checkpoint = checkpoints.load(self._checkpoints)
        if checkpoint is None:
            distributed.say(f"no checkpoint in {self._checkpoints}: starting from the beginning")
            return 0
        resuming.check_same_run(checkpoint.state["settings"], self._settings)
        resuming.restore(checkpoint, *parts)
        if "window" in checkpoint.tensors:
            window.totals = checkpoint.tensors["window"].to(self.model.device)
        self.history = checkpoint.state["history"]
        distributed.say(f"going on after step {checkpoint.step} of {self.total_steps}")
        return checkpoint.step

    def _save(self, folder: Path | None = None) -> None:
        """Write model and history, each file whole: beside first, then under its name."""
        folder = folder or self.output_dir
        state, partial = distributed.processes(), folder / ".partial"
        if state.is_main_process:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        try:
            if state.is_main_process or distributed.is_spread(self.model):  # all gather, one writes
                self.model.save_pretrained(partial)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise OSError(
                f"the model could not be written to {folder}: {error}; what was there is left "
                "as it was"
            ) from error
        if state.is_main_process:
            lines = "".join(json.dumps(record) + "\n" for record in self.history)
            (partial / "history.jsonl").write_text(lines)
            for path in sorted(p for p in partial.rglob("*") if p.is_file()):
                target = folder / path.relative_to(partial)
                target.parent.mkdir(exist_ok=True)
                os.replace(path, target)
            shutil.rmtree(partial)
        state.wait_for_everyone()

    def _save_failure(self, error: NotFinite) -> str:
        """Save the weights before the step that failed, and what failed; returns the message."""
        if self.output_dir is None:
            return str(error)
        folder = self.output_dir / f"before-step-{error.step}"
        self._save(folder)
        report = {"step": error.step, "rows": error.rows, "margins": repr(error.margins)}
        if distributed.processes().is_main_process:
            (folder / "failure.json").write_text(json.dumps(report | {"message": str(error)}))
        return f"{error}; the weights before that step are in {folder}"


def _can_fuse(device: torch.device) -> bool:
    """Whether AdamW has a kernel that takes its whole step at once there."""
    return device.type in ("cuda", "cpu", "xpu")


def _checkpoint_activations(model: Any, verb: str, *settings: Any) -> None:
    older = not hasattr(model, "activation_checkpointing_enable")  # transformers' name of late
    getattr(model, f"{'gradient' if older else 'activation'}_checkpointing_{verb}")(*settings)


def _report(dropped: int, kept: int, name: str) -> None:
    if dropped:
        distributed.say(
            f"{name}: dropped {dropped} of {dropped + kept} pairs, which exceed the context"
        )
