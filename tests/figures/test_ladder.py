"""The pictures of the ladder draw every rung, and what each reads."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.needs("matplotlib", "pandas", "seaborn")

ROW = {"meaning": 0.5, "words": 0.0, "opening": 0.5, "interaction": 0.0, "low": 0.4, "high": 0.6}


@pytest.fixture(autouse=True)
def _closed() -> Any:
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def test_each_reward_of_the_picture_is_a_rung_and_they_go_down_in_order() -> None:
    from minirm.experiments.rungs import RUNGS
    from minirm.figures.ladder import READS

    assert set(READS) <= set(RUNGS)
    order = ["explicit", "explicit, mean", "explicit, sum", "explicit, states before"]
    assert list(READS)[:4] == order
    assert list(READS)[-1] == "implicit"


@pytest.mark.parametrize(
    ("rung", "places"),
    [
        ("explicit", [3]),
        ("explicit, mean", [1, 2, 3]),
        ("explicit, states before", [0, 1, 2]),
        ("implicit", [0, 1, 2]),
    ],
)
def test_a_filled_state_is_one_that_the_rung_reads(rung: str, places: list[int]) -> None:
    from minirm.figures.ladder import READS, plot_rungs

    (ax,) = plot_rungs(["My", "yes", "<eos>"], title="what is read").axes
    y = list(READS).index(rung)
    states = [line for line in ax.lines if line.get_zorder() == 3 and line.get_ydata()[0] == y]
    read = [line.get_xdata()[0] for line in states if line.get_markerfacecolor() != "white"]
    assert len(states) == 4
    assert read == places


def test_a_panel_has_every_rung_and_says_what_its_bars_rest_on() -> None:
    from minirm.figures.ladder import plot_ladder

    rows = {
        "explicit": {**ROW, "right": 1.0, "bases": 3},
        "explicit, sum": {**ROW, "right": 1.0, "bases": 1},
        "implicit": {**ROW, "right": 0.25, "bases": 1},
    }
    figure = plot_ladder({"one": rows, "two": rows, "three": rows}, columns=2, title="bars")
    used = [ax for ax in figure.axes if ax.patches]
    assert [ax.get_title() for ax in used] == ["one", "two", "three"]
    names = [label.get_text() for label in used[0].get_yticklabels()]
    assert names == ["explicit", "explicit, sum", "implicit"]
    for ax in used:
        texts = [t.get_text() for t in ax.texts]
        assert texts == [*["50"] * 4, "*", "50", "50", "* (0.25)"]
        assert [0.4, 0.6] in [list(line.get_xdata()) for line in ax.lines]
