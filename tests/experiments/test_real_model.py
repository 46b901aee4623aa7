"""The experiment on a real model, with a random one of the same kind in its place."""

import shlex
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from small_real import run
from tiny import byte_tokenizer, tiny

from minirm import cli
from minirm.encoding import encode
from minirm.experiments import grids, real, real_forecast
from minirm.experiments.results import load_results
from minirm.worlds import persona


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("reward", ["explicit", "explicit, mean", "implicit"])
def test_a_row_for_every_look(base, reward, chat):
    one = run(reward=reward, chat=chat, eval_every=1)
    rows = real.measure(one)
    start = [0] if reward.startswith("explicit") else []  # an untrained implicit reward is 0
    assert [row["step"] for row in rows] == [*start, 1, 2]
    assert [row["loss"] is None for row in rows] == [*(True for _ in start), False, False]
    for row in rows:
        assert {name: row[name] for name in asdict(one)} == asdict(one)
        assert len(row["means"]) == len(grids.ALL_OPENINGS) * len(grids.PHRASES)
    shares = [[row[k] for k in ("meaning", "words", "opening", "interaction")] for row in rows]
    np.testing.assert_allclose(np.sum(shares, axis=1), 1)
    assert rows[-1]["means"] != rows[-2]["means"]


def test_the_last_look_is_what_training_without_looks_gives(base):
    (alone,), (*_, last) = real.measure(run()), real.measure(run(eval_every=1))
    for name in ("meaning", "paraphrase", "trained", "original"):
        assert alone[name] == pytest.approx(last[name], abs=1e-5), name
    np.testing.assert_allclose(alone["means"], last["means"], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("spread", "looks"), [(0.0, 0), (0.9, 0), (1.1, 1)])
def test_a_look_at_rewards_that_differ_by_rounding_alone_makes_no_row(
    base, monkeypatch, spread, looks
):
    def nearly_equal(model, prompts, **how):
        grid = np.zeros((len(prompts), len(grids.ALL_OPENINGS), len(grids.PHRASES)))
        grid[0, 0, 0] = spread * real.ROUNDING
        return grid

    monkeypatch.setattr(grids, "reward_grid", nearly_equal)
    assert len(real.measure(run())) == looks


def test_questions_come_from_the_file_and_answers_in_turns(base, monkeypatch):
    asked = []
    score = real.RewardModel.score

    def listening(model, prompts, responses, **how):
        asked.extend(zip(prompts, responses, strict=True))
        return score(model, prompts, responses, **how)

    monkeypatch.setattr(real.RewardModel, "score", listening)
    real.measure(run(chat=True))
    real.measure(run(chat=False))
    (turns, answer), (text, plain) = asked[0], asked[-1]
    assert turns[0]["role"] == "user"
    assert turns[0]["content"].startswith("Say ")
    assert answer[0]["role"] == "assistant"
    assert answer[0]["content"].startswith(persona.HELD_YES)
    assert text == turns[0]["content"] + " " or text.startswith("Say ")
    assert plain == persona.NO[-1]


def test_without_the_line_break_an_answer_ends_with_its_turn(base, monkeypatch):
    """And nothing else is changed: not a token of the question, nor of the answer before."""
    _, tokenizer = real.load(run())
    encoded = {}

    class Heard(Exception):
        pass

    def listening(model, prompts, responses, **how):
        encoded[len(encoded)] = encode(tokenizer, prompts[0], responses[0])
        raise Heard

    monkeypatch.setattr(real.RewardModel, "score", listening)
    for line_break in (True, False):
        with pytest.raises(Heard):
            real.measure(run(line_break=line_break, eval_every=1))
    whole, ended = encoded[0], encoded[1]
    assert ended.prompt == whole.prompt
    assert ended.response == whole.response[:-1]
    assert tokenizer.decode(whole.response[-2:]) == "<|e|>\n"


def test_what_a_run_cannot_have_is_said_before_training(base, monkeypatch):
    tok = byte_tokenizer()
    tiny("llama", vocab=len(tok)).save_pretrained("plain")
    tok.save_pretrained("plain")
    with pytest.raises(ValueError, match="no chat template: ask it in plain text"):
        real.measure(run(base="plain"))
    monkeypatch.delenv("MINIRM_DATA")
    with pytest.raises(FileNotFoundError, match=r"no file 'persona.jsonl'.*MINIRM_DATA"):
        real.measure(run())


@pytest.mark.slow
def test_the_command_keeps_its_runs_and_goes_on(base, capsys):
    call = ["experiment", "real", "--bases", "base", "--data", "persona.jsonl", "--prompts", "2"]
    call += ["--designs", "paper", "agreement .75", "--epochs", "1", "--batch-size", "40"]
    call += ["--output", "real.json"]
    assert cli.main([*call, "--jobs", "2"]) == 0
    header, rows = load_results("real.json")
    assert header["command"] == "minirm " + shlex.join([*call, "--jobs", "2"])
    assert {(row["design"], row["reward"]) for row in rows} == {
        (design, reward)
        for design in ("paper", "agreement .75")
        for reward in ("explicit", "implicit")
    }
    assert all(row["data"] == "persona.jsonl" for row in rows)
    before = rows
    assert cli.main(call) == 0
    assert load_results("real.json")[1] == before
    assert "4 of 4 runs are in real.json already" in capsys.readouterr().out


def test_a_model_that_was_not_fetched_shows_at_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MINIRM_CACHE", str(tmp_path))
    assert cli.main(["experiment", "real"]) == 1
    assert "`minirm base smollm2` puts it there" in capsys.readouterr().err


# ------------------------------------------------------------------------- beforehand


@pytest.mark.parametrize(("eval_every", "looks"), [(None, 1), (2, 3), (3, 3)])
def test_a_forecast_counts_what_the_run_does(base, eval_every, looks):
    """Two passes of two steps; the looks are those of ``real.measure``, the first one included."""
    one = run(reward="explicit", epochs=2, eval_every=eval_every)
    told = real_forecast.forecast(one)
    assert (told.steps, told.looks, told.device) == (4, looks, "cpu")
    assert len(real.measure(one)) == looks
    assert 0 < told.step < told.seconds
    assert told.seconds == pytest.approx(told.steps * told.step + looks * told.look)
    assert 0.1 < told.gigabytes < 10


def test_a_dry_run_keeps_nothing(base, capsys):
    call = ["experiment", "real", "--bases", "base", "--data", "persona.jsonl", "--prompts", "2"]
    call += ["--epochs", "1", "--batch-size", "40", "--seeds", "3", "--output", "out.json"]
    assert cli.main([*call, "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("12 runs of 2 steps on cpu: ")
    assert not Path("out.json").exists()
