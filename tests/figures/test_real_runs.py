"""Pictures of a results file of ``minirm experiment real``: what is drawn is what is in it."""

from pathlib import Path

import numpy as np
import pytest

from minirm.experiments.results import load_results, save_results

pytestmark = pytest.mark.needs("matplotlib", "pandas", "seaborn")
RESULTS = Path(__file__).parents[2] / "book" / "results"
COMMITTED = RESULTS / "real-token-too-many-gpu.json"


@pytest.fixture(scope="module")
def rows():
    return [row for row in load_results(COMMITTED)[1] if row["seed"] < 2]


def written(path, rows, **changes):
    save_results(path, "minirm experiment real", [{**row, **changes} for row in rows])
    return path


def test_the_last_look_of_each_run_and_the_agreement(rows):
    from minirm.figures.real_runs import last_looks

    looks = last_looks(COMMITTED)
    assert set(looks["step"]) == {100}
    assert set(looks["setting"]) == {""}
    assert len(looks) == len(
        {(r["design"], r["reward"], r["seed"]) for r in looks.to_dict("records")}
    )
    assert looks.set_index("design")["agreement"].to_dict() == {
        "all prefixes": 0.5, "agreement .75": 0.75, "agreement .9": 0.9, "paper": 1.0,
    }  # fmt: skip


def test_settings_are_named_by_what_differs_in_one_file_and_over_several(rows, tmp_path):
    from minirm.figures.real_runs import last_looks

    several = [{**row, "lr": lr} for lr in (3e-6, 1e-5) for row in rows]
    one = written(tmp_path / "rates.json", several)
    assert list(last_looks(one)["setting"].unique()) == ["lr 3e-06", "lr 1e-05"]
    plain = written(tmp_path / "plain.json", rows, chat=False)
    adapted = written(tmp_path / "lora.json", [dict(row, lora=16) for row in rows])
    assert list(last_looks(COMMITTED, plain, adapted)["setting"].unique()) == [
        "chat, all weights", "plain text, all weights", "chat, adapters of rank 16",
    ]  # fmt: skip


def test_another_experiment_s_file_is_refused():
    from minirm.figures.real_runs import last_looks

    with pytest.raises(ValueError, match=r"persona\.json has no .*minirm experiment persona"):
        last_looks(RESULTS / "persona.json")


def test_a_panel_or_a_group_of_bars_for_each_setting(rows, tmp_path):
    import matplotlib.pyplot as plt

    from minirm.figures import real_runs

    several = [{**row, "lr": lr} for lr in (3e-6, 1e-5, 3e-5) for row in rows]
    looks = real_runs.last_looks(written(tmp_path / "rates.json", several))
    rates = ["lr 3e-06", "lr 1e-05", "lr 3e-05"]

    def titles(fig):
        return [ax.get_title(loc="left") for ax in fig.axes if ax.get_visible()]

    assert titles(real_runs.plot_run_doses(looks, title="found")) == rates
    falls = real_runs.plot_run_falls(looks, title="found")
    assert titles(falls) == [f"{cue}, {lr}" for cue in ("prefix = label", "no cue") for lr in rates]
    two = looks[looks["reward"] != "explicit, mean"]
    pairs = titles(real_runs.plot_run_pairs(two, title="found"))
    assert [t.partition(":")[0] for t in pairs] == [
        f"{reward}, {lr}" for lr in rates for reward in dict.fromkeys(two["reward"])
    ]
    bars = real_runs.plot_run_shares(two[two["design"].isin(real_runs.CUES)], title="found")
    labels = [label.get_text() for label in bars.axes[0].get_yticklabels()]
    assert labels[:4] == [
        f"{reward}, {cue}, lr 3e-06"
        for cue in ("prefix = label", "no cue")
        for reward in dict.fromkeys(two["reward"])
    ]
    assert len(labels) == 12
    plt.close("all")


def test_falls_are_the_mean_change_of_ln_pi(rows):
    from minirm.experiments.grids import ALL_OPENINGS, PHRASES
    from minirm.figures.real_runs import last_looks, nats
    from minirm.worlds.persona import OPENINGS

    looks = last_looks(COMMITTED)
    mine = looks[(looks["design"] == "paper") & (looks["reward"] == "implicit")]
    table = nats(looks[looks["design"] == "paper"])
    assert list(table.index) == list(OPENINGS)
    place = ALL_OPENINGS.index(OPENINGS[3]) * len(PHRASES) + 1
    expected = np.mean([means[place] for means in mine["means"]]) / 0.01
    assert table.loc[OPENINGS[3], PHRASES[1]] == pytest.approx(expected)
