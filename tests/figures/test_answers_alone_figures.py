"""Pictures of the chapter on benchmarks: what is drawn is what was given."""

import numpy as np
import pytest

pytestmark = pytest.mark.needs("matplotlib", "pandas", "seaborn")

GROUPS = {
    "one": {"longest": (0.6, 0.5, 0.65), "unigram cues": (0.9, 0.8, 1.0)},
    "two": {"longest": (0.1, 0.0, 0.2), "unigram cues": (1.0, 0.9, 1.0)},
}


def drawn(fig):
    (ax,) = fig.axes
    return ax, {c.get_label(): c for c in ax.containers}


def test_a_mark_a_judge_on_a_line_a_set_with_both_ends():
    from minirm.figures.answers_alone import plot_judges

    ax, bars = drawn(plot_judges(GROUPS, title="found"))
    assert [label.get_text() for label in ax.get_yticklabels()] == list(GROUPS)
    assert list(bars) == ["longest", "unigram cues"]
    for judge, bar in bars.items():
        marks, _, (lines,) = bar.lines
        np.testing.assert_allclose(marks.get_xdata(), [GROUPS[g][judge][0] for g in GROUPS])
        ends = [segment[:, 0].tolist() for segment in lines.get_segments()]
        np.testing.assert_allclose(ends, [GROUPS[g][judge][1:] for g in GROUPS])
    low, high = ax.get_ylim()
    assert low > high  # the first set on top


def test_a_line_a_judge_over_the_numbers_of_words():
    from minirm.figures.answers_alone import plot_removed

    line = {0: (1.0, 0.9, 1.0), 5: (0.8, 0.7, 0.9), 50: (0.6, 0.5, 0.7)}
    ax, bars = drawn(plot_removed({"unigram cues": line}, title="found"))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "5", "50"]
    np.testing.assert_allclose(bars["unigram cues"].lines[0].get_ydata(), [1.0, 0.8, 0.6])
