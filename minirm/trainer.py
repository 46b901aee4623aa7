"""Room: the training loop. One loop for every reward: the loss is the model's own.

A step takes ``batch_size`` pairs whatever the memory: ``micro_batch_size`` only says how many of
them are on the device at once, and the gradient is that of the whole batch to rounding.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor
from transformers import SchedulerType, get_scheduler

from minirm import metrics
from minirm.batches import Rows, epoch_batches, pair_cost, pair_rows
from minirm.pairs import EncodedPair, PreferencePair, encode_pairs, placed
from minirm.progress import progress_bar
from minirm.rewards import ImplicitRM, RewardModel

Pairs = Sequence[PreferencePair | Mapping[str, Any]]


class Trainer:
    """Train a reward model on preference pairs.

    Args:
        model: an ``ExplicitRM``, ``ImplicitRM`` or ``GenerativeRM``; trained in place.
        train_pairs: the comparisons; all of them are validated and tokenised here.
        eval_sets: named sets, evaluated at the end and every ``eval_every`` steps (and at step 0).
        lr: of AdamW, at its height. schedule: a transformers name ("constant", "linear",
            "cosine", "constant_with_warmup", ...). warmup_steps: rising linearly.
        epochs: passes over the pairs. batch_size: pairs a step.
        micro_batch_size: pairs on the device at once; None for all of a batch.
        weight_decay, max_grad_norm: AdamW's decay; the norm to clip at, None for no clipping.
        mixed_precision: "no", "bf16" or "fp16": autocast over the weights as they are stored.
        gradient_checkpointing: recompute each layer in the backward pass: about a third slower, and
            a layer's activations in memory instead of all layers'.
        overlong: "error", or "drop" to leave out and count pairs over the model's context.
        log_every: steps between records in the history.
        seed: of the order of the pairs. output_dir: where ``fit`` saves model and history.
        progress: True or False; None shows a bar where somebody can watch.

    Raises:
        TypeError, ValueError: bad rows (named), or settings that make no sense.
    """

    def __init__(
        self,
        model: RewardModel,
        train_pairs: Pairs,
        *,
        eval_sets: Mapping[str, Pairs] | None = None,
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
        progress: bool | None = None,
    ) -> None:
        if not isinstance(model, RewardModel):
            raise TypeError(
                f"model must be a reward model, got {type(model).__name__}; "
                "wrap it first, as in ExplicitRM(model, tokenizer)"
            )
        counts = {"epochs": epochs, "batch_size": batch_size, "log_every": log_every}
        counts |= {"micro_batch_size": micro_batch_size, "eval_every": eval_every}
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
        if warmup_steps and schedule == "constant":  # which would pass over the warm-up
            schedule = "constant_with_warmup"
        limits = {"max_length": model.max_length, "overlong": overlong}
        self.model = model
        self.pairs, self.dropped = encode_pairs(train_pairs, model.encode, **limits)
        _report(self.dropped, len(self.pairs), "train_pairs")
        self.costs = [pair_cost(pair, shared=model.shares_prompts) for pair in self.pairs]
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
        self.lr, self.schedule, self.warmup_steps = lr, schedule, warmup_steps
        self.epochs, self.batch_size = epochs, batch_size
        self.micro_batch_size = micro_batch_size or batch_size
        self.weight_decay, self.max_grad_norm = weight_decay, max_grad_norm
        self.mixed_precision = mixed_precision
        self.gradient_checkpointing = gradient_checkpointing
        self.log_every, self.eval_every = log_every, eval_every
        self.seed, self.progress = seed, progress
        self.output_dir = None if output_dir is None else Path(output_dir)
        self.history: list[dict[str, float]] = []

    @property
    def total_steps(self) -> int:
        return self.epochs * -(-len(self.pairs) // self.batch_size)

    def fit(self) -> list[dict[str, float]]:
        """Train, and return the history: one dict per record, "step" in each.

        Training records hold "loss", "accuracy", "margin" (means over the pairs since the last
        record) and "lr"; evaluation records hold "NAME/accuracy", "NAME/margin" and
        "NAME/normalised_margin" for each set.

        Raises:
            FloatingPointError: the loss is not finite; the weights are those before that step.
        """
        self.history = []
        accelerator = self._accelerator()
        weights = [p for p in self.model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(
            weights, lr=self.lr, weight_decay=self.weight_decay, fused=_can_fuse(accelerator.device)
        )
        schedule = get_scheduler(self.schedule, optimizer, self.warmup_steps, self.total_steps)
        model, optimizer = accelerator.prepare(self.model, optimizer)
        optimizer.zero_grad(set_to_none=True)  # what somebody left there is not of this batch
        if self.gradient_checkpointing:
            _checkpoint_activations(self.model.model, "enable", {"use_reentrant": False})
        try:
            self._loop(accelerator, model, optimizer, schedule)
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
        step, window = 0, []
        bar = progress_bar(total=self.total_steps, desc=self.model.kind, show=self.progress)
        with bar:
            self._evaluate_if_due(step)
            model.train()
            for epoch in range(self.epochs):
                for batch in epoch_batches(self.costs, self.batch_size, self.seed, epoch):
                    window.append(self._backward(accelerator, model, batch, reference, step))
                    if self.max_grad_norm is not None:
                        accelerator.clip_grad_norm_(weights, self.max_grad_norm)
                    lr = optimizer.param_groups[0]["lr"]
                    optimizer.step()
                    schedule.step()
                    optimizer.zero_grad(set_to_none=True)
                    step += 1
                    bar.update()
                    if step % self.log_every == 0 or step == self.total_steps:
                        record = _mean(window) | {"lr": lr}
                        self.history.append({"step": step, "epoch": epoch, **record})
                        bar.set_postfix({k: f"{record[k]:.3f}" for k in ("loss", "accuracy")})
                        window = []
                    self._evaluate_if_due(step)

    def evaluate(self) -> dict[str, dict[str, float]]:
        """Metrics of every named evaluation set, as ``evaluate`` gives them."""
        return {name: _evaluate(self.model, pairs) for name, pairs in self.eval_sets.items()}

    def _accelerator(self) -> Accelerator:
        # Accelerate keeps its precision for the process; a notebook trains more than once.
        AcceleratorState._reset_state()
        return Accelerator(mixed_precision=self.mixed_precision)

    def _backward(
        self,
        accelerator: Accelerator,
        model: Any,
        batch: list[int],
        reference: Tensor | None,
        step: int,
    ) -> Tensor:
        """Gradient of the batch's mean loss; returns sums over its pairs, and their count: [4]."""
        totals = torch.zeros(4, device=accelerator.device)
        for start in range(0, len(batch), self.micro_batch_size):
            part = batch[start : start + self.micro_batch_size]
            losses, rewards = model(self._rows(part, reference))
            # Weighted by pairs: a mean of means would favour the pairs of a short micro-batch.
            loss = losses.sum() / len(batch)
            chosen, rejected = rewards.detach().chunk(2)
            margin = chosen - rejected
            self._check_finite(loss, margin, part, step)
            accelerator.backward(loss)
            right = (chosen > rejected).float() + 0.5 * (chosen == rejected).float()
            sums = torch.stack([losses.detach(), right, margin, torch.ones_like(right)])
            totals += sums.float().sum(1)
        return totals

    def _check_finite(self, loss: Tensor, margin: Tensor, part: list[int], step: int) -> None:
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the loss is {loss.item()} at step {step}, rows {part}, margins "
                f"{margin.tolist()}; lower lr (now {self.lr}) or clip gradients"
            )

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
        cache = None
        for start in range(0, len(indices), self.micro_batch_size):
            part = indices[start : start + self.micro_batch_size]
            values = self.model.reference_logprobs(self._rows(part, None)).cpu()
            cache = values.new_empty(2, len(self.pairs)) if cache is None else cache
            cache[:, part] = values.reshape(2, -1)
        return cache

    def _move_reference(self, device: torch.device | str) -> None:
        reference = getattr(self.model, "reference", None)
        if reference is not None and not torch.distributed.is_initialized():
            reference.to(device)

    def _evaluate_if_due(self, step: int) -> None:
        every = self.eval_every
        due = step == self.total_steps or (every is not None and step % every == 0)
        if not due or not self.eval_sets:
            return
        self._move_reference(self.model.device)
        flat = {
            f"{name}/{metric}": value
            for name, values in self.evaluate().items()
            for metric, value in values.items()
        }
        self.history.append({"step": step, **flat})
        self._move_reference("cpu")

    def _save(self) -> None:
        self.output_dir.mkdir(parents=True, exist_ok=True)
        self.model.save_pretrained(self.output_dir)
        lines = "".join(json.dumps(record) + "\n" for record in self.history)
        (self.output_dir / "history.jsonl").write_text(lines)


