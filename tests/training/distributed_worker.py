"""What every process of tests/test_distributed.py runs; alone, it gives the numbers to compare to.

torchrun --nproc_per_node 2 tests/distributed_worker.py FOLDER

With ACCELERATE_USE_FSDP=true the processes share out the weights too.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType
from safetensors.torch import save_file
from tiny import PAIRS, perturb, tiny, tokenizer, weights

from minirm import ExplicitRM, ImplicitRM, Trainer
from minirm.distributed import processes, whole
from minirm.evaluation import evaluate
from minirm.training.loop import Loop

# Seven pairs in batches of three: the last batch has one, so that one of two processes has none.
OPTIONS = {"lr": 1e-3, "epochs": 2, "batch_size": 3, "log_every": 2, "schedule": "linear"}
OPTIONS |= {"eval_sets": {"test": PAIRS[:3]}, "eval_every": 3, "max_grad_norm": 0.5}
CASES = {
    "implicit": (ImplicitRM, "gpt_neox", {}),
    "explicit": (ExplicitRM, "gpt_neox", {}),
    "micro": (ImplicitRM, "gpt_neox", {"micro_batch_size": 1, "gradient_checkpointing": True}),
    "tied": (ImplicitRM, "llama", {}),
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


def fsdp_on_cpus() -> None:
    """Accelerate shares out weights on GPUs alone, torch on CPUs too: tell it these were GPUs."""
    init = AcceleratorState.__init__

    def changed(self, *args, **options):
        PartialState(cpu=True)
        PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
        init(self, *args, **options)

    AcceleratorState.__init__ = changed


def main(folder: Path) -> None:
    if os.environ.get("ACCELERATE_USE_FSDP"):
        fsdp_on_cpus()
    state = processes()
    wrappers: list[str] = []
    layers: list[str] = []
    steps = Loop.steps

    def watched(self, *arguments):
        wrappers.append(type(self.wrapped).__name__)
        layers.append(type(self.model.model.base_model.layers[0]).__name__)
        return steps(self, *arguments)

    Loop.steps = watched
    report: dict = {"world": state.num_processes, "histories": {}}
    for name, (kind, architecture, changes) in CASES.items():
        # Rewards that are 0 up to rounding would count as wins here and as losses there.
        tied = {"tie_word_embeddings": name == "tied"}
        rm = kind(tiny(architecture, **tied).double(), tokenizer())
        perturb(rm.model)
        trainer = Trainer(rm, PAIRS[:7], output_dir=folder / name, **OPTIONS | changes)
        report["histories"][name] = trainer.fit()
        if name == "implicit":
            # 13 distinct responses over two processes, and three pairs that share all they have
            report["evaluation"] = evaluate(rm, PAIRS[:7] + PAIRS[:1] * 2)
            report["one pair"] = evaluate(rm, PAIRS[:1])
        found = {k: whole(v).clone().contiguous() for k, v in weights(rm.model).items()}
        save_file(found, folder / f"{name}-{state.process_index}.safetensors")

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
    report["wrappers"], report["layers"] = wrappers, layers
    (folder / f"report-{state.process_index}.json").write_text(json.dumps(report))
    state.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
