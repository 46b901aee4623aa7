"""What a real model may be asked instead of the grid: tokens, first steps, many phrases."""

from itertools import product

import numpy as np
import pytest
from small_real import run
from tiny import same, weights

from minirm import ImplicitRM, cli, dynamics
from minirm.experiments import grids, real, real_foretold, real_phrases, real_tokens, wordings
from minirm.experiments.results import load_results
from minirm.experiments.rungs import BETA
from minirm.worlds import persona


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
