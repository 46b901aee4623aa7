"""First-order theory against trained models: sizes, signs, and the recorded rows once more."""

from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pytest
import torch

from minirm import cli, dynamics
from minirm.experiments import foretold, foretold_tokens
from minirm.experiments.designs import DESIGNS
from minirm.experiments.results import load_results
from minirm.worlds import persona

RESULTS = Path(__file__).parents[2] / "book" / "results"
N = len(persona.OPENINGS)


def test_margins_are_of_right_after_one_opening_and_wrong_after_another():
    right, wrong = torch.arange(1.0, 4.0), torch.tensor([0.0, 10.0, 20.0])
    margins = foretold.pair_margins(torch.stack([right, wrong], -1))
    assert margins.tolist() == [1 - 10, 1 - 20, 2 - 0, 2 - 20, 3 - 0, 3 - 10]


def test_the_papers_pair_comes_first():
    assert persona.OPENINGS[:2] == (persona.HELD_YES, persona.HELD_NO)
    assert foretold.RIGHT == [True, True, False, False]


def agreement(guess, outcome):
    return foretold._agreement(np.asarray(guess, float), np.asarray(outcome, float))


def test_agreement_in_sign_and_in_size():
    outcome = np.array([-2.0, 1.0, 3.0, 4.0])
    exact = agreement(outcome / 2, outcome)
    assert exact["signs"] == exact["paper sign"] == 1
    assert exact["scale"] == pytest.approx(2)
    assert [exact[name] for name in ("r2", "pearson", "spearman")] == pytest.approx([1, 1, 1])
    opposite = agreement(-outcome, outcome)
    assert opposite["signs"] == opposite["paper sign"] == 0
    assert opposite["scale"] == pytest.approx(-1)
    assert opposite["pearson"] == pytest.approx(-1)


def test_a_guess_with_the_right_pattern_and_a_wrong_offset_explains_less_than_the_mean():
    outcome = np.array([9.0, 10.0, 11.0])
    found = agreement(outcome - 10, outcome)
    assert found["pearson"] == pytest.approx(1)
    assert found["r2"] < 0


def test_every_run_is_of_a_known_design_and_once():
    runs = foretold.runs(2)
    assert len(set(runs)) == len(runs) == 4 * 3 * 2 * 2
    assert {run.design for run in runs} <= set(DESIGNS)
    assert len(foretold_tokens.runs(5)) == 4 * 2 * 5


def test_the_changes_of_the_weights_have_one_length_and_name_every_part():
    model, pairs, _ = foretold.untrained(foretold.Run())
    after, _, _ = foretold.untrained(foretold.Run())
    with torch.no_grad():
        for weight in after.model.parameters():
            weight += 0.25
    ways, parts = foretold.directions(model, after, pairs[:4], steps=10), ("last", "trunk")
    names = {weight: name for name, weight in model.named_parameters()}
    assert list(ways["adam", "last"]) == [names[dynamics.last_layer(model)]]
    lengths = {
        step: sum(way.square().sum().item() for part in parts for way in ways[step, part].values())
        for step in ("sgd", "adam")
    }
    assert lengths["sgd"] == pytest.approx(lengths["adam"], rel=1e-4)
    embedding = names[model.model.get_input_embeddings().weight]
    assert 0 < ways["adam", "trunk"][embedding].abs().max() <= 10 * 3e-5 * 1.001
    for way in (ways["path", "last"], ways["path", "trunk"]):
        for value in way.values():
            torch.testing.assert_close(value, torch.full_like(value, 0.25), rtol=0, atol=1e-6)


def recorded(name, run):
    return [
        row
        for row in load_results(RESULTS / name)[1]
        if {key: row[key] for key in asdict(run)} == asdict(run)
    ]


@pytest.mark.slow
def test_a_run_comes_out_again_as_recorded():
    run = foretold.Run("no-facts", "paper", "implicit", 0)
    found = foretold.measure(run)
    kept = recorded("foretold.json", run)
    assert [(row["step"], row["part"]) for row in found] == [(r["step"], r["part"]) for r in kept]
    for row, before in zip(found, kept, strict=True):
        for name in ("signs", "pearson", "spearman", "right", "accuracy"):
            assert row[name] == pytest.approx(before[name], abs=0.1), (row["step"], name)


@pytest.mark.slow
def test_the_tokens_come_out_again_and_add_up():
    run = foretold_tokens.Run("no-facts", "paper", 0)
    found = foretold_tokens.measure(run)
    kept = recorded("tokens.json", run)
    assert [row["token"] for row in found] == [row["token"] for row in kept]
    for row, before in zip(found, kept, strict=True):
        for name in ("sgd last", "adam last", "trained"):
            assert row[name] == pytest.approx(before[name], rel=0.1, abs=0.05), row["token"]
    assert found[0]["token"] == "My"


def test_the_results_files_have_every_run_and_their_command():
    header, rows = load_results(RESULTS / "foretold.json")
    runs = {foretold.Run(*(row[f.name] for f in fields(foretold.Run))) for row in rows}
    seeds = 1 + max(run.seed for run in runs)
    assert seeds >= 3
    assert runs == set(foretold.runs(seeds))
    assert len(rows) == len(runs) * (len(foretold.STEPS) * len(foretold.PARTS) + 1)
    assert header["command"].startswith("minirm experiment foretold ")
    header, rows = load_results(RESULTS / "tokens.json")
    kind = foretold_tokens.Run
    runs = {kind(*(row[f.name] for f in fields(kind))) for row in rows}
    assert runs == set(foretold_tokens.runs(5))
    assert header["command"].startswith("minirm experiment foretold ")


def test_the_tables_count_bases_and_say_what_foretells():
    rows = recorded("foretold.json", foretold.Run())
    rows += recorded("foretold.json", foretold.Run("seed-1"))
    text = foretold.table(rows)
    lines = {line[:18].strip(): line.split() for line in text.splitlines()}
    assert text.startswith("design paper, reward implicit")
    assert lines["adam all"][2] == lines["likelier opening"][2] == "2"
    tokens = recorded("tokens.json", foretold_tokens.Run())
    assert "0 My" in foretold_tokens.table(tokens)


def test_an_unknown_design_is_named_before_any_work(capsys):
    assert cli.main(["experiment", "foretold", "--designs", "papers"]) == 2
    assert "'papers'" in capsys.readouterr().err
