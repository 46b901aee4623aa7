"""How much the collapse's numbers depend on the wordings asked about, as recorded."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from minirm.experiments import wordings
from minirm.experiments.results import load_results
from minirm.models.bases import BUNDLED
from minirm.worlds import opinions, persona

RECORDED = Path(__file__).parents[2] / "book" / "results" / "wordings.json"
RIGHT = [True, True, False, False]


def test_all_phrases_that_were_not_trained_on_are_asked():
    assert len(wordings.SAID) == 28
    assert sum(wordings.SAID.values()) == 14
    assert not set(wordings.TRAINED) & set(wordings.SAID)
    assert set(persona.YES + persona.NO) < set(wordings.SAID)
    assert set(wordings.OPENINGS["the world's"]) == set(opinions.PREFIXES)


def test_a_row_tells_openings_that_decide_from_phrases_that_do():
    phrase = np.array([1.0, 1, -1, -1])
    opening = np.array([3.0, 0, -3])
    decided = wordings.described(np.tile(0.1 * phrase + opening[:, None], (2, 1, 1)), RIGHT)
    assert decided["accuracy"] == 0.5
    assert decided["below"] == decided["above"] == 0.5
    assert decided["same"] == 1
    assert decided["spread"] == pytest.approx(opening.std())
    assert decided["meaning"] < 0.01
    steady = wordings.described(np.tile(phrase + 0.1 * opening[:, None], (2, 1, 1)), RIGHT)
    assert steady["meaning"] > 0.9
    assert steady["above"] == 1


def test_a_single_opening_has_no_pairs():
    row = wordings.described(np.array([[[1.0, 2, 1, 0]]]), RIGHT)
    assert row["same"] == pytest.approx(3.5 / 4)
    assert row["accuracy"] is None


@pytest.mark.slow
def test_a_recorded_run_comes_out_again():
    run = wordings.Run("rare-1", "counterbalanced", "implicit", 0)
    recorded = [
        row
        for row in load_results(RECORDED)[1]
        if {key: row[key] for key in asdict(run)} == asdict(run)
    ]
    found = wordings.measure(run)
    assert len(found) == len(recorded) == 6
    for row, was in zip(found, recorded, strict=True):
        assert (row["openings"], row["phrases"]) == (was["openings"], was["phrases"])
        assert row["same"] == pytest.approx(was["same"], abs=0.1)
        if was["meaning"] is not None:
            assert row["meaning"] == pytest.approx(was["meaning"], abs=0.05)


def test_every_base_was_asked():
    assert {row["base"] for row in load_results(RECORDED)[1]} == set(BUNDLED)
