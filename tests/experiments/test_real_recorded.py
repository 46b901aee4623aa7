"""The book's files on SmolLM2: each is its command's, and what two measured alike agrees."""

import shlex
from dataclasses import fields
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from minirm import cli
from minirm.commands.experiment_runs import some_of
from minirm.experiments import grids, real, real_tokens, rungs, separators
from minirm.experiments.designs import DESIGNS
from minirm.experiments.results import load_results
from minirm.experiments.rungs import RUNGS

RESULTS = Path(__file__).parents[2] / "book" / "results"
WRITTEN_AS = {"real-token-too-many-gpu": "real_agreement"}
"""Files that got another name when they turned out to be something else."""


def recorded(name):
    """The command of a file as it was parsed, and the rows."""
    header, rows = load_results(RESULTS / f"{name}.json")
    program, *arguments = shlex.split(header["command"])
    assert program == "minirm"
    options = cli.build_parser().parse_args(arguments)
    assert options.output == Path(f"book/results/{WRITTEN_AS.get(name, name)}.json")
    return options, rows


def once_each(rows, kind):
    """The settings that the file was written without have their defaults."""
    runs = ({f.name: row[f.name] for f in fields(kind) if f.name in row} for row in rows)
    return list(dict.fromkeys(kind(**run) for run in runs))


def frame(name):
    return pd.DataFrame(load_results(RESULTS / f"{name}.json")[1])


def test_what_the_tokens_of_an_answer_add_up_to_is_its_reward_in_the_other_file():
    """Two files of the same trainings; one of them once had a token more in every answer."""
    tokens, whole = frame("real-tokens"), frame("real-agreement")
    both = whole[(whole["reward"] == "implicit") & whole["design"].isin(tokens["design"])]
    assert len(both) >= 2
    for _, row in both.iterrows():
        means = np.reshape(row["means"], (len(grids.ALL_OPENINGS), -1)) / rungs.BETA
        mine = tokens[(tokens["design"] == row["design"]) & (tokens["seed"] == row["seed"])]
        assert len(mine)
        for (opening, phrase), parts in mine.groupby(["opening", "phrase"]):
            place = grids.ALL_OPENINGS.index(opening), grids.PHRASES.index(phrase)
            assert parts["trained"].sum() == pytest.approx(means[place], rel=1e-3), phrase


@pytest.mark.slow
@pytest.mark.needs("smollm2")
def test_the_model_here_is_the_one_of_the_files(data_dir, monkeypatch):
    """Before training, token by token."""
    monkeypatch.setenv("MINIRM_DATA", str(data_dir))
    recorded = frame("real-tokens")
    recorded = recorded[(recorded["design"] == "paper") & (recorded["seed"] == 0)]
    settings = {f.name: recorded[f.name].iloc[0] for f in fields(real.Run) if f.name in recorded}
    settings["eval_every"] = None
    run = real.Run(**{**settings, "seed": 0})
    base, tokenizer = real.load(run)
    model = rungs.new_model(run.reward, base, tokenizer, run.seed)
    prompts = real.questions(run.data, run.seed).test[: run.prompts]
    start = real_tokens.token_logprobs(model, prompts, run.chat)
    assert set(start) == set(recorded["answer"])
    for answer, values in start.items():
        mine = recorded[recorded["answer"] == answer].sort_values("place")
        np.testing.assert_allclose(values, mine["start"], rtol=1e-3, atol=1e-3)
        assert mine["token"].iloc[-2:].tolist() == ["<|im_end|>", ""]  # the end, and no more


@pytest.mark.parametrize(
    "name",
    [
        "real-agreement",
        "real-foretold",
        "real-frozen",
        "real-line-break",
        "real-no-reference",
        "real-phrases",
        "real-steps",
        "real-token-too-many",
        "real-token-too-many-gpu",
        "real-tokens",
        "real-zero-head",
    ],
)
def test_a_file_has_every_run_of_its_command_once(name):
    options, rows = recorded(name)
    assert options.run.__module__ == "minirm.commands.experiment_real"
    assert options.tokens == (name == "real-tokens")
    assert options.foretold == (name == "real-foretold")
    assert options.phrases == (name == "real-phrases")
    designs = some_of("--designs", options.designs, DESIGNS)
    rewards = some_of("--rewards", options.rewards, RUNGS)
    settings = (
        "data", "chat", "epochs", "batch_size", "eval_every", "prompts", "precision",
        "micro_batch_size", "lora", "line_break",
    )  # fmt: skip
    alike = {setting: getattr(options, setting) for setting in settings}
    choices = product(options.bases, range(options.seeds), options.lr, designs, rewards)
    assert once_each(rows, real.Run) == [
        real.Run(base=base, seed=seed, lr=lr, design=design, reward=reward, **alike)
        for base, seed, lr, design, reward in choices
    ]


def test_the_file_of_separators_has_every_run_of_its_command_once():
    options, rows = recorded("real-separators")
    assert options.run.__module__ == "minirm.commands.experiment_separators"
    choices = product(options.bases, range(options.seeds))
    assert once_each(rows, separators.Run) == [
        separators.Run(base, seed, options.data, options.prompts) for base, seed in choices
    ]
    cells = [(row["seed"], row["design"], row["reading"], row["condition"]) for row in rows]
    sets = ("training", *separators.HELD_OUT)
    assert cells == list(
        product(range(options.seeds), separators.COMPARED, separators.READINGS, sets)
    )
