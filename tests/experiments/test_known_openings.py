"""How surprising the openings are, as recorded."""

from pathlib import Path

import pytest

from minirm.experiments import known_openings
from minirm.experiments.results import load_results
from minirm.models.bases import MAIN, RARE

RECORDED = Path(__file__).parents[2] / "book" / "results" / "openings.json"


def test_the_recorded_surprise_of_a_base_comes_out_again():
    rows = {row["opening"]: row for row in load_results(RECORDED)[1] if row["base"] == "rare-1"}
    found = known_openings.measure(known_openings.Run("rare-1"))
    assert [row["opening"] for row in found] == list(rows) == list(known_openings.ASKED)
    for row in found:
        assert row["total"] == pytest.approx(rows[row["opening"]]["total"], abs=0.05)
        assert row["least"] == pytest.approx(rows[row["opening"]]["least"], abs=0.05)


def test_a_real_model_is_surprised_more_than_the_rare_world_and_less_than_the_main_one():
    _, rows = load_results(RECORDED)
    means = {
        base: sum(r["total"] for r in rows if r["base"] == base) / len(known_openings.ASKED)
        for base in (*MAIN, *RARE, "smollm2")
    }
    assert max(means[b] for b in MAIN) < means["smollm2"] < min(means[b] for b in RARE)
