"""What every process of tests/test_distributed.py runs; alone, it gives the numbers to compare to.

torchrun --nproc_per_node 2 tests/distributed_worker.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from tiny import PAIRS, perturb, tiny, tokenizer, weights

from minirm import ExplicitRM, ImplicitRM, Trainer
from minirm.ranks import processes
from minirm.trainer import evaluate

# Seven pairs in batches of three: the last batch has one, so that one of two processes has none.
OPTIONS = {"lr": 1e-3, "epochs": 2, "batch_size": 3, "log_every": 2, "schedule": "linear"}
OPTIONS |= {"eval_sets": {"test": PAIRS[:3]}, "eval_every": 3, "max_grad_norm": 0.5}
CASES = {
    "implicit": (ImplicitRM, {}),
    "explicit": (ExplicitRM, {}),
    "micro": (ImplicitRM, {"micro_batch_size": 1}),
}


class Failing(ImplicitRM):
    """A loss that is NaN on one process alone, in the second step."""

    calls = 0

    def forward(self, rows):
        losses, rewards = super().forward(rows)
        self.calls += 1
        state = processes()
        if self.calls == 2 and state.process_index == state.num_processes - 1:
            losses = losses * float("nan")
        return losses, rewards


def main(folder: Path) -> None:
    state = processes()
    wrappers: list[str] = []
    loop = Trainer._loop

    def watched(self, accelerator, model, *rest):
        wrappers.append(type(model).__name__)
        return loop(self, accelerator, model, *rest)

    Trainer._loop = watched
    report: dict = {"world": state.num_processes, "histories": {}}
    for name, (kind, changes) in CASES.items():
        # Rewards that are 0 up to rounding would count as wins here and as losses there.
        rm = kind(tiny().double(), tokenizer())
        perturb(rm.model)
        trainer = Trainer(rm, PAIRS[:7], output_dir=folder / name, **OPTIONS | changes)
        report["histories"][name] = trainer.fit()
        if name == "implicit":
            # 13 distinct responses over two processes, and three pairs that share all they have
            report["evaluation"] = evaluate(rm, PAIRS[:7] + PAIRS[:1] * 2)
            report["one pair"] = evaluate(rm, PAIRS[:1])
        save_file({k: v.contiguous() for k, v in weights(rm.model).items()},
                  folder / f"{name}-{state.process_index}.safetensors")  # fmt: skip

    # Fewer pairs than processes: for training, for the cached reference and for evaluation.
    rm = ImplicitRM(tiny().double(), tokenizer())
    perturb(rm.model)
    report["lone"] = Trainer(rm, PAIRS[:1], **OPTIONS).fit()

    run = OPTIONS | {"save_every": 3, "output_dir": folder / "resumed"}
    rm = ExplicitRM(tiny().double(), tokenizer())
    perturb(rm.model)
    Trainer(rm, PAIRS[:7], **run).fit()
    rm = ExplicitRM(tiny().double(), tokenizer())  # goes on from step 3 of 6
    report["resumed"] = Trainer(rm, PAIRS[:7], resume=True, **run).fit()

    try:
        Trainer(Failing(tiny().double(), tokenizer()), PAIRS[:7], **OPTIONS).fit()
    except FloatingPointError as error:
        report["stopped"] = str(error)
    report["wrappers"] = wrappers
    (folder / f"report-{state.process_index}.json").write_text(json.dumps(report))
    state.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
