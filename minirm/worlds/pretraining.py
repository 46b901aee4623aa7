"""Pretrain the tiny language model of the opinion world, and write it as a folder."""

from __future__ import annotations

import json
import platform
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import GPTNeoXForCausalLM, PreTrainedTokenizerFast

from minirm.progress import quiet_transformers
from minirm.worlds import opinions
from minirm.worlds.gate import gate
from minirm.worlds.language_model import fit, new_model, one_thread
from minirm.worlds.opinions import World

STEPS = 1000
BATCH = 48
PEAK_LR = 4e-3
ROUGH_SHARE = 0.03  # documents with some words spelt in bytes


def pretrain(
    output: str | Path,
    seed: int = 0,
    facts: bool = True,
    steps: int = STEPS,
    rare: bool = False,
) -> dict[str, Any]:
    """Train a base language model and write it to the folder ``output``.

    The folder then opens in ``AutoModelForCausalLM`` and ``AutoTokenizer``. On one machine, the
    same arguments give the same bits.

    Args:
        output: a new or empty folder.
        seed: of the start, the documents, their order and their spelling.
        facts: whether what a speaker has said beforehand foretells the answer.
        steps: of ``BATCH`` documents each.
        rare: whether answers may have the openings of ``minirm.worlds.rare_openings``.

    Returns:
        The record that is in ``pretraining.json`` too: the command, the versions, the final loss
        (nats per token) and the gate's results.

    Raises:
        ValueError: ``steps`` is less than 1.
        FileExistsError: ``output`` exists and is not an empty folder.
    """
    output = Path(output)
    if steps < 1:
        raise ValueError(f"expected at least 1 step, got {steps}")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise FileExistsError(f"expected a new or empty folder, got {str(output)!r}")
    output.mkdir(parents=True, exist_ok=True)  # where that cannot be, it shows before the work
    tokenizer = opinions.build_tokenizer()
    with one_thread():
        model = new_model(len(tokenizer), seed)
        losses = train(model, tokenizer, World(facts, rare), seed, steps)
        results = gate(model, tokenizer, facts, rare)
    record = _origin(output.name, seed, facts, rare, steps) | {
        "parameters": sum(p.numel() for p in model.parameters()),
        "final_loss": sum(losses[-50:]) / len(losses[-50:]),
        "gate": results,
    }
    with quiet_transformers():
        model.save_pretrained(output)
    (output / "model.safetensors").chmod(0o644)  # written for its owner alone, shipped to all
    tokenizer.save_pretrained(output)
    (output / "pretraining.json").write_text(json.dumps(record, indent=2) + "\n")
    return record


def train(
    model: GPTNeoXForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    world: World,
    seed: int,
    steps: int,
    batch_size: int = BATCH,
    peak_lr: float = PEAK_LR,
) -> list[float]:
    """Train ``model`` in place on fresh documents of ``world``, as many a step as ``batch_size``.

    Returns:
        The loss of every step (nats per token).
    """
    rng = random.Random(seed)
    spelt = spellings(tokenizer)

    def draw() -> list[tuple[list[int], int]]:
        documents = [world.document(rng) for _ in range(batch_size)]
        return [
            (roughen(row, spelt, rng) if rng.random() < ROUGH_SHARE else row, 1)
            for row in opinions.encode(documents, tokenizer)
        ]

    return fit(model, draw, steps, peak_lr)


def spellings(tokenizer: PreTrainedTokenizerFast) -> dict[int, list[int]]:
    """The byte tokens that spell each token of the vocabulary, specials left out."""
    vocab = tokenizer.get_vocab()
    return {
        i: [vocab[symbol] for symbol in token]
        # By id: get_vocab() comes in another order each time, which random choices would inherit.
        for token, i in sorted(vocab.items(), key=lambda item: item[1])
        if i not in tokenizer.all_special_ids
    }


def roughen(ids: list[int], spelt: dict[int, list[int]], rng: random.Random) -> list[int]:
    """Spell one piece in ten in bytes and put one unknown word of random bytes somewhere.

    The world's own text never uses the byte tokens, and an embedding that was never trained is
    noise. This trains all of them, and teaches that a strange word leaves the rest in force.
    """
    rough = [t for i in ids for t in (spelt[i] if i in spelt and rng.random() < 0.1 else [i])]
    alphabet = [i for i, symbols in spelt.items() if len(symbols) == 1]
    at = rng.randint(1, len(rough) - 1)  # after <bos>, before the last <eos>
    return rough[:at] + rng.choices(alphabet, k=rng.randint(1, 8)) + rough[at:]


def _origin(name: str, seed: int, facts: bool, rare: bool, steps: int) -> dict[str, Any]:
    """What it takes to pretrain the same model again."""
    command = f"minirm pretrain {name} --seed {seed} --steps {steps}"
    command += ("" if facts else " --no-facts") + (" --openings rare" if rare else "")
    return {
        "command": command,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "machine": platform.machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "seed": seed,
        "facts": facts,
        "rare": rare,
        "steps": steps,
        "batch_size": BATCH,
        "peak_lr": PEAK_LR,
    }