def evaluate(model: RewardModel, pairs: Pairs, *, batch_size: int = 64) -> dict[str, float]:
    """Accuracy (ties count one half), mean margin and normalised margin on preference pairs.

    A response that occurs in several pairs is scored once; every pair counts once.
    """
    encoded, _ = encode_pairs(pairs, model.encode, max_length=model.max_length)
    return _evaluate(model, encoded, batch_size=batch_size)


def _evaluate(
    model: RewardModel, pairs: Sequence[EncodedPair], batch_size: int = 64
) -> dict[str, float]:
    sides = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
    chosen, rejected = model.score_encoded(sides, batch_size=batch_size).chunk(2)
    return {
        "accuracy": metrics.accuracy(chosen, rejected),
        "margin": float((chosen - rejected).double().mean()),
        "normalised_margin": metrics.normalised_margin(chosen, rejected),
    }


def _can_fuse(device: torch.device) -> bool:
    """Whether AdamW has a kernel that takes its whole step at once there."""
    return device.type in ("cuda", "cpu", "xpu")


def _checkpoint_activations(model: Any, verb: str, *settings: Any) -> None:
    older = not hasattr(model, "activation_checkpointing_enable")  # transformers' name of late
    getattr(model, f"{'gradient' if older else 'activation'}_checkpointing_{verb}")(*settings)


def _report(dropped: int, kept: int, name: str) -> None:
    if dropped:
        print(f"{name}: dropped {dropped} of {dropped + kept} pairs, which exceed the context")


def _mean(window: list[Tensor]) -> dict[str, float]:
    loss, right, margin, n = torch.stack(window).sum(0).tolist()
    return {"loss": loss / n, "accuracy": right / n, "margin": margin / n}
