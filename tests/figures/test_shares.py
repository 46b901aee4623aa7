"""The picture of a reward's parts: what is drawn is what was given."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.needs("matplotlib", "pandas", "seaborn")

EX = {"meaning": 0.92, "words": 0.02, "opening": 0.04, "interaction": 0.02}
IM = {"meaning": 0.05, "words": 0.0, "opening": 0.94, "interaction": 0.01}


@pytest.fixture(autouse=True)
def _closed() -> Any:
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def texts(figure: Any) -> list[str]:
    figure.canvas.draw()
    return [t.get_text() for ax in figure.axes for t in ax.texts]


def test_a_bar_is_the_four_shares_side_by_side() -> None:
    from minirm.figures.shares import plot_shares

    (ax,) = plot_shares({"EX": EX, "IM": SimpleNamespace(**IM)}, title="parts").axes
    bars = 100 * np.array([[p.get_x(), p.get_width()] for p in ax.patches])
    assert bars[:4] == pytest.approx(np.array([[0, 92], [92, 2], [94, 4], [98, 2]]))
    assert bars[4:, 1] == pytest.approx(np.array([5, 0, 94, 1]))
    assert texts(ax.figure) == ["92", "94"]  # and no column of what nobody gave


def test_accuracy_and_sign_stand_beside_a_bar_and_the_interval_on_it() -> None:
    from minirm.figures.shares import plot_shares

    given = {
        "EX": {**EX, "accuracy": 1.0, "right": 0.975, "low": 0.84, "high": 0.98},
        "IM": SimpleNamespace(**IM, interval=(0.03, 0.07), accuracy=None, right=0.5),
    }
    (ax,) = plot_shares(given, title="parts").axes
    assert texts(ax.figure) == ["92", "1.00", "0.97", "94", "0.50", "accuracy", "sign\nright"]
    lines = [list(line.get_xdata()) for line in ax.lines]
    assert [0.84, 0.98] in lines
    assert [0.03, 0.07] in lines


def test_a_reward_that_never_changes_has_no_bar() -> None:
    from minirm.figures.shares import PARTS, plot_shares

    (ax,) = plot_shares({"new": dict.fromkeys(PARTS, math.nan)}, title="nothing").axes
    assert texts(ax.figure) == ["this reward never changes"]
    assert len(ax.patches) == 0


def test_the_parts_differ_in_grey() -> None:
    from matplotlib.colors import to_rgb

    from minirm.figures.shares import part_handles

    def grey(patch: Any) -> float:
        return float(np.dot(to_rgb(patch.get_facecolor()), [0.299, 0.587, 0.114]))

    shades = [grey(patch) for patch in part_handles()]
    assert all(b - a > 0.1 for a, b in itertools.pairwise(shades))
    assert part_handles()[-1].get_hatch()


def runs(**bases: list[float]) -> Any:
    import pandas as pd

    return pd.DataFrame(
        {
            **{"reward": "EX", "base": base, "meaning": m, "words": 0.0, "opening": 1 - m},
            **{"interaction": 0.0, "accuracy": 1.0, "right": 1.0},
        }
        for base, values in bases.items()
        for m in values
    )


def test_an_interval_is_over_bases_where_there_are_several() -> None:
    from minirm.figures.shares import summary
    from minirm.metrics import t_interval

    (row,) = summary(runs(a=[0.2, 0.3], b=[0.4, 0.5]), ["reward"]).to_dict("records")
    assert row["meaning"] == pytest.approx(0.35)
    assert row["low"] == max(0, t_interval([0.25, 0.45])[0])
    assert row["high"] == min(1, t_interval([0.25, 0.45])[1])
    (row,) = summary(runs(a=[0.2, 0.3]), ["reward"]).to_dict("records")
    assert row["low"] == max(0, t_interval([0.2, 0.3])[0])
    (row,) = summary(runs(a=[0.2, math.nan]), ["reward"]).to_dict("records")
    assert math.isnan(row["meaning"])
    assert math.isnan(row["low"])


def test_a_line_of_the_dose_goes_through_its_means_and_looks_like_its_model() -> None:
    from minirm.figures.shares import LIGHTER, plot_dose
    from minirm.figures.style import EXPLICIT, IMPLICIT

    names = (
        "explicit",
        "explicit, zero head",
        "explicit, mean",
        "explicit, mean, zero head",
        "implicit",
    )
    table = [
        {"reward": r, "agreement": a, "mean": 1 - a / 2, "low": 0.2, "high": 0.9}
        for r in (*names, "implicit, no reference")
        for a in (1.0, 0.5)
    ]
    figure = plot_dose(table, title="dose")
    lines = figure.axes[0].lines
    assert [line.get_label() for line in lines] == [*names, "implicit, no reference"]
    for line in lines:
        assert list(line.get_xdata()) == [50, 100]
        assert list(line.get_ydata()) == pytest.approx([75, 50])
    assert [line.get_color() for line in lines] == [
        *[EXPLICIT] * 2,
        *[LIGHTER] * 2,
        *[IMPLICIT] * 2,
    ]
    looks = {(line.get_linestyle(), line.get_marker(), line.get_color()) for line in lines}
    assert len(looks) == len(lines)


@pytest.mark.parametrize("several", [False, True])
def test_a_distribution_leaves_equal_openings_out_and_marks_the_pair(several: bool) -> None:
    from minirm.figures.shares import plot_pairs_distribution

    grid = np.full((4, 4), 0.62)
    np.fill_diagonal(grid, 0.02)  # not a pair of different openings
    grid[0, 1], grid[1, 0] = 0.0, 1.0
    given = {"implicit": np.stack([grid, grid]) if several else grid, "explicit": np.ones((4, 4))}
    first, second = plot_pairs_distribution(given, title="spread").axes
    heights = [patch.get_height() for patch in first.patches]
    assert [heights[0], heights[-1]] == pytest.approx([100 / 12] * 2)
    assert heights[12] == pytest.approx(100 * 10 / 12)
    marks = {text.get_text().strip() for text in first.texts}
    assert marks == {"the paper’s pair: 0.00", "the same, swapped: 1.00"}
    assert [t.get_text().strip() for t in second.texts] == ["the paper’s pair, and swapped: 1.00"]
    assert first.get_title(loc="left") == (
        "implicit: below .1 on 8 % of the pairs, at least .9 on 8 %"
    )


def test_a_distribution_takes_the_histograms_of_rows() -> None:
    import pandas as pd

    from minirm.figures.shares import plot_pairs_distribution

    counts = [3, 1, *[0] * 17, 4], [1, 1, *[0] * 17, 6]
    rows = pd.DataFrame({"histogram": counts, "paraphrase": [0.0, 0.2], "swapped": [1.0, 0.9]})
    (ax,) = plot_pairs_distribution({"implicit": rows}, title="spread").axes
    heights = [patch.get_height() for patch in ax.patches]
    assert [heights[0], heights[1], heights[-1]] == pytest.approx([25, 12.5, 62.5])
    assert "below .1 on 38 % of the pairs, at least .9 on 62 %" in ax.get_title(loc="left")
    marks = {text.get_text().strip() for text in ax.texts}
    assert marks == {"the paper’s pair: 0.10", "the same, swapped: 0.95"}


@pytest.mark.parametrize("pair", [0.0, 0.3, 0.55, 0.93, 1.0])
@pytest.mark.parametrize("swapped", [0.0, 0.2, 0.45, 0.6, 1.0])
def test_the_names_of_the_marks_do_not_run_into_each_other(pair: float, swapped: float) -> None:
    import pandas as pd

    from minirm.figures.shares import plot_pairs_distribution

    rows = pd.DataFrame({"histogram": [[1] * 20], "paraphrase": [pair], "swapped": [swapped]})
    fig = plot_pairs_distribution({"implicit": rows}, title="spread")
    fig.canvas.draw()
    boxes = [text.get_window_extent() for text in fig.axes[0].texts]
    assert not (len(boxes) == 2 and boxes[0].overlaps(boxes[1]))
    assert all(fig.axes[0].get_window_extent().padded(4).containsx(box.x0) for box in boxes)
    assert all(fig.axes[0].get_window_extent().padded(4).containsx(box.x1) for box in boxes)
