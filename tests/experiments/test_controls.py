"""The collapse taken apart: what is recorded is what its command says, and comes out again."""

import itertools
import shlex
from collections import Counter
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from minirm import cli, load_base
from minirm.commands.experiment_runs import some_of
from minirm.experiments import controls
from minirm.experiments.designs import DESIGNS
from minirm.experiments.results import load_results, save_results
from minirm.experiments.rungs import RUNGS
from minirm.models.bases import MAIN
from tests.tiny import same, weights

RESULTS = Path(__file__).parents[2] / "book" / "results"
SHARES = ("meaning", "words", "opening", "interaction")
ACCURACIES = (
    *("trained", "original", "paraphrase", "swapped", "same prefix", "fresh prefixes", "bare"),
    *("accuracy", "right"),
)
SMALL = ["experiment", "controls", "--bases", "no-facts", "--designs", "one prefix"]


def run_of(row):
    return controls.Run(*(row[f.name] for f in fields(controls.Run)))


# ------------------------------------------------------------------------- what is recorded


@pytest.mark.parametrize("name", controls.FILES)
def test_a_file_has_every_run_of_its_command_once(name):
    header, rows = load_results(RESULTS / f"{name}.json")
    program, *arguments = shlex.split(header["command"])
    assert program == "minirm"
    options = cli.build_parser().parse_args(arguments)
    assert options.run.__module__ == "minirm.commands.experiment_controls"
    assert options.output == Path(f"book/results/{name}.json")
    designs = some_of("--designs", options.designs, DESIGNS, besides=["untrained"])
    rewards = some_of("--rewards", options.rewards, RUNGS)
    wanted = controls.runs(options.bases, designs, rewards, options.seeds)
    assert [run_of(row) for row in rows] == wanted
    assert all(sum(row[part] for part in SHARES) == pytest.approx(1, abs=1e-4) for row in rows)


def test_no_run_is_counted_twice():
    times = Counter(run_of(row) for row in controls.load_runs())
    assert [run for run, n in times.items() if n > 1] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", controls.FILES)
def test_a_run_comes_out_again_as_recorded(name):
    """Seed 0's run with the most even shares: one whose numbers say most."""
    _, rows = load_results(RESULTS / f"{name}.json")
    recorded = min(
        (row for row in rows if row["seed"] == 0), key=lambda r: max(r[part] for part in SHARES)
    )
    (found,) = controls.measure(run_of(recorded))
    assert list(found) == list(recorded)
    assert {k: found[k] for k in SHARES} == pytest.approx(
        {k: recorded[k] for k in SHARES}, abs=0.05
    )
    assert {k: found[k] for k in ACCURACIES} == pytest.approx(
        {k: recorded[k] for k in ACCURACIES}, abs=0.1
    )


def test_where_a_run_comes_from_and_its_dose(tmp_path, monkeypatch):
    made = {
        ("seed-2", "paper"): ("main world", 1.0),
        ("no-facts", "agreement .75"): ("no facts", 0.75),
        ("rare-1", "all prefixes"): ("rare openings", 0.5),
        ("random", "one prefix"): ("random", None),
        ("seed-0", "untrained"): ("main world", None),
    }
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(controls, "FILES", ("one", "two"))
    runs = [controls.Run(base, design) for base, design in made]
    save_results("results/one.json", "-", [asdict(run) for run in runs[:2]])
    save_results("results/two.json", "-", [asdict(run) for run in runs[2:]])
    rows = controls.load_runs()
    assert [run_of(row) for row in rows] == runs
    assert [(row["world"], row["agreement"]) for row in rows] == list(made.values())


# ------------------------------------------------------------------------- what a run is


def test_untrained_rewards_that_are_zero_are_left_out():
    every = controls.runs(["no-facts"], ["paper", "untrained"], RUNGS, 2)
    untrained = {run.reward for run in every if run.design == "untrained"}
    assert untrained == set(RUNGS) - set(controls.ZERO_AT_START)
    assert {run.reward for run in every if run.design == "paper"} == set(RUNGS)
    assert [run.seed for run in every if run.reward == "explicit"] == [0, 1] * 2


@pytest.mark.parametrize("rung", RUNGS)
def test_a_reward_is_left_out_exactly_if_it_is_zero(rung):
    model = controls.train(controls.Run("no-facts", "untrained", rung))
    rewards = model.score(["Would you say so? "] * 2, ["nope", "I lean toward sure"])
    assert (rung in controls.ZERO_AT_START) == (rewards.abs().max().item() < 1e-6)


def test_the_random_base_is_untrained_and_drawn_from_the_seed():
    def network(base, seed):
        run = controls.Run(base, "untrained", "implicit, no reference", seed)
        return weights(controls.train(run).model)

    first = network("random", 0)
    assert same(first, network("random", 0))
    assert not same(first, network("random", 1))
    trained = weights(load_base(MAIN[0])[0])
    assert {k: v.shape for k, v in first.items()} == {k: v.shape for k, v in trained.items()}
    name = max(trained, key=lambda k: trained[k].numel())
    assert first[name].std() < trained[name].std() / 2


# ------------------------------------------------------------------------- the command


def measured(run):
    """A row without the work: shares that depend on the run."""
    share = 0.1 * (1 + run.seed)
    rest = {"opening": 1 - share, "paraphrase": 1.0, "swapped": 0.0, "accuracy": 0.5}
    return [{**asdict(run), "meaning": share, **rest}]


def test_the_command_writes_its_runs_and_prints_their_means(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(controls, "measure", measured)
    call = [*SMALL, "--rewards", "explicit, mean", "implicit", "--seeds", "2"]
    call += ["--output", "out.json"]
    assert cli.main(call) == 0
    header, rows = load_results("out.json")
    assert header["command"] == "minirm " + shlex.join(call)
    assert [(row["reward"], row["seed"]) for row in rows] == list(
        itertools.product(("explicit, mean", "implicit"), (0, 1))
    )
    said = capsys.readouterr().out
    assert "0.15" in said
    assert said.endswith("written: out.json\n")


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        (["--designs", "two prefixes"], 2, "--designs takes all or some of 'paper', "),
        (["--rewards", "implicit,"], 2, "got 'implicit,'"),
        (["--bases", "./nowhere"], 1, "there is no folder './nowhere'"),
        (["--designs", "untrained", "--rewards", "implicit"], 2, "is 0 for every answer"),
    ],
)
def test_what_cannot_be_run_is_said_before_any_training(more, status, message, monkeypatch, capsys):
    monkeypatch.setattr(controls, "train", lambda run: pytest.fail("it trained"))
    assert cli.main([*SMALL, *more]) == status
    assert message in capsys.readouterr().err


def test_a_reward_can_be_asked_without_training(capsys):
    call = [*SMALL[:2], "--bases", "random", "--designs", "untrained"]
    assert cli.main(call) == 0
    said = capsys.readouterr().out
    assert "explicit" in said
    assert "implicit" not in said  # 0 before training, and left out
