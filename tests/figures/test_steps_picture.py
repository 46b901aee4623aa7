"""The picture over training steps draws every base and their mean, and says what was learned."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.needs("matplotlib", "pandas", "seaborn")


@pytest.fixture(autouse=True)
def _closed() -> Any:
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def looks() -> Any:
    import pandas as pd

    shares = {"a": [0.1, 0.5], "b": [0.3, 0.7]}
    learned = [(1 - 1 / 80, 1.0), (1.0, 1.0)]  # by seed
    return pd.DataFrame(
        [
            {"world": world, "base": base, "design": design, "reward": reward, "seed": seed}
            | {"step": step, "meaning": share + change, "trained": trained}
            for world in ("main world", "no facts")
            for reward, change in (("implicit", 0.0), ("explicit", 0.2))
            for design in ("one prefix", "paper")
            for base in shares
            for seed, right in enumerate(learned)
            for step, share, trained in zip((150, 300), shares[base], right, strict=True)
        ]
    )


def test_a_panel_has_a_line_a_base_and_their_mean() -> None:
    from minirm.figures.over_steps import plot_over_steps

    figure = plot_over_steps(looks(), title="later")
    assert [ax.get_title() for ax in figure.axes] == ["main world", "no facts"]
    for ax in figure.axes:
        lines = [line for line in ax.lines if len(line.get_xdata()) == 2]
        drawn = [[round(float(y)) for y in line.get_ydata()] for line in lines]
        for line in ([10, 50], [30, 70], [20, 60], [40, 80]):  # bases, their mean, the explicit one
            assert drawn.count(line) == 2, line  # once a design


def test_a_mark_is_full_where_every_run_has_learned_its_pairs() -> None:
    from minirm.figures.over_steps import plot_over_steps

    (ax, _) = plot_over_steps(looks(), title="later").axes
    marks = [line for line in ax.lines if len(line.get_xdata()) == 1]
    full = {(line.get_xdata()[0], line.get_markerfacecolor() != "white") for line in marks}
    assert full == {(150, False), (300, True)}
