"""``make gpu``: what the book wants of one data-centre GPU, what matters most first.

    python tests/benchmarks/gpu.py [--minutes 9] [--output FOLDER] [--rehearse]

Each part has a results file of its own, which grows run by run. No run begins that would not end
in time; what is left is done when the same command is called again, with the files in their place.
It needs MINIRM_DATA and ``minirm base smollm2``, and no network. ``--rehearse`` does all of it at
about a hundredth of the size, with the bundled language model and data of its own, on any machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rehearsal
import speed
import transformers

from minirm.data.public import persona_file
from minirm.experiments import real, runner, shifts
from minirm.experiments.designs import DESIGNS
from minirm.experiments.results import ResultsFile
from minirm.experiments.runner import grid
from minirm.models.bases import resolve
from minirm.progress import lines_of_logging

log = logging.getLogger("minirm")
PERSONA = "persona_agreeableness.jsonl"
MAIN_REWARDS = ("explicit", "implicit")
OTHER_REWARDS = ("explicit, mean", "implicit, no reference")
MAIN_DESIGNS = ("paper", "all prefixes")
AGREEMENT = ("paper", "agreement .9", "agreement .75", "all prefixes")
AT_THE_END = 15
"""Seconds kept back for processes to end and files to be written."""


@dataclass(frozen=True)
class Scale:
    """How large everything is.

    Args:
        base: the language model of the experiments.
        chat: in its chat format, where it has one.
        precision: of the shifts' training.
        epochs: of the shifts' training.
        looks: steps between looks there.
        seeds: of the shifts' training; Persona's are two more.
        models: the configurations that are timed.
        tokens: of a timed prompt, and of each answer.
        batch_size: pairs of a timed step.
        cells: of the Persona grid, how many formats and rates; None for all.
        jobs: runs at once, where they leave the device idle.
    """

    base: str = "smollm2"
    chat: bool = True
    precision: str = "tf32"
    epochs: int = 5
    looks: int = 62
    seeds: int = 3
    models: tuple[str, ...] = ("Pythia-1B", "Qwen2.5-1.5B")
    tokens: int = 512
    batch_size: int = 8
    cells: int | None = None
    jobs: int = 4


WHOLE = Scale()
REHEARSAL = Scale(
    base="seed-0", chat=False, precision="no", epochs=1, looks=1, seeds=1, models=("rehearsal",),
    tokens=16, batch_size=2, cells=1, jobs=1,
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """Runs that go into one file: those that matter most first.

    Args:
        usual: seconds that a run may well take; with less than that left the part does not begin.
    """

    file: str
    experiment: str
    measure: Callable[[Any], Sequence[Any]]
    runs: Sequence[Any]
    usual: float
    jobs: int = 1


def parts(scale: Scale) -> Iterator[Part]:
    """All of it, what matters most first."""
    two = min(scale.jobs, 2)  # at once: a run's activations and logits take a third of the memory
    feedback, maths = (_shifts(scale, train) for train in ("ultrafeedback", "rewardmath"))
    yield Part("ultrafeedback.json", "shifts", shifts.measure, feedback, 60, two)
    yield Part("speed.json", "speed", speed.measure, _speeds(scale, "minirm"), 30)
    yield Part("rewardmath.json", "shifts", shifts.measure, maths, 60, two)
    yield Part("persona.json", "real", real.measure, _persona(scale), 30, scale.jobs)
    others = [
        run
        for train in ("ultrafeedback", "rewardmath")
        for run in _shifts(scale, train, OTHER_REWARDS, baselines=())
    ]
    yield Part("other-rewards.json", "shifts", shifts.measure, others, 60, two)
    if importlib.util.find_spec("trl"):
        yield Part("speed-trl.json", "speed", speed.measure, _speeds(scale, "TRL best"), 60)


def _shifts(
    scale: Scale,
    train: str,
    rewards: Sequence[str] = MAIN_REWARDS,
    baselines: Sequence[str] = shifts.BASELINES,
) -> list[Any]:
    settings = {
        "base": [scale.base], "train": [train], "chat": [scale.chat], "epochs": [scale.epochs],
        "eval_every": [scale.looks], "precision": [scale.precision], "micro_batch_size": [8],
    }  # fmt: skip
    trained = grid(shifts.Run, seed=range(scale.seeds), reward=rewards, **settings)
    return trained + (
        grid(shifts.Run, shifts.idle, reward=baselines, **settings) if baselines else []
    )


def _speeds(scale: Scale, rival: str) -> list[Any]:
    return grid(
        speed.Run, rival=[rival], model=scale.models, lengths=["uniform", "ragged"],
        reward=["implicit", "explicit"], tokens=[scale.tokens], batch_size=[scale.batch_size],
    )  # fmt: skip


def _persona(scale: Scale) -> list[Any]:
    """The agreement of prefix and label; formats and rates; then the other designs."""
    formats = [(False, 1e-5), (True, 3e-6), (True, 3e-5), (False, 3e-5), (False, 3e-6)]
    cells = [(scale.chat, 1e-5, AGREEMENT)]
    cells += [(chat and scale.chat, lr, MAIN_DESIGNS) for chat, lr in formats]
    cells += [(False, 1e-5, tuple(name for name in DESIGNS if name not in MAIN_DESIGNS))]
    whole = scale.cells is None
    return [
        run
        for chat, lr, designs in cells[: scale.cells]
        for run in grid(
            real.Run, base=[scale.base], data=[PERSONA], chat=[chat], lr=[lr],
            seed=range(scale.seeds + 2 if whole else 1), design=designs if whole else designs[:1],
            reward=(*MAIN_REWARDS, *OTHER_REWARDS), epochs=[2 * scale.epochs], eval_every=[50],
            prompts=[real.Run.prompts if whole else 2],
        )
    ]  # fmt: skip


def run_all(scale: Scale, folder: Path, until: float, command: str) -> bool:
    """Every part as far as the time goes; whether none failed. The last line says what is left."""
    well, said = True, []
    for part in parts(scale):
        keep = ResultsFile(folder / part.file, part.experiment, command)
        try:
            if time.monotonic() + part.usual < until:
                runner.measure_all(
                    part.measure, part.runs, jobs=part.jobs, keep=keep, until=until, progress=False
                )
            else:
                keep.finished(part.runs)
        except (RuntimeError, ValueError, OSError) as error:  # the next part may do better
            log.error("%s: %s", part.file, error)
            well = False
        said.append(f"{part.file} {len(keep.done)} of {len(part.runs)}")
    log.info("done: %s", "; ".join(said))
    return well


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=9.0, help="all is over by then")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: runs/gpu")
    parser.add_argument("--rehearse", action="store_true", help="small, on any machine")
    options = parser.parse_args(arguments)
    folder = options.output or Path("runs/gpu-rehearsal" if options.rehearse else "runs/gpu")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    until = time.monotonic() + 60 * options.minutes - AT_THE_END
    given = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "tests/benchmarks/gpu.py", *given])
    transformers.logging.set_verbosity_error()
    with lines_of_logging():
        if not options.rehearse:
            resolve(WHOLE.base)  # what is not there shows now
            persona_file(PERSONA)
            return 0 if run_all(WHOLE, folder, until, command) else 1
        with tempfile.TemporaryDirectory() as data, _environment(MINIRM_DATA=data):
            rehearsal.write(Path(data))
            return 0 if run_all(REHEARSAL, folder, until, command) else 1


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


if __name__ == "__main__":
    sys.exit(main())
