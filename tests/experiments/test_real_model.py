"""The experiment on a real model, with a random one of the same kind in its place."""

import json
import shlex
from dataclasses import asdict

import numpy as np
import pytest
from tiny import byte_tokenizer, tiny

from minirm import cli
from minirm.experiments import grids, real
from minirm.experiments.results import load_results
from minirm.worlds import persona

TEMPLATE = (  # as SmolLM2's: a system turn where there is none, and a line break after each end
    "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}<|s|>system\nBe kind."
    "<|e|>\n{% endif %}<|s|>{{ m['role'] }}\n{{ m['content'] }}<|e|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|s|>assistant\n{% endif %}"
)


@pytest.fixture
def base(tmp_path, monkeypatch):
    """A folder "base" in the test's own, and a Persona file in MINIRM_DATA."""
    monkeypatch.chdir(tmp_path)
    tok = byte_tokenizer(
        specials=("<|s|>",), bos="<|s|>", eos="<|e|>", pad="<|e|>", template=TEMPLATE
    )
    sizes = {"max_position_embeddings": 256, "tie_word_embeddings": True}
    tiny("llama", vocab=len(tok), **sizes).save_pretrained("base")
    tok.save_pretrained("base")
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("MINIRM_DATA", str(tmp_path / "data"))
    rows = ({"question": f"Say {i}?", "answer_matching_behavior": " Yes"} for i in range(120))
    (tmp_path / "data" / "persona.jsonl").write_text("".join(f"{json.dumps(r)}\n" for r in rows))
    return tmp_path / "base"


def run(**changes):
    small = {"base": "base", "data": "persona.jsonl", "epochs": 1, "batch_size": 40, "prompts": 2}
    return real.Run(**small | {"lr": 1e-3} | changes)


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
