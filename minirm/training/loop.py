"""The loop: gradient steps, one after another. Nothing here logs, evaluates or writes.

A step takes ``batch_size`` pairs whatever the memory: ``micro_batch_size`` only says how many of
them are on a device at once, and the gradient is that of the whole batch to rounding. Nor does it
matter how many processes share the batch: ``torchrun`` starts them, Accelerate joins them up; with
``ACCELERATE_USE_FSDP=true`` in the environment they share the weights too (FSDP2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor

from minirm import distributed
from minirm.batches import Rows, epoch_batches, pair_rows
from minirm.evaluation import sum_dtype
from minirm.forward import upcast
from minirm.pairs import EncodedPair
from minirm.reward_model import RewardModel
from minirm.rewards import ImplicitRM
from minirm.training import schedules
from minirm.training.monitor import Monitor
from minirm.training.settings import Settings


@dataclass(frozen=True)
class Step:
    """A step that was taken: how many there are now, in which epoch, at which learning rate."""

    number: int
    epoch: int
    lr: float


class Loop:
    """A model, its optimizer and its schedule, put on the device that they run on.

    Args:
        model: trained in place.
        pairs: its comparisons.
        costs: of each pair, in tokens; batches are of like cost.
        settings: of the run.

    Attributes:
        parts: model, optimizer, schedule and loss scaler: what a checkpoint holds.
        monitor: the numbers of the steps since somebody read them.
    """

    def __init__(
        self,
        model: RewardModel,
        pairs: Sequence[EncodedPair],
        costs: Sequence[int],
        settings: Settings,
    ) -> None:
        self.model, self.pairs, self.costs, self.settings = model, pairs, costs, settings
        self.accelerator = _accelerator(model, settings)
        device, scaler = self.accelerator.device, self.accelerator.scaler
        # The fused kernel is the one that can be told on the device to leave a step out.
        optimizer = torch.optim.AdamW(
            _trained(model),
            lr=settings.lr,
            weight_decay=settings.weight_decay,
            fused=device.type in ("cuda", "cpu", "xpu"),
        )
        total = settings.total_steps(len(pairs))
        self.schedule = schedules.build(settings.schedule, optimizer, settings.warmup_steps, total)
        self.wrapped, self.optimizer = self.accelerator.prepare(model, optimizer)
        distributed.gather_outside_forward(model, "rewards", "reference_logprobs")
        self._weights = _trained(model)  # anew: FSDP has put others in their place
        self.optimizer.zero_grad(set_to_none=True)  # what was left there is not of this batch
        if settings.gradient_checkpointing:
            _recompute_activations(model.model, "enable", {"use_reentrant": False})
        advice = f"lower lr (now {settings.lr}) or clip gradients"
        self.monitor = Monitor(device, scaled=scaler is not None, advice=advice)
        self.parts = (model, self.optimizer.optimizer, self.schedule, scaler)

    def steps(self, start: int, reference: Tensor | None) -> Iterator[Step]:
        """Train on from step ``start``; yields after every step.

        Args:
            start: steps that were taken before.
            reference: as the method of this name returns it.

        Raises:
            NotFinite: see ``monitor``.
        """
        number, settings = start, self.settings
        an_epoch = settings.steps_per_epoch(len(self.pairs))
        for epoch in range(start // an_epoch, settings.epochs):
            batches = epoch_batches(self.costs, settings.batch_size, settings.seed, epoch)
            for batch in islice(batches, number - epoch * an_epoch, None):
                self.wrapped.train()
                numbers = self.backward(batch, reference)
                # Over all ranks' gradient, so that they agree on what is finite.
                norm = self.accelerator.clip_grad_norm_(
                    self._weights, settings.max_grad_norm or math.inf
                )
                norm = distributed.whole(norm)
                self.monitor.watch(number, batch, numbers, norm, self.optimizer.optimizer)
                lr = self.optimizer.param_groups[0]["lr"]
                self.optimizer.step()
                self.schedule.step()
                self.optimizer.zero_grad(set_to_none=True)
                number += 1
                yield Step(number, epoch, lr)

    def backward(self, batch: list[int], reference: Tensor | None) -> Tensor:
        """Gradient of the batch's mean loss; returns loss, win and margin of its pairs: [3, B].

        Every process runs its own pairs of the batch and gets the sum over all of them.
        """
        accelerator, size = self.accelerator, self._at_once
        shares = accelerator.num_processes
        mine = range(accelerator.process_index, len(batch), shares)
        parts = [mine[i : i + size] for i in range(0, len(mine), size)]
        passes = math.ceil(math.ceil(len(batch) / shares) / size)  # as many on every process
        numbers = None
        for k in range(passes):
            # A process that has no pairs left still has to take part: with weight 0.
            part, idle = (range(1), True) if k >= len(parts) else (parts[k], False)
            weight = 0 if idle else shares / len(batch)  # the processes are averaged
            with nullcontext() if k == passes - 1 else accelerator.no_sync(self.wrapped):
                losses, rewards = self.wrapped(self.rows([batch[i] for i in part], reference))
                # Weighted by pairs: a mean of means would favour the pairs of a short micro-batch.
                accelerator.backward(losses.sum() * weight)
            chosen, rejected = upcast(rewards.detach()).chunk(2)
            right = (chosen > rejected).to(chosen) + 0.5 * (chosen == rejected).to(chosen)
            if numbers is None:
                numbers = chosen.new_zeros(3, len(batch))
            if not idle:
                sums = torch.stack([upcast(losses.detach()), right, chosen - rejected])
                numbers[:, part.start : part.stop : part.step] = sums
        assert numbers is not None, "a batch has pairs"
        return distributed.all_reduce(numbers)

    def rows(self, indices: list[int], reference: Tensor | None) -> Rows:
        """The pairs of these indices for the model, with their part of the reference."""
        pairs, pad = [self.pairs[i] for i in indices], self.model.pad_token_id
        rows = pair_rows(pairs, pad, shared=self.model.shares_prompts)
        if reference is not None:
            rows = replace(rows, reference=reference[:, indices].flatten())
        if rows.margin is not None:
            rows = replace(rows, margin=rows.margin.to(sum_dtype(self.model)))
        return rows.to(self.model.device)

    def reference(self) -> Tensor | None:
        """ln pi_ref of both responses of every pair, once: [2, pairs]; None where unused.

        Rounded as the policy is in training, so that they cancel at the start.
        """
        if not isinstance(self.model, ImplicitRM) or not self.model.has_reference:
            return None
        indices = sorted(range(len(self.pairs)), key=self.costs.__getitem__)
        mine = distributed.share(indices)  # may be empty: a pair for two processes
        own, size = [indices[i] for i in mine or range(1)], self._at_once
        cache = torch.zeros(2, len(self.pairs), dtype=sum_dtype(self.model))
        parts = [own[start : start + size] for start in range(0, len(own), size)]
        with self.accelerator.autocast():
            for part in distributed.in_step(parts):
                values = self.model.reference_logprobs(self.rows(part, None)).cpu()
                if mine:
                    cache[:, part] = values.reshape(2, -1)
        return distributed.all_reduce(cache)

    def move_reference(self, device: torch.device | str) -> None:
        """Take a reference model off the device while its cached numbers do, or back onto it."""
        reference = getattr(self.model, "reference", None)
        if reference is not None and not torch.distributed.is_initialized():
            reference.to(device)

    def close(self) -> None:
        """Leave the model as a model: no autocast, no gradients, evaluation mode."""
        if self.settings.gradient_checkpointing:
            _recompute_activations(self.model.model, "disable")
        self.move_reference(self.model.device)
        self.model.eval()
        self.model.zero_grad(set_to_none=True)
        # Takes off the autocast, which would otherwise stay on for the next Trainer.
        self.accelerator.unwrap_model(self.wrapped, keep_fp32_wrapper=False)

    @property
    def _at_once(self) -> int:
        return self.settings.micro_batch_size or self.settings.batch_size


def _accelerator(model: RewardModel, settings: Settings) -> Accelerator:
    # Accelerate keeps its settings for the process; a notebook trains more than once.
    AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(
        mixed_precision=settings.mixed_precision,
        cpu=distributed.on_cpu(),
        fsdp_plugin=distributed.fsdp(model.model._no_split_modules),
        log_with=settings.log_with,
        project_dir=settings.folder and settings.folder / "logs",
    )


def _trained(model: RewardModel) -> list[torch.nn.Parameter]:
    return [weight for weight in model.parameters() if weight.requires_grad]


def _recompute_activations(model: Any, verb: str, *arguments: Any) -> None:
    older = not hasattr(model, "activation_checkpointing_enable")  # transformers' name of late
    getattr(model, f"{'gradient' if older else 'activation'}_checkpointing_{verb}")(*arguments)
