"""Pictures of the real model: what is drawn is what was given."""

import numpy as np
import pytest

pytestmark = pytest.mark.needs("matplotlib", "pandas", "seaborn")

DOSES = (0.5, 0.75, 1.0)


def lines(shift):
    return [
        {"reward": reward, "agreement": dose, "mean": mean, "low": mean - 0.1, "high": mean + 0.1}
        for reward, top in (("explicit", 0.8), ("implicit", 0.4))
        for dose in DOSES
        for mean in [top - shift * dose]
    ]


def test_a_panel_a_model_with_its_own_numbers():
    from minirm.figures.real import plot_doses_beside

    fig = plot_doses_beside({"small": lines(0.0), "real": lines(0.3)}, title="found")
    small, real = fig.axes
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["small", "real"]
    for ax, shift in ((small, 0.0), (real, 0.3)):
        drawn = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
        expected = {"explicit": 0.8, "implicit": 0.4}
        assert list(drawn) == list(expected)
        for reward, top in expected.items():
            np.testing.assert_allclose(drawn[reward], [100 * (top - shift * d) for d in DOSES])
    assert small.get_ylim() == real.get_ylim()


@pytest.mark.parametrize("right", [[True, False], [False, True]])
def test_a_row_an_opening_and_a_filled_mark_for_a_right_phrase(right):
    import pandas as pd

    from minirm.figures.real import plot_falls

    table = pd.DataFrame([[-10.0, -30.0], [-80.0, -90.0]], ["one", "two"], ["sure", "nope"])
    fig = plot_falls({"a design": table}, right, title="found")
    (ax,) = fig.axes
    marks = {line.get_label().split(" (")[0]: line for line in ax.get_lines()[:2]}
    for phrase, good in zip(table, right, strict=True):
        np.testing.assert_allclose(marks[phrase].get_xdata(), table[phrase])
        assert marks[phrase].get_markerfacecolor() == ("black" if good else "white")
        assert marks[phrase].get_label().endswith("(right)" if good else "(wrong)")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "two"]
    top, bottom = marks["sure"].get_ydata()
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row above
    assert top < bottom


def test_phrases_stand_in_the_order_of_their_reward_and_right_ones_are_filled():
    import pandas as pd

    from minirm.figures.real import plot_phrases

    right = {"yes": True, "no": False, "sure": True}
    panels = {"one": [0.5, -1.0, 1.0], "other": [-2.0, 3.0, 0.0]}
    panels = {name: pd.Series(values, right) for name, values in panels.items()}
    fig = plot_phrases(panels, right, title="found")
    names = [[label.get_text() for label in ax.get_yticklabels()] for ax in fig.axes]
    assert names == [["no", "yes", "sure"], ["yes", "sure", "no"]]
    first, second = fig.axes
    assert [list(line.get_xdata()) for line in first.lines] == [[0.5, 1.0], [-1.0]]
    assert [list(line.get_ydata()) for line in second.lines] == [[0, 1], [2]]
    filled = [line.get_markerfacecolor() == line.get_color() for line in first.lines]
    assert filled == [True, False]
