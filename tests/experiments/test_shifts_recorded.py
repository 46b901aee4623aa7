"""The book's file on real preferences: every run of its command, and figures that follow."""

import shlex
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from minirm import cli
from minirm.commands import experiment_shifts
from minirm.experiments import shifts
from minirm.experiments.results import load_results
from minirm.experiments.shift_merits import described

RECORDED = Path(__file__).parents[2] / "book" / "results" / "shifts.json"


def test_the_file_has_every_run_of_its_command_once():
    header, rows = load_results(RECORDED)
    options = cli.build_parser().parse_args(shlex.split(header["command"])[1:])
    assert options.output == Path("book/results/shifts.json")
    names = [*shifts.BASELINES, *options.rewards]
    runs = experiment_shifts.all_runs(options, names)
    assert [settings for settings, _ in header["runs"]] == [asdict(run) for run in runs]
    assert [n for _, n in header["runs"]] == [1 + (run.reward == "ln pi_ref") for run in runs]
    assert {(row["reward"], row["seed"]) for row in rows if row["loss"] is not None} == {
        (reward, seed) for reward in options.rewards for seed in range(options.seeds)
    }


def test_the_file_s_figures_follow_from_the_rewards_in_it():
    """But for a tie here and there: a reward is rounded to five digits in the file."""
    _, rows = load_results(RECORDED)
    (lengths,) = (row["rewards"] for row in rows if row["reward"] == "longer")
    lengths = {name: np.array(sides, dtype=float).T for name, sides in lengths.items()}
    for row in rows:
        rewards = {name: np.array(s, dtype=float).T for name, s in row["rewards"].items()}
        units = {name: [u for u in of if u is not None] for name, of in row["units"].items()}
        again = described(rewards, lengths, units)
        for name, value in again.items():
            expected = None if value is None else pytest.approx(value, rel=1e-3, abs=0.02)
            assert row[name] == expected, (row["reward"], row["seed"], name)
