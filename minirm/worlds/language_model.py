"""The tiny causal language model of the worlds, and the loop that pretrains it.

Rows of token ids come in; what they mean is the business of a world.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from minirm.progress import progress_bar

WARMUP = 100  # steps
IGNORED = -100  # cross_entropy skips this label


def new_model(vocabulary: int, seed: int, hidden_size: int = 96) -> GPTNeoXForCausalLM:
    """An untrained model, of about 0.42 M parameters in the world of opinions.

    torch's global generator is left alone.

    Args:
        vocabulary: number of tokens.
        seed: of the weights.
        hidden_size: dimensions of a state; four heads share them.
    """
    config = GPTNeoXConfig(
        vocab_size=vocabulary,
        hidden_size=hidden_size,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=4 * hidden_size,
        max_position_embeddings=256,
        # One sublayer after the other: six steps of composition from three layers, where the
        # parallel form gives three.
        use_parallel_residual=False,
        # All of a head's dimensions turn with position: facts are read by looking a fixed few
        # words back, and a head of 24 dimensions has few to spare.
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10_000.0,
            "partial_rotary_factor": 1.0,
        },
        tie_word_embeddings=False,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GPTNeoXForCausalLM(config)


def pad(rows: list[list[int]], value: int) -> Tensor:
    """Rows of ids as one tensor [B, T], filled up with ``value`` on the right."""
    longest = max(map(len, rows))
    return torch.tensor([row + [value] * (longest - len(row)) for row in rows])


def summed_loss(
    model: GPTNeoXForCausalLM, rows: list[list[int]], given: Sequence[int] | None = None
) -> Tensor:
    """The negative log-likelihood (nats) of all tokens after each row's first, a scalar.

    Args:
        model: a causal language model.
        rows: ids, each row of its own length.
        given: how many tokens of each row are only read, where that is more than the first.
    """
    # Padding stands on the right and attention is causal, so no mask is needed.
    logits = model(input_ids=pad(rows, 0), use_cache=False).logits[:, :-1]
    read = given or [1] * len(rows)
    learned = [[IGNORED] * k + row[k:] for row, k in zip(rows, read, strict=True)]
    labels = pad(learned, IGNORED)[:, 1:]
    return cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread, then restore the number.

    The order in which floating-point sums are taken depends on the number of threads, so one
    machine repeats its own bits only if that number is fixed; one is what every machine has.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def fit(
    model: GPTNeoXForCausalLM,
    draw: Callable[[], list[tuple[list[int], int]]],
    steps: int,
    peak_lr: float,
) -> list[float]:
    """Train ``model`` in place.

    Args:
        model: a causal language model.
        draw: gives one step's rows, each with the number of its first tokens that are only read.
        steps: of AdamW, the rate rising over the first 100 and falling as a cosine.
        peak_lr: the learning rate at its height.

    Returns:
        The loss of every step (nats per token).
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=peak_lr, betas=(0.9, 0.98), weight_decay=0.01
    )
    losses: list[float] = []
    model.train()
    bar = progress_bar(range(steps), desc="pretrain")
    for step in bar:
        for group in optimizer.param_groups:
            group["lr"] = peak_lr * min((step + 1) / WARMUP, _cosine(step / steps))
        # Short and long rows go through the model apart, which saves a quarter of the padding
        # and leaves the gradient of the batch as it is.
        rows = sorted(draw(), key=lambda row: len(row[0]))
        tokens = sum(len(row) - given for row, given in rows)
        total = 0.0
        optimizer.zero_grad()
        for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
            loss = summed_loss(model, *map(list, zip(*half, strict=True))) / tokens
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(total)
        bar.set_postfix(loss=f"{total:.3f}", refresh=False)
    model.eval()
    return losses


def _cosine(done: float) -> float:
    """From 1 down to 0.02 while ``done`` goes from 0 to 1."""
    return 0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2
