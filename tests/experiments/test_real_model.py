"""The experiment on a real model, with a random one of the same kind in its place."""

import shlex
from dataclasses import asdict, fields
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from tiny import byte_tokenizer, same, tiny, weights

from minirm import ImplicitRM, cli, dynamics
from minirm.commands.experiment_runs import some_of
from minirm.encoding import encode
from minirm.experiments import (
    grids,
    real,
    real_forecast,
    real_foretold,
    real_phrases,
    real_tokens,
    separators,
    wordings,
)
from minirm.experiments.designs import DESIGNS
from minirm.experiments.results import load_results
from minirm.experiments.rungs import BETA, RUNGS
from minirm.worlds import persona

RESULTS = Path(__file__).parents[2] / "book" / "results"


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


# ------------------------------------------------------------------------- what is recorded


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


# ------------------------------------------------------------------------- token by token


@pytest.mark.parametrize("chat", [True, False])
def test_what_the_tokens_add_is_the_reward(base, chat):
    one = run(chat=chat)
    rows = real_tokens.measure(one)
    (whole,) = real.measure(one)
    places = [grids.ALL_OPENINGS.index(opening) for opening in real_tokens.OPENINGS]
    means = np.reshape(whole["means"], (len(grids.ALL_OPENINGS), -1))[places]
    for opening, rewards in zip(real_tokens.OPENINGS, means, strict=True):
        for phrase, reward in zip(grids.PHRASES, rewards, strict=True):
            mine = [r for r in rows if (r["opening"], r["phrase"]) == (opening, phrase)]
            assert BETA * sum(r["trained"] for r in mine) == pytest.approx(reward, rel=1e-2)
            parts = {part: "".join(r["token"] for r in mine if r["part"] == part)
                     for part in ("opening", "phrase")}  # fmt: skip
            assert parts["phrase"] in phrase.replace(" ", "")
            assert parts["opening"].startswith(opening.replace(" ", ""))


def test_openings_and_ends_are_what_all_answers_share():
    answers = [[1, 2, 3, 9, 8], [1, 2, 4, 5, 9, 8], [1, 2, 6, 7, 9, 8]]
    parts = real_tokens._parts(answers)
    assert parts[0] == ["opening", "opening", "phrase", "end", "end"]
    assert parts[2] == ["opening", "opening", "phrase", "phrase", "end", "end"]


def test_first_steps_are_steps_and_are_taken_back(base):
    one = run(chat=False)
    asked = real.questions(one.data, one.seed)
    pairs, prompts = real.training_pairs(one, asked), asked.test[:2]
    network, tokenizer = real.load(one)
    network = dynamics.untied(network)
    before = weights(network)
    model = ImplicitRM(network, tokenizer, beta=BETA, copy=False)

    def read():
        return real_tokens.token_logprobs(model, prompts, one.chat)

    start, steps = read(), real_foretold.first_steps(model, one, pairs, read)
    assert same(before, weights(network))
    few = pairs[: real_foretold.FORETOLD_FROM]
    for part in real_foretold.PARTS:
        with dynamics.one_step(model, few, one.lr, parameters=part, rule="adam"):
            moved = read()
        for answer, values in steps[f"adam {part}"].items():
            np.testing.assert_allclose(values, moved[answer] - start[answer], atol=1e-4)
    sizes = [
        sum(v.abs().sum() for v in steps[f"sgd {part}"].values()) for part in real_foretold.PARTS
    ]
    assert all(size > 0 for size in sizes)


@pytest.mark.parametrize("chat", [True, False])
def test_what_is_foretold_of_answers_is_what_is_foretold_of_their_tokens(base, chat):
    one = run(chat=chat)
    tokens, answers = real_tokens.measure(one), real_foretold.measure(one)
    assert [row["foretold"] for row in answers] == [" ".join(k) for k in real_foretold.PREDICTED]
    for row in answers:
        kind = row["foretold"]
        grid = np.reshape(row["means"], (len(persona.OPENINGS), len(grids.PHRASES)))
        for opening, phrase in product(real_tokens.OPENINGS, grids.PHRASES):
            mine = [r[kind] for r in tokens if (r["opening"], r["phrase"]) == (opening, phrase)]
            found = grid[persona.OPENINGS.index(opening), grids.PHRASES.index(phrase)]
            assert found == pytest.approx(BETA * sum(mine), rel=2e-3, abs=1e-5)


