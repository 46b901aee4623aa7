"""``make bench``: minirm against TRL and against the loop of the paper's code.

    python tests/benchmarks/bench.py [--quick] [--json FILE] [--threads N]

First it checks that all compute the same thing. Then the rivals take turns, epoch by epoch, in one
process; a figure is the median over rounds of the ratio of times within a round, so that what else
the machine does falls on all alike. On a CPU the time is the processor time of this process.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import gc
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import datasets
import rivals
import torch
import transformers
import trl
from texts import make_text, make_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

import minirm
from minirm import ExplicitRM, ImplicitRM, PreferencePair, Trainer
from minirm.batches import epoch_batches, pair_cost

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
MODELS = {
    "big vocabulary": {"hidden_size": 256, "num_hidden_layers": 4, "vocab_size": 32000},
    "bigger body": {"hidden_size": 384, "num_hidden_layers": 8, "vocab_size": 8192},
    "small": {"hidden_size": 256, "num_hidden_layers": 4, "vocab_size": 8192},
}
CASES = {  # reward, model, lengths, pairs a round, batch size
    "EX uniform, big vocabulary": (ExplicitRM, "big vocabulary", "uniform", 12, 4),
    "IM uniform, big vocabulary": (ImplicitRM, "big vocabulary", "uniform", 8, 4),
    "EX ragged, RewardMATH": (ExplicitRM, "small", "rewardmath", 16, 4),
    "IM ragged, RewardMATH": (ImplicitRM, "small", "rewardmath", 16, 4),
    "IM uniform, bigger body": (ImplicitRM, "bigger body", "uniform", 8, 4),
    "EX uniform, bigger body": (ExplicitRM, "bigger body", "uniform", 8, 4),
    "IM ragged, UltraFeedback": (ImplicitRM, "small", "ultrafeedback", 16, 4),
}
NAMES = ("minirm", "TRL default", "TRL best", "two rows (paper)", "two rows, bucketed, cached")


def make_pairs(lengths: str, n: int | None, vocabulary: int) -> list[PreferencePair]:
    """Random words, as many as the real texts have tokens; equal texts stay equal."""
    draw = random.Random(0)

    if lengths == "uniform":
        sizes = [(128, 256), (64, 128), (64, 128)]
        table = [
            [v for k, s in enumerate(sizes) for v in (3 * i + k, draw.randint(*s))]
            for i in range(n)
        ]
    else:
        table = json.loads((HERE.parents[1] / "book/results/lengths.json").read_text())[lengths]
        table = draw.sample(table, n) if n else table

    def text(name: int, tokens: int) -> str:
        return make_text(name, tokens, vocabulary)

    return [PreferencePair(text(*r[:2]) + " ", text(*r[2:4]), text(*r[4:])) for r in table]


def make_reward(kind: type, name: str) -> Any:
    torch.manual_seed(0)
    size = MODELS[name]
    config = LlamaConfig(
        **size,
        intermediate_size=4 * size["hidden_size"],
        num_attention_heads=size["hidden_size"] // 64,
        max_position_embeddings=2048,
        pad_token_id=size["vocab_size"] - 3,
        eos_token_id=size["vocab_size"] - 2,
        bos_token_id=None,
    )
    options = {"beta": rivals.BETA} if kind is ImplicitRM else {}
    base = LlamaForCausalLM(config).to(DEVICE)
    return kind(base, make_tokenizer(size["vocab_size"]), copy=False, **options)


class Stopwatch:
    def __init__(self) -> None:
        self.cpu = self.wall = 0.0

    def start(self) -> None:
        if DEVICE == "cuda":
            torch.cuda.synchronize()
        self._from = time.process_time(), time.perf_counter()

    def stop(self) -> None:
        if DEVICE == "cuda":
            torch.cuda.synchronize()
        self.cpu = time.process_time() - self._from[0]
        self.wall = time.perf_counter() - self._from[1]

    @property
    def seconds(self) -> float:
        return self.cpu if DEVICE == "cpu" else self.wall


def build(name: str, rm: Any, pairs: list, batch_size: int, watch: Stopwatch) -> Any:
    """One rival's epoch; TRL starts and stops the watch itself."""
    rm = copy.deepcopy(rm)
    if name.startswith("TRL"):
        best = name == "TRL best"
        trainer = rivals.trl_trainer(rm, pairs, batch_size, best=best)
        return rivals.trl_epoch(trainer, watch.start, watch.stop, best=best)
    options = {"mixed_precision": "bf16"} if DEVICE == "cuda" else {}
    epoch = {
        "minirm": lambda: rivals.minirm_epoch(rm, pairs, batch_size, **options),
        "two rows (paper)": lambda: rivals.paper_epoch(rm, pairs, batch_size),
        "two rows, bucketed, cached": lambda: rivals.bucketed_two_rows_epoch(rm, pairs, batch_size),
    }[name]()

    def run() -> None:
        watch.start()
        epoch()
        watch.stop()

    return run


