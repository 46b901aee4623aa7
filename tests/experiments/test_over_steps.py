"""The files over training steps: what is recorded is what its command says, and comes out again."""

import shlex
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest

from minirm import cli
from minirm.commands.experiment_runs import some_of
from minirm.experiments import controls, grids, over_steps, real
from minirm.experiments.designs import DESIGNS
from minirm.experiments.results import load_results
from minirm.experiments.rungs import RUNGS

RESULTS = Path(__file__).parents[2] / "book" / "results"
SHARES = ("meaning", "words", "opening", "interaction")


def run_of(row):
    return real.Run(**{f.name: row[f.name] for f in fields(real.Run) if f.name in row})


@pytest.mark.parametrize("name", over_steps.FILES)
def test_a_file_has_every_look_of_every_run_of_its_command_once(name):
    header, rows = load_results(RESULTS / f"{name}.json")
    program, *arguments = shlex.split(header["command"])
    assert program == "minirm"
    options = cli.build_parser().parse_args(arguments)
    assert options.run.__module__ == "minirm.commands.experiment_real"
    assert options.output == Path(f"book/results/{name}.json")
    (lr,), every = options.lr, options.eval_every
    steps = range(0, options.epochs * 80 // options.batch_size + 1, every)
    wanted = [
        (base, seed, design, reward, step)
        for base in options.bases
        for seed in range(options.seeds)
        for design in some_of("--designs", options.designs, DESIGNS)
        for reward in some_of("--rewards", options.rewards, RUNGS)
        for step in steps
        if step or reward.startswith("explicit")  # an untrained implicit reward is 0
    ]
    columns = ("base", "seed", "design", "reward", "step")
    assert [tuple(row[c] for c in columns) for row in rows] == wanted
    for row in rows:
        run = run_of(row)
        assert (run.data, run.chat, run.lr, run.epochs) == (None, False, lr, options.epochs)
        assert (run.eval_every, run.prompts) == (every, options.prompts)
        assert sum(row[part] for part in SHARES) == pytest.approx(1, abs=1e-4)


def test_the_look_at_150_steps_is_the_run_that_the_other_chapters_tell_of():
    """Those ask forty questions, these looks ten: their numbers are one."""
    columns = ("base", "design", "reward", "seed")
    other = {tuple(row[c] for c in columns): row for row in controls.load_runs()}
    looks = [row for row in over_steps.load_looks() if row["step"] == 150]
    compared = 0
    for look in looks:
        if (key := tuple(look[c] for c in columns)) in other:
            compared += 1
            found, wanted = ({k: row[k] for k in SHARES} for row in (look, other[key]))
            assert found == pytest.approx(wanted, abs=0.06), key
            assert look["trained"] == pytest.approx(other[key]["trained"], abs=0.1), key
    assert compared >= len(looks) / 2


@pytest.mark.slow
@pytest.mark.parametrize("name", over_steps.FILES)
def test_the_first_looks_of_a_run_come_out_again_as_recorded(name):
    """Of the run that changes most between them; the rate is constant, so a shorter run serves."""
    _, rows = load_results(RESULTS / f"{name}.json")
    looks = {}
    for row in rows:
        if row["seed"] == 0 and row["step"] in (150, 300):
            looks.setdefault(run_of(row), []).append(row)
    run = max(looks, key=lambda r: abs(looks[r][1]["meaning"] - looks[r][0]["meaning"]))
    found = [row for row in real.measure(replace(run, epochs=30)) if row["step"]]
    for row, recorded in zip(found, looks[run], strict=True):
        gained = set(asdict(run)) - set(recorded)  # settings that came after the file
        assert [name for name in row if name not in gained] == list(recorded)
        assert {k: row[k] for k in SHARES} == pytest.approx(
            {k: recorded[k] for k in SHARES}, abs=0.05
        )
        assert row["trained"] == pytest.approx(recorded["trained"], abs=0.1)


def test_a_look_says_where_its_base_is_from_and_how_far_the_openings_lie_apart():
    for look in over_steps.load_looks()[::7]:
        grid = np.reshape(look["means"], (len(grids.ALL_OPENINGS), len(grids.PHRASES)))
        assert look["world"] == controls.WORLDS[look["base"]]
        assert look["gap"] == pytest.approx(
            grid[:20, grids.RIGHT].mean() - grid[:20, ~np.array(grids.RIGHT)].mean(), abs=1e-4
        )
        assert look["spread"] == pytest.approx(np.std([row.mean() for row in grid[:20]]))
