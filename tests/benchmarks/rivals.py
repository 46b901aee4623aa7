"""What is timed: minirm, TRL as it comes and at its best, and the loop of the paper's code.

Each rival is built once (its reference log-probabilities, where it caches them, too) and then runs
epochs over the same pairs with the same model; only the epochs are timed.
"""

from __future__ import annotations

import contextlib
import copy
import tempfile
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from datasets import Dataset
from torch.nn.functional import logsigmoid
from transformers import TrainerCallback
from trl import DPOConfig, DPOTrainer, RewardConfig, RewardTrainer
from trl.trainer import utils as trl_utils

from minirm import Trainer
from minirm.batches import epoch_batches, pair_rows
from minirm.reward_model import RewardModel
from minirm.rewards import ImplicitRM
from minirm.training.loop import Loop

LR, BETA, CLIP = 1e-6, 0.1, 1.0
Epoch = Callable[[], None]


def minirm_epoch(rm: RewardModel, pairs: list, batch_size: int, **options: Any) -> Epoch:
    settings = {"lr": LR, "epochs": 1, "batch_size": batch_size, "max_grad_norm": CLIP}
    trainer = Trainer(rm, pairs, **settings, progress=False, **options)
    loop = Loop(rm, trainer.pairs, trainer.costs, trainer.settings)
    cache = loop.reference()
    loop.close()

    def run() -> None:
        with mock.patch.object(Loop, "reference", return_value=cache):
            trainer.fit()

    return run


def bucketed_two_rows_epoch(rm: RewardModel, pairs: list, batch_size: int) -> Epoch:
    """The hardest rival: our own loop and head on plain rows, all pairs sorted by length."""
    rm.shares_prompts = False
    epoch = minirm_epoch(rm, pairs, batch_size)

    def sorted_batches(costs: list[int], size: int, *_: int) -> list[list[int]]:
        order = sorted(range(len(costs)), key=costs.__getitem__)
        return [order[i : i + size] for i in range(0, len(order), size)]

    def run() -> None:
        with mock.patch("minirm.training.loop.epoch_batches", sorted_batches):
            epoch()

    return run


def paper_epoch(rm: RewardModel, pairs: list, batch_size: int) -> Epoch:
    """Two padded rows, random batches, logits everywhere, the reference at every step."""
    encoded = Trainer(rm, pairs, progress=False).pairs
    optimizer = torch.optim.AdamW(rm.model.parameters(), lr=LR, weight_decay=0.0)
    device = rm.device

    def logprobs(model: Any, rows: Any) -> torch.Tensor:
        table = model(input_ids=rows.input_ids, use_cache=False).logits.log_softmax(-1)
        picked = table.flatten(0, 1)[rows.source, rows.target]
        return picked.new_zeros(rows.n_sequences).index_add(0, rows.sequence, picked)

    def run() -> None:
        for batch in epoch_batches([0] * len(encoded), batch_size, 0, 0):
            rows = pair_rows([encoded[i] for i in batch], rm.pad_token_id).to(device)
            if isinstance(rm, ImplicitRM):
                with torch.no_grad():
                    reference = logprobs(rm.reference, rows)
                rewards = rm.beta * (logprobs(rm.model, rows) - reference)
            else:
                rewards = rm.rewards(rows)
            chosen, rejected = rewards.chunk(2)
            (-logsigmoid(chosen - rejected).mean()).backward()
            torch.nn.utils.clip_grad_norm_(rm.model.parameters(), CLIP)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    return run


class Clock(TrainerCallback):
    """Calls ``start`` and ``stop`` around the steps of ``train``, leaving out its preparations."""

    def __init__(self, start: Callable[[], None], stop: Callable[[], None]) -> None:
        self.start, self.stop = start, stop

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        self.start()

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        self.stop()


def trl_trainer(rm: RewardModel, pairs: list, batch_size: int, *, best: bool) -> Any:
    """TRL with its defaults but for precision, or with every option that makes it faster."""
    implicit = isinstance(rm, ImplicitRM)
    options = {
        "output_dir": tempfile.mkdtemp(),
        "per_device_train_batch_size": batch_size,
        "num_train_epochs": 1,
        "learning_rate": LR,
        "max_length": None,  # as for every rival: nothing is cut
        "bf16": rm.device.type == "cuda",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": rm.device.type == "cpu",
    }
    if best:
        # Grouping wants a "length" column that is not removed first.
        options |= {"gradient_checkpointing": False, "remove_unused_columns": False}
        options |= {"train_sampling_strategy": "group_by_length"}
    columns = {name: [getattr(p, name) for p in pairs] for name in ("prompt", "chosen", "rejected")}
    data = Dataset.from_dict(columns | {"length": [len(rm_pair(rm, p)) for p in pairs]})
    shared = {"train_dataset": data, "processing_class": copy.deepcopy(rm.tokenizer)}
    model = copy.deepcopy(rm.model)
    if not implicit:
        return RewardTrainer(model, args=RewardConfig(**options), **shared)
    options |= {"beta": BETA, "precompute_ref_log_probs": best}
    reference = copy.deepcopy(rm.reference)
    return DPOTrainer(model, reference, args=DPOConfig(**options), **shared)


def rm_pair(rm: RewardModel, pair: Any) -> Any:
    return max((rm.encode(pair.prompt, side) for side in (pair.chosen, pair.rejected)), key=len)


def trl_epoch(trainer: Any, start: Callable, stop: Callable, *, best: bool) -> Epoch:
    trainer.add_callback(Clock(start, stop))

    def run() -> None:
        with as_on_a_gpu() if best else contextlib.nullcontext():
            trainer.train()

    return run


@contextlib.contextmanager
def as_on_a_gpu() -> Any:
    """TRL's head as on a GPU: response positions alone, no entropies; on a CPU it does more."""
    real = trl_utils._ChunkedLogProbFunction

    class LogProbsAlone:
        @staticmethod
        def apply(*args: Any) -> tuple[Any, ...]:
            first, *others = real.apply(*args[:-1], ("log_probs",))
            zeros = torch.zeros_like(first.detach())
            return (first, *(zeros for _ in others[:-1]), zeros.bool())

    with (
        mock.patch.object(trl_utils, "_use_triton", return_value=True),
        mock.patch.object(trl_utils, "_ChunkedLogProbFunction", LogProbsAlone),
    ):
        yield


def oracle(rm: RewardModel, pairs: list) -> dict[str, float]:
    """How far loss and rewards of one batch are from TRL's; the largest absolute differences."""
    trainer = trl_trainer(rm, pairs, len(pairs), best=False)
    inputs = trainer.data_collator([trainer.train_dataset[i] for i in range(len(pairs))])
    inputs = {k: v.to(rm.device) for k, v in inputs.items()}
    with torch.no_grad():
        loss, outputs = trainer.compute_loss(trainer.model, inputs, return_outputs=True)
        encoded = Trainer(rm, pairs, progress=False).pairs
        losses, rewards = rm(pair_rows(encoded, rm.pad_token_id, shared=True).to(rm.device))
    if isinstance(rm, ImplicitRM):
        theirs = [trainer._metrics["train"][f"rewards/{s}"][-1] for s in ("chosen", "rejected")]
        theirs = torch.tensor(theirs)
        ours = rewards.reshape(2, -1).mean(1).cpu()
    else:
        theirs, ours = outputs.logits.squeeze(-1).cpu(), rewards.cpu()
    return {
        "loss": abs(loss.item() - losses.mean().item()),
        "rewards": (theirs - ours).abs().max().item(),
        "largest reward": ours.abs().max().item(),
    }
