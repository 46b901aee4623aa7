"""Processor time of scoring real pairs, against a bare pass over their distinct tokens.

    MINIRM_DATA=... python tests/benchmarks/scoring.py [--set NAME] [--pairs N] [--rounds N]

``minirm evaluate`` reads each distinct answer once, and a prompt once for its answers. What that
costs beyond the tokens themselves (padding, the mask of shared rows, rewards) is the ratio here:
the same tokens, in rows of one width and without a mask, go through the same model's body. The two
take turns, and the time is this process's own, so that what else a machine does falls on both.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MINIRM_PROGRESS", "0")

import torch

from minirm import ExplicitRM, load_base
from minirm.batches import FILLED
from minirm.commands.evaluate_rewards import side_rewards
from minirm.data.public import load_public
from minirm.forward import body
from minirm.pairs import EncodedPair, PreferencePair, encode_pairs
from minirm.reward_model import RewardModel


def distinct_tokens(pairs: Sequence[EncodedPair]) -> list[int]:
    """All tokens that have to be read: each distinct prompt's and each distinct answer's, once."""
    answers = dict.fromkeys(side for pair in pairs for side in (pair.chosen, pair.rejected))
    prompts = dict.fromkeys(answer.prompt for answer in answers)
    texts = [*prompts, *(answer.response for answer in answers)]
    return [token for text in texts for token in text]


def packed(tokens: Sequence[int], width: int) -> list[torch.Tensor]:
    """The tokens in batches of rows of one width, the rest in a row of its own."""
    whole = len(tokens) // width
    rows = torch.tensor(tokens[: whole * width]).view(whole, width)
    batches = list(rows.split(max(1, round(2 * FILLED / width))))
    rest = torch.tensor([tokens[whole * width :]])
    return [*batches, rest] if rest.numel() else batches


def seconds(call: Callable[[], Any]) -> float:
    """Processor time of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def compare(
    model: RewardModel, pairs: Sequence[PreferencePair], *, rounds: int = 2, batch_size: int = 64
) -> dict[str, Any]:
    """Score the pairs and read their tokens bare, in turns.

    Returns:
        "pairs", "tokens" (distinct), "seconds" of each of the two by rounds, and "ratio", the
        median over rounds.
    """
    encoded, _ = encode_pairs(pairs, model.encode)
    tokens = distinct_tokens(encoded)
    rows = {(pair.chosen.prompt, pair.rejected.prompt) for pair in encoded}
    batches = packed(tokens, max(1, len(tokens) // len(rows)))
    network = body(model.model)

    @torch.no_grad()
    def bare() -> None:
        for batch in batches:
            network(input_ids=batch, use_cache=False)

    bare_or_not = {
        "bare": bare,
        "scoring": lambda: side_rewards(model, encoded, batch_size=batch_size),
    }
    model.score_encoded([encoded[0].chosen])  # what is done at the first use alone
    found: dict[str, list[float]] = {name: [] for name in bare_or_not}
    for _ in range(rounds):
        for name, call in bare_or_not.items():
            found[name].append(seconds(call))
    ratios = [a / b for a, b in zip(found["scoring"], found["bare"], strict=True)]
    about = {"pairs": len(encoded), "tokens": len(tokens)}
    return {**about, "seconds": found, "ratios": ratios, "ratio": statistics.median(ratios)}


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--set", default="llmbar normal")
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=64)
    options = parser.parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ExplicitRM(*load_base(options.model, dtype=torch.float32), copy=False).eval()
    pairs = load_public(options.set).pairs[: options.pairs]
    found = compare(model, pairs, rounds=options.rounds, batch_size=options.batch_size)
    for name, times in found["seconds"].items():
        print(f"{name:8} " + " ".join(f"{t:8.2f} s" for t in times))
    print(f"{found['pairs']} pairs, {found['tokens']} distinct tokens: ratio {found['ratio']:.3f}")
    return found


if __name__ == "__main__":
    main()