def test_what_is_foretold_of_an_explicit_reward_is_its_steps(base):
    """The longer the training, the more often the same step."""
    short, long = run(reward="explicit", epochs=1), run(reward="explicit", epochs=3)
    for once, thrice in zip(*map(real_foretold.measure, (short, long)), strict=True):
        assert np.ptp(once["means"]) > 0
        np.testing.assert_allclose(np.multiply(3, once["means"]), thrice["means"], rtol=1e-3)


def test_means_by_meaning_are_those_of_the_phrases():
    grid = np.arange(2 * len(persona.OPENINGS) * len(grids.PHRASES)).reshape(-1, len(grids.PHRASES))
    sides = real_foretold.by_meaning(grid.ravel().tolist()).numpy()  # more openings than are asked
    right = np.array(grids.RIGHT)
    expected = np.stack([grid[:, right].mean(1), grid[:, ~right].mean(1)], 1)
    np.testing.assert_array_equal(sides, expected[: len(persona.OPENINGS)])


@pytest.mark.parametrize(
    ("asked", "said", "a_run"), [("foretold", "paper's pair", 4), ("phrases", "all held out", 2)]
)
def test_what_else_is_asked_prints_its_table_and_keeps_its_rows(
    base, tmp_path, capsys, asked, said, a_run
):
    path = tmp_path / "found.json"
    call = [
        "experiment",
        "real",
        f"--{asked}",
        "--epochs",
        "1",
        "--bases",
        "base",
        "--data",
        "persona.jsonl",
    ]
    assert cli.main([*call, "--prompts", "2", "--output", str(path)]) == 0
    assert said in capsys.readouterr().out
    header, rows = load_results(path)
    assert header["experiment"] == f"real, {asked}"
    assert len(rows) == 2 * 2 * a_run  # designs, rewards


def test_asked_with_the_papers_phrases_alone_it_is_the_same_training(base):
    """The shares over five openings are those of the same rewards in the other experiment."""
    one = run(chat=True)
    (whole,), (few, many) = real.measure(one), real_phrases.measure(one)
    means = np.reshape(whole["means"], (len(grids.ALL_OPENINGS), -1))
    asked = [grids.ALL_OPENINGS.index(opening) for opening in real_phrases.OPENINGS]
    np.testing.assert_allclose(few["means"], means[asked].ravel(), rtol=1e-3, atol=1e-6)
    assert (few["phrases"], many["phrases"]) == tuple(wordings.PHRASES)
    assert len(many["means"]) == len(real_phrases.OPENINGS) * len(wordings.SAID)
    place = real_phrases.PHRASES.index(persona.NO[1])
    mine = np.reshape(many["means"], (len(real_phrases.OPENINGS), -1))[:, place]
    their = np.reshape(few["means"], (len(real_phrases.OPENINGS), -1))[:, -1]
    np.testing.assert_array_equal(mine, their)
    for row in (few, many):
        parts = [row[k] for k in ("meaning", "words", "opening", "interaction")]
        assert sum(parts) == pytest.approx(1)


@pytest.mark.parametrize("asked", ["tokens", "foretold", "phrases"])
@pytest.mark.parametrize("option", [["--lora", "4"], ["--no-line-break"], ["--eval-every", "5"]])
def test_what_is_asked_at_the_end_of_whole_models_refuses_other_options(asked, option, capsys):
    call = ["experiment", "real", f"--{asked}", "--rewards", "implicit", *option]
    assert cli.main(call) == 2
    assert f"--{asked} asks whole models and answers" in capsys.readouterr().err


def test_only_an_implicit_reward_has_tokens(base, capsys):
    with pytest.raises(ValueError, match="only an implicit reward is a sum over tokens"):
        real_tokens.measure(run(reward="explicit"))
    assert cli.main(["experiment", "real", "--tokens", "--rewards", "explicit"]) == 2
    assert "--tokens --rewards implicit" in capsys.readouterr().err


def test_separators_ask_as_many_questions_of_the_file_as_they_are_told(base, monkeypatch):
    asked = []

    def listening(base, tokenizer, pairs, read=separators.read_states):
        asked.append([prompt for prompt, _ in pairs])
        return read(base, tokenizer, pairs)

    monkeypatch.setattr(separators, "read_states", listening)
    rows = separators.measure(separators.Run("base", 0, "persona.jsonl", 2), ("paper",))
    held_out = {prompt[0]["content"] for prompt in asked[0]}
    assert len(held_out) == 2
    assert all(content.startswith("Say ") for content in held_out)
    assert {len(prompts) for prompts in asked[1:]} == {persona.N_TRAIN}
    assert {row["data"] for row in rows} == {"persona.jsonl"}
