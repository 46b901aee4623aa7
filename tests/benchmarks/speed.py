"""How fast the trainer is on models of a real size, in bf16, against what the device can do.

The weights are random, for what they are costs no time; the configurations are those of Pythia-1B
and of Qwen2.5-1.5B. The work that counts is what the pairs need and no more: six operations for
each weight of the body and each token, a prompt counted once; the attention between tokens that
see each other; for an implicit reward the head, at the tokens of the answers. Padding, masked
attention and what is computed twice do not count. The device's rate is that of one large product
of bf16 matrices, timed in the same process.
"""

from __future__ import annotations

import copy
import gc
import random
import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from texts import make_text, make_tokenizer
from transformers import AutoModelForCausalLM, GPTNeoXConfig, Qwen2Config

from minirm import ExplicitRM, ImplicitRM, PreferencePair, Trainer
from minirm.batches import epoch_batches
from minirm.pairs import EncodedPair
from minirm.reward_model import RewardModel
from minirm.training.loop import Loop

CONFIGS: dict[str, Any] = {
    "Pythia-1B": GPTNeoXConfig(
        hidden_size=2048, num_hidden_layers=16, num_attention_heads=8, intermediate_size=8192,
        vocab_size=50304, max_position_embeddings=2048,
    ),
    "Qwen2.5-1.5B": Qwen2Config(
        hidden_size=1536, num_hidden_layers=28, num_attention_heads=12, num_key_value_heads=2,
        intermediate_size=8960, vocab_size=151936, max_position_embeddings=4096,
        tie_word_embeddings=True,
    ),
    "rehearsal": Qwen2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=64, vocab_size=128, max_position_embeddings=256,
    ),
}  # fmt: skip
WARM_UP = 3


@dataclass(frozen=True)
class Run:
    """One figure.

    Args:
        model: a key of ``CONFIGS``.
        reward: "explicit" or "implicit".
        lengths: "uniform", every text of ``tokens``; "ragged", evenly from a quarter of that to
            seven quarters.
        rival: "minirm", or "TRL best": TRL with every option that makes it faster.
        tokens: of a prompt and of each answer, on average.
        batch_size: pairs a step.
        steps: that are timed.
    """

    model: str
    reward: str = "implicit"
    lengths: str = "uniform"
    rival: str = "minirm"
    tokens: int = 512
    batch_size: int = 8
    steps: int = 8


def measure(run: Run) -> list[dict[str, Any]]:
    """Time some training steps.

    Returns:
        one row: the run, "pairs a second", "tokens a second" (prompts counted once), "TFLOP/s" of
        work that counts, "peak TFLOP/s" of the large product, their "fraction", the "GiB" that
        were allocated at most (0 on a CPU), and the "seconds" of the whole run.
    """
    start = time.perf_counter()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    peak = product_rate(device)
    model = _reward(run, device)
    pairs = _pairs(run)
    timed = _minirm if run.rival == "minirm" else _trl
    encoded, seconds = timed(run, model, pairs)
    config = CONFIGS[run.model]
    work = sum(operations(model, config, pair) for pair in encoded) / 1e12
    rate = work / seconds
    tokens = sum(len(p.chosen) + len(p.rejected.response) for p in encoded)
    memory = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0.0
    del model
    gc.collect()
    torch.cuda.empty_cache()
    return [
        {
            **asdict(run),
            "pairs a second": len(encoded) / seconds,
            "tokens a second": tokens / seconds,
            "TFLOP/s": rate,
            "peak TFLOP/s": peak,
            "fraction": rate / peak,
            "GiB": memory,
            "seconds": time.perf_counter() - start,
        }
    ]


def operations(model: RewardModel, config: Any, pair: EncodedPair) -> float:
    """Floating-point operations that a step needs for one pair, forward and backward."""
    prompt = len(pair.chosen.prompt)
    answers = [len(pair.chosen.response), len(pair.rejected.response)]
    network = model.model
    outside = {id(w) for w in network.get_input_embeddings().parameters()}
    head = network.get_output_embeddings() if model.kind == "implicit" else None
    outside |= {id(w) for w in (head or network.score).parameters()}
    body = sum(w.numel() for w in network.parameters() if id(w) not in outside)
    seen = prompt**2 / 2 + sum(a * prompt + a**2 / 2 for a in answers)
    attention = 12 * config.num_hidden_layers * config.hidden_size * seen
    vocabulary = 6 * config.hidden_size * config.vocab_size * sum(answers) if head else 0
    return 6 * body * (prompt + sum(answers)) + attention + vocabulary


def product_rate(device: torch.device) -> float:
    """TFLOP/s of a product of two square bf16 matrices, the median of ten."""
    size = 8192 if device.type == "cuda" else 256
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(13):
        start = _now(device)
        left @ right
        seconds.append(_now(device) - start)
    return 2 * size**3 / statistics.median(seconds[3:]) / 1e12


def _minirm(
    run: Run, model: RewardModel, pairs: list[PreferencePair]
) -> tuple[list[EncodedPair], float]:
    """The pairs of the timed steps, and the seconds that these took."""
    trainer = Trainer(
        model, pairs, lr=1e-6, epochs=1, batch_size=run.batch_size, mixed_precision="bf16",
        progress=False,
    )  # fmt: skip
    batches = list(epoch_batches(trainer.costs, run.batch_size, trainer.settings.seed, 0))
    loop = Loop(model, trainer.pairs, trainer.costs, trainer.settings)
    reference = loop.reference()
    loop.move_reference("cpu")
    start = 0.0
    for step in loop.steps(0, reference):
        if step.number == WARM_UP:
            start = _now(model.device)
    seconds = _now(model.device) - start
    loop.close()
    return [trainer.pairs[i] for batch in batches[WARM_UP:] for i in batch], seconds


def _trl(
    run: Run, model: RewardModel, pairs: list[PreferencePair]
) -> tuple[list[EncodedPair], float]:
    """The same pairs, all of them: it is timed over its second epoch."""
    import rivals

    encoded = Trainer(model, pairs, progress=False).pairs
    trainer = rivals.trl_trainer(model, pairs, run.batch_size, best=True)
    times: list[float] = []
    device = model.device
    epoch = rivals.trl_epoch(
        trainer, lambda: times.append(_now(device)), lambda: times.append(_now(device)), best=True
    )
    epoch()
    epoch()
    return encoded, times[-1] - times[-2]


def _reward(run: Run, device: torch.device) -> RewardModel:
    torch.manual_seed(0)
    config = copy.deepcopy(CONFIGS[run.model])
    config.pad_token_id, config.eos_token_id = config.vocab_size - 3, config.vocab_size - 2
    config.bos_token_id = None
    with device:
        base = AutoModelForCausalLM.from_config(config)
    tokenizer = make_tokenizer(config.vocab_size)
    kind = ExplicitRM if run.reward == "explicit" else ImplicitRM
    return kind(base, tokenizer, copy=False)


def _pairs(run: Run) -> list[PreferencePair]:
    draw, vocabulary = random.Random(0), CONFIGS[run.model].vocab_size

    def text(name: int) -> str:
        least, most = run.tokens // 4, run.tokens * 7 // 4
        tokens = run.tokens if run.lengths == "uniform" else draw.randint(least, most)
        return make_text(name, tokens, vocabulary)

    many = run.batch_size * (WARM_UP + run.steps)
    texts = [[text(3 * i + k) for k in range(3)] for i in range(many)]
    return [PreferencePair(prompt + " ", a, b) for prompt, a, b in texts]


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
