"""``kill -9`` at any moment, then the same command with ``--resume``: the same bits.

The processes are forked from one that has already imported torch, so that a run starts at once.
"""

import json
import multiprocessing
import os
import random
import signal
import time

import pytest
from safetensors.torch import load_file
from tiny import PAIRS, same, tiny, tokenizer

from minirm import cli
from minirm.training import checkpoints

pytestmark = pytest.mark.slow
STEPS = 24  # three epochs of eight pairs, one pair a step


def run(arguments, moment, patient, pipe):
    """In the child: the command, telling the parent when ``moment`` has come, and waiting there."""
    import torch
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    torch.set_num_threads(1)
    steps = []

    def here():
        pipe.send(len(steps))
        time.sleep(patient)

    def before_the_step(*_):
        steps.append(1)
        if (moment == "inside a step" and len(steps) == 5) or moment == "anywhere":
            here()

    register_optimizer_step_pre_hook(before_the_step)
    rename = os.rename

    def before_renaming(source, target):
        if moment == "before renaming" and len(steps) > 4:
            here()
        rename(source, target)

    checkpoints.os.rename = before_renaming
    write = checkpoints._write

    def half_written(path, data):
        if moment == "while writing" and len(steps) > 4 and path.name == "manifest.json":
            path.write_bytes(data[:10])
            here()
        return write(path, data)

    checkpoints._write = half_written
    raise SystemExit(cli.main(arguments))


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kill")
    tiny("llama").save_pretrained(folder / "base")
    tokenizer().save_pretrained(folder / "base")
    rows = [{"prompt": p.prompt, "chosen": p.chosen, "rejected": p.rejected} for p in PAIRS]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def arguments(output, *more):
        return [
            "train", "--reward", "implicit", "--model", str(folder / "base"),
            "--data", str(folder / "pairs.jsonl"), "--output", str(folder / output),
            "--lr", "1e-3", "--epochs", "3", "--batch-size", "1", "--schedule", "linear",
            "--log-every", "5", "--save-every", "2", *more,
        ]  # fmt: skip

    arguments.folder = folder
    return arguments


@pytest.fixture(scope="module")
def start():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "minirm.cli", "minirm.training.trainer", "tiny"])

    def started(arguments, moment, patient=60.0):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=run, args=(arguments, moment, patient, theirs))
        process.start()
        theirs.close()
        return process, ours

    return started


def kill(process):
    """kill -9; fails where the process had already ended of itself."""
    assert process.is_alive()
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    assert process.exitcode == -signal.SIGKILL


def finish(process, pipe):
    process.join(60)
    assert process.exitcode == 0


@pytest.fixture(scope="module")
def uninterrupted(command, start):
    finish(*start(command("whole"), "never"))
    return load_file(command.folder / "whole" / "model.safetensors")


def ends_the_same(command, start, uninterrupted, output):
    finish(*start(command(output, "--resume"), "never"))
    assert same(load_file(command.folder / output / "model.safetensors"), uninterrupted)
    histories = [(command.folder / o / "history.jsonl").read_text() for o in ("whole", output)]
    assert histories[0] == histories[1]


@pytest.mark.parametrize("moment", ["inside a step", "while writing", "before renaming"])
def test_a_run_killed_at_a_chosen_moment_goes_on_to_the_same_weights(
    moment, command, start, uninterrupted
):
    output = moment.replace(" ", "-")
    process, pipe = start(command(output), moment)
    assert pipe.poll(60)
    reached = pipe.recv()
    kill(process)
    assert 4 < reached < STEPS
    left = sorted(p.name for p in (command.folder / output / "checkpoints").iterdir())
    partial = [".step-00000006.partial"] if moment != "inside a step" else []
    assert left == [*partial, "step-00000002", "step-00000004"]
    ends_the_same(command, start, uninterrupted, output)


def test_a_run_killed_again_and_again_at_random_moments_ends_in_the_same_weights(
    command, start, uninterrupted
):
    """Each of four processes is killed at a moment drawn anew, whatever it is doing then."""
    draw = random.Random()
    resume = []
    for _ in range(4):
        process, pipe = start(command("random", *resume), "anywhere", patient=0.05)
        assert pipe.poll(60)  # the first of its steps
        time.sleep(draw.uniform(0, 0.2))
        kill(process)
        resume = ["--resume"]
    ends_the_same(command, start, uninterrupted, "random")
