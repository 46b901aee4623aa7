"""The controls of the collapse: each changes one thing, and comes out again as recorded."""

from dataclasses import asdict, fields
from pathlib import Path

import pytest
import torch

from minirm.experiments import controls
from minirm.experiments.results import load_results
from minirm.rewards import ExplicitRM, ImplicitRM
from minirm.worlds import persona

RECORDED = Path(__file__).parents[2] / "book" / "results" / "controls.json"


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def words(wording):
    text = " ".join(wording.prefixes)
    return {word.strip(",:") for word in text.split()}


def test_a_design_changes_prefixes_and_never_phrases():
    for chosen, rejected in controls.DESIGNS.values():
        assert chosen.phrases == persona.CHOSEN.phrases
        assert rejected.phrases == persona.REJECTED.phrases


def test_what_a_design_is_named_after_is_gone_from_it():
    held = set(f"{persona.HELD_YES} {persona.HELD_NO}".split())
    trained = {name: words(a) | words(b) for name, (a, b) in controls.DESIGNS.items()}
    assert held & trained["paper"] == {"My", "I"}
    assert held & trained["no My"] == {"I"}
    assert not held & trained["no shared word"]
    chosen, rejected = controls.DESIGNS["one prefix"]
    assert chosen.prefixes == rejected.prefixes
    for name in ("paper", "no My", "no shared word"):
        chosen, rejected = controls.DESIGNS[name]
        assert not set(chosen.prefixes) & set(rejected.prefixes)


def test_another_wording_is_drawn_at_the_same_places():
    prompts = [f"{i} " for i in range(50)]
    chosen, rejected = controls.DESIGNS["no My"]
    plain = persona.training_pairs(prompts, 3)
    changed = persona.training_pairs(prompts, 3, chosen=chosen, rejected=rejected)
    assert [p.chosen for p in changed] == [p.chosen for p in plain]
    assert [p.rejected for p in changed] == [
        p.rejected.replace("My judgement", "The judgement") for p in plain
    ]


def test_models_are_what_their_names_say():
    mean, plain, bare = (
        controls.new_model(name, "no-facts", 0)
        for name in ("explicit, mean", "implicit", "implicit, no reference")
    )
    assert isinstance(mean, ExplicitRM)
    assert mean.pooling == "mean"
    assert isinstance(plain, ImplicitRM)
    assert plain.has_reference
    assert not bare.has_reference


def test_a_run_comes_out_again_as_recorded():
    """Trained anew, every column of the implicit model without My is within 0.1."""
    run = controls.Run("no-facts", 0, "no My", "implicit")
    recorded = {
        row["condition"]: row["accuracy"]
        for row in load_results(RECORDED)[1]
        if {key: row[key] for key in asdict(run)} == asdict(run)
    }
    found = controls.measure(run)
    assert [row["condition"] for row in found] == list(recorded)
    for row in found:
        assert row["accuracy"] == pytest.approx(recorded[row["condition"]], abs=0.1)


def test_the_results_file_has_every_run_and_its_command():
    header, rows = load_results(RECORDED)
    runs = {controls.Run(*(row[f.name] for f in fields(controls.Run))) for row in rows}
    assert runs == set(controls.runs(seeds=5))
    assert len(rows) == len(runs) * len(controls.CONDITIONS)
    assert header["command"].startswith("minirm experiment controls --seeds 5 ")
