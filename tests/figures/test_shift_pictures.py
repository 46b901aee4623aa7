"""Pictures of a results file of ``minirm experiment shifts``: what is drawn is what is in it."""

from pathlib import Path

import numpy as np
import pytest

from minirm.experiments.results import save_results
from minirm.experiments.shift_sets import CONTROL, SETS, WORDINGS

pytestmark = pytest.mark.needs("matplotlib", "pandas", "seaborn")
RESULTS = Path(__file__).parents[2] / "book" / "results"
COLUMNS = ("content", "wording", "rest")


def row(reward, seed, *, last=True):
    """Figures that tell every cell from every other."""
    at = (1 + seed) / 10 + len(reward) / 100
    found = {"reward": reward, "seed": seed, "rewards": {} if last else None, "units": {}}
    for i, name in enumerate(SETS):
        value = at + i / 1000
        ends = {"accuracy": value, "low": value - 0.05, "high": value + 0.08}
        found |= {f"{name} {figure}": x for figure, x in ends.items()}
    found |= dict(zip(COLUMNS, (at, 0.5 - at, 0.5), strict=True))
    beyond = dict(zip((f"{c} beyond length" for c in COLUMNS), (0.1, 0.2, 0.3), strict=True))
    return found | beyond | {"length share": 0.4}


@pytest.fixture
def rows(tmp_path):
    from minirm.figures.shifts import last_rows

    several = [row("longer", 0), row("explicit", 1), row("explicit", 0, last=False)]
    several += [row("explicit", 0), row("implicit", 0), row("ln pi_ref", 0)]
    save_results(tmp_path / "mine.json", "minirm experiment shifts", several)
    return last_rows(tmp_path / "mine.json")


def test_only_last_looks_and_only_this_experiment_s(rows):
    from minirm.figures.shifts import last_rows

    assert list(rows["reward"]) == ["longer", "explicit", "explicit", "implicit", "ln pi_ref"]
    with pytest.raises(ValueError, match=r"persona\.json has no .*minirm experiment persona"):
        last_rows(RESULTS / "persona.json")


def test_a_mark_a_run_with_its_interval_at_every_set(rows):
    from minirm.figures.shifts import NAMES, plot_sets

    (ax,) = plot_sets(rows, ["explicit", "implicit", "unigram cues", "longer"], title="found").axes
    assert [label.get_text() for label in ax.get_yticklabels()] == list(NAMES.values())
    expected = [row("explicit", 0), row("explicit", 1), row("implicit", 0), row("longer", 0)]
    assert len(ax.containers) == len(expected)
    for bar, asked in zip(ax.containers, expected, strict=True):
        marks, _, (lines,) = bar.lines
        np.testing.assert_allclose(marks.get_xdata(), [asked[f"{n} accuracy"] for n in NAMES])
        ends = [segment[:, 0].tolist() for segment in lines.get_segments()]
        np.testing.assert_allclose(ends, [[asked[f"{n} low"], asked[f"{n} high"]] for n in NAMES])
    (first, second, *_) = (bar.lines[0] for bar in ax.containers)
    assert (first.get_ydata() < second.get_ydata()).all()
    assert first.get_marker() == second.get_marker()
    labels = [bar.get_label() for bar in ax.containers if not bar.get_label().startswith("_")]
    assert labels == ["explicit", "implicit", "longer"]


@pytest.mark.parametrize("beyond", [False, True])
def test_a_bar_is_the_mean_over_runs_and_the_accuracies_stand_beside_it(rows, beyond):
    from minirm.figures.shifts import plot_wordings

    fig = plot_wordings(rows, ["explicit", "ln pi_ref"], title="found", beyond_length=beyond)
    (ax,) = fig.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["explicit", "ln π_ref"]
    widths = [patch.get_width() for patch in ax.patches]
    both = [row("explicit", 0), row("explicit", 1)]
    means = [np.mean([one[c] for one in both]) for c in COLUMNS]
    alone = [row("ln pi_ref", 0)[c] for c in COLUMNS]
    parts = [0.4, 0.1, 0.2, 0.3]
    np.testing.assert_allclose(widths, parts + parts if beyond else means + alone)
    said = [text.get_text() for text in ax.texts]
    original = np.mean([one["ultrafeedback accuracy"] for one in both])
    reworded = np.mean([one[f"{name} accuracy"] for one in both for name in WORDINGS[1:]])
    assert {f"{original:.2f}", f"{reworded:.2f}"} <= set(said)


def test_a_run_is_where_its_two_accuracies_are(rows):
    from minirm.figures.shifts import plot_instructions

    (ax,) = plot_instructions(rows, ["explicit", "implicit"], title="found").axes
    falling, *marks = ax.lines
    assert falling.get_xdata()[0] + falling.get_ydata()[0] == 1
    places = [(float(m.get_xdata()[0]), float(m.get_ydata()[0])) for m in marks]
    asked = [row("explicit", 0), row("explicit", 1), row("implicit", 0)]
    expected = [tuple(one[f"{name} accuracy"] for name in CONTROL) for one in asked]
    np.testing.assert_allclose(places, expected)


@pytest.fixture(autouse=True)
def closed():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")