def run_case(case: str, rounds: int, share: float) -> dict[str, Any]:
    kind, model, lengths, n, batch_size = CASES[case]
    pairs = make_pairs(lengths, max(batch_size, int(n * share)), MODELS[model]["vocab_size"])
    rm, watch = make_reward(kind, model), Stopwatch()
    epochs = {name: build(name, rm, pairs, batch_size, watch) for name in NAMES}
    seconds: dict[str, list[float]] = {name: [] for name in NAMES}
    for turn in range(rounds):
        order = list(NAMES)
        random.Random(turn).shuffle(order)  # nobody always follows the same one
        for name in order:
            gc.collect()
            epochs[name]()
            seconds[name].append(watch.seconds)
    ratios = {
        name: [a / b for a, b in zip(seconds[name], seconds["minirm"], strict=True)]
        for name in NAMES
    }
    return {
        "pairs": len(pairs),
        "batch_size": batch_size,
        "pairs_per_second": {k: len(pairs) / statistics.median(v) for k, v in seconds.items()},
        "times_faster": {
            k: {"median": statistics.median(v), "lowest": min(v), "highest": max(v)}
            for k, v in ratios.items()
        },
    }


def run_scoring(rounds: int, share: float) -> dict[str, Any]:
    """RewardMATH scored: answers grouped by prompt, against shared rows of a pair each.

    As in the whole benchmark, each problem has one chosen answer against nine rejected ones; the
    lengths are those of the sample.
    """
    rm = make_reward(ExplicitRM, "small")
    sample = make_pairs("rewardmath", max(18, int(270 * share)), MODELS["small"]["vocab_size"])
    pairs = [
        PreferencePair(first.prompt, first.chosen, other.rejected)
        for first, *others in (sample[i : i + 9] for i in range(0, len(sample), 9))
        for other in [first, *others]
    ]
    trainer = Trainer(rm, pairs, batch_size=16, progress=False)
    watch, ratios = Stopwatch(), []
    order = sorted(range(len(pairs)), key=trainer.costs.__getitem__)
    sides = [s for p in trainer.pairs for s in (p.chosen, p.rejected)]
    for _ in range(rounds):
        watch.start()
        with torch.no_grad():
            for i in range(0, len(order), 16):
                rm.rewards(trainer._rows(order[i : i + 16], None))
        watch.stop()
        ungrouped = watch.seconds
        watch.start()
        rm.score_encoded(sides, batch_size=32)
        watch.stop()
        ratios.append(ungrouped / watch.seconds)
    return {
        "pairs": len(pairs),
        "pairs_per_second": len(pairs) / watch.seconds,
        "times_faster": {"median": statistics.median(ratios), "all": ratios},
    }


def body_tokens() -> dict[str, Any]:
    """Tokens that the body processes, padding included, over those of perfectly packed rows."""
    result = {}
    for lengths in ("rewardmath", "ultrafeedback"):
        rm = make_reward(ExplicitRM, "small")
        trainer = Trainer(rm, make_pairs(lengths, None, 8192), progress=False)
        for size in (4, 8, 16):
            padded = sum(
                len(batch) * max(trainer.costs[i] for i in batch)
                for batch in epoch_batches(trainer.costs, size, 0, 0)
            )
            plain = [pair_cost(p, shared=False) for p in trainer.pairs]
            random_rows = sum(
                2 * len(batch) * max(plain[i] for i in batch)
                for batch in epoch_batches([0] * len(plain), size, 0, 0)
            )
            result[f"{lengths}, batch {size}"] = {
                "minirm / packed": padded / sum(trainer.costs),
                "random two rows / packed": random_rows / sum(trainer.costs),
            }
    return result


