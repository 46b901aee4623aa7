"""The book's files on SmolLM2: what two of them measured alike agrees, and comes out again."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from minirm.experiments import grids, real, real_tokens, rungs
from minirm.experiments.results import load_results

RESULTS = Path(__file__).parents[2] / "book" / "results"


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
