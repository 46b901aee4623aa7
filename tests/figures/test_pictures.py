"""Still pictures: what they draw is what they were given."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

pytestmark = pytest.mark.needs("matplotlib")


@pytest.fixture(autouse=True)
def closed() -> Any:
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def test_the_schematic_puts_a_log_probability_over_the_token_after_each_state_it_reads() -> None:
    from minirm.figures.reading import LOGPROB, STATE, TOKEN, plot_reading

    tokens = ["Well", "? ", "My ", "answer ", "<eos>"]
    fig = plot_reading(tokens, 2, explicit=4, implicit=[1, 2, 3], title="t")
    words = {t.get_position(): t.get_text() for t in fig.axes[0].texts if t.get_text()}
    assert [words[x, TOKEN] for x in range(5)] == ["Well", "?", "My", "answer", "<eos>"]
    assert {x: words[x, LOGPROB] for x in range(5) if (x, LOGPROB) in words} == {
        2: "My", 3: "answer", 4: "<eos>",
    }  # fmt: skip
    marks = [line for line in fig.axes[0].lines if line.get_marker() == "s"]
    assert [tuple(m.get_xydata()[0]) for m in marks] == [(x, STATE) for x in (1, 2, 3)]


def test_only_a_clear_miss_bears_a_name() -> None:
    from minirm.figures.gradients import plot_outcome

    outcome = pd.DataFrame(
        {
            "base": ["right", "miss", "silent"],
            "condition": ["a", "a", "b"],
            "accuracy": [1.0, 0.0, 0.0],
            "last": [50.0, 50.0, 0.5],
        }
    )
    outcome["trunk"] = -outcome["last"]
    fig = plot_outcome(outcome, {"last": "one", "trunk": "two"})
    named = [[t.get_text() for t in ax.texts] for ax in fig.axes]
    assert named == [["miss"], ["right"]]