def peak_memory(case: str, name: str) -> dict[str, float]:
    """Highest resident memory of a process that trains two steps, in MiB, and before training."""
    command = [sys.executable, __file__, "--memory", case, name]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def measure_memory(case: str, name: str) -> None:
    kind, model, lengths, _, batch_size = CASES[case]
    pairs = make_pairs(lengths, 2 * batch_size, MODELS[model]["vocab_size"])
    start = peak_resident()
    build(name, make_reward(kind, model), pairs, batch_size, Stopwatch())()
    peak = peak_resident()
    print(json.dumps({"imports": start, "peak": peak, "training": peak - start}))


def peak_resident() -> float:
    """MiB. Linux's ru_maxrss would be at least that of the process that started this one."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round over a few pairs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cases", default="", help="only the cases with this in their name")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    torch.set_num_threads(options.threads)
    if options.memory:
        measure_memory(*options.memory)
        return
    rounds, share = (1, 0.34) if options.quick else (options.rounds, 1.0)
    result: dict[str, Any] = {
        "command": " ".join(["python", "tests/benchmarks/bench.py", *sys.argv[1:]]),
        "date": datetime.date.today().isoformat(),
        "machine": {
            "system": platform.system(),
            "processor": _processor(),
            "threads": options.threads,
            "device": torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu",
            "time": "processor time of the process" if DEVICE == "cpu" else "wall time",
        },
        "versions": {m.__name__: m.__version__ for m in (minirm, torch, transformers, trl)},
        "precision": "float32" if DEVICE == "cpu" else "bfloat16 autocast",
        "rounds": rounds,
        "oracle": {},
        "cases": {},
    }
    for kind in (ExplicitRM, ImplicitRM):
        rm = make_reward(kind, "small")
        with torch.no_grad():
            draw = torch.Generator().manual_seed(1)
            for weight in rm.model.parameters():
                weight += 0.002 * torch.randn(weight.shape, generator=draw).to(weight.device)
        gaps = rivals.oracle(rm, make_pairs("uniform", 4, 8192))
        result["oracle"][kind.kind] = gaps
        print(
            f"{kind.kind}: loss and rewards are TRL's to {gaps['loss']:.1e}, {gaps['rewards']:.1e}"
        )
        if max(gaps["loss"], gaps["rewards"]) > 1e-4:
            sys.exit("they do not compute the same thing: nothing to compare")
    result["body tokens"] = body_tokens()
    for name, ratio in result["body tokens"].items():
        print(f"body tokens, {name}: " + ", ".join(f"{k} {v:.2f}" for k, v in ratio.items()))
    result["scoring grouped"] = run_scoring(rounds, share)
    grouped = result["scoring grouped"]["times_faster"]["median"]
    print(f"scoring RewardMATH grouped by prompt: {grouped:.2f} times one row a pair")
    case = "IM uniform, big vocabulary"
    result["peak memory MiB"] = {n: peak_memory(case, n) for n in NAMES[:4]}
    for name, memory in result["peak memory MiB"].items():
        above = f"{memory['training']:.0f} above the imports"
        print(f"peak memory, {case}, {name}: {memory['peak']:.0f} MiB, {above}")
    print(f"\ntimes as fast as each rival, median of {rounds} round(s); in brackets pairs a second")
    for case in CASES:
        if options.cases in case:
            result["cases"][case] = figures = run_case(case, rounds, share)
            print(f"\n{case}")
            for name in NAMES:
                ratio, speed = figures["times_faster"][name], figures["pairs_per_second"][name]
                spread = f"{ratio['lowest']:.2f} to {ratio['highest']:.2f}"
                print(f"  {name:28}{ratio['median']:6.2f}  {spread:>14}  ({speed:.2f})", flush=True)
            if options.json:  # what is measured is kept
                options.json.parent.mkdir(parents=True, exist_ok=True)
                options.json.write_text(json.dumps(result, indent=1) + "\n")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


if __name__ == "__main__":
    main()
