"""Still pictures: what they draw is what they were given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from minirm.batches import pair_rows
from minirm.pairs import Encoded, EncodedPair

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


def test_the_mask_that_is_drawn_is_the_mask() -> None:
    from minirm.figures.layout import plot_mask

    rows = pair_rows([EncodedPair(Encoded((5, 6), (7,)), Encoded((5, 6), (8, 9)))], 0, shared=True)
    ax = plot_mask(rows, list("abcde"), title="t").axes[0]
    drawn = ax.collections[0].get_array().reshape(5, 5)
    assert np.array_equal(drawn > 0, rows.attention_mask[0, 0].numpy())
    assert drawn[4].tolist() == [1, 1, 0, 3, 3]  # prompt, not the chosen answer, the rejected one
    assert [text.get_text() for text in ax.texts] == ["0", "1", "2", "2", "3", "position"]
    with pytest.raises(ValueError, match="one shared row, got 2 rows"):
        plot_mask(
            pair_rows([EncodedPair(Encoded((5,), (7,)), Encoded((5,), (8,)))], 0), "ab", title=""
        )


def test_every_graph_is_a_point_at_what_both_are_right_with() -> None:
    from minirm.figures.hamiltonian import plot_by_graph

    policy, walk = [0.5, 1e-9, 0.2], [0.1, 0.2, 0.0]
    fig = plot_by_graph(policy, {"a walk": walk, "another": [0.1, 0.1, 0.1]}, title="t")
    points = np.asarray(fig.axes[0].collections[0].get_offsets())
    assert points[:, 1].tolist() == pytest.approx([0.5, 1e-6, 0.2])
    assert fig.axes[0].get_ylim()[0] < 1e-6
    assert points[:2, 0].tolist() == walk[:2]
    left, _ = fig.axes[0].get_xlim()
    assert left < points[2, 0] < 0.2  # what cannot be right stands at the edge, and is seen


def test_the_first_picture_has_three_rewards_of_one_world(monkeypatch: pytest.MonkeyPatch) -> None:
    from minirm.figures import headline

    rest = {"words": 0.0, "interaction": 0.0, "accuracy": 1.0, "right": 1.0}
    rows = [
        {"world": world, "base": base, "reward": reward, "agreement": agreement, "meaning": meaning}
        | {"opening": 1 - meaning, **rest}
        for world, base in (("main world", "a"), ("main world", "b"), ("no facts", "c"))
        for reward in ("explicit", "implicit, no reference", "explicit, mean", "implicit")
        for agreement, meaning in ((0.5, 0.6), (1.0, 0.2), (None, 0.9))
    ]
    monkeypatch.setattr(headline, "load_runs", lambda: rows)
    data = headline.headline_data()
    assert list(data["worlds"]) == ["main world"]
    assert data["rewards"] == ["explicit", "explicit, mean over positions", "implicit"]
    points = data["worlds"]["main world"]["implicit"]
    assert [(p["agreement"], round(p["meaning"], 6)) for p in points] == [(0.5, 0.6), (1.0, 0.2)]
    assert len(headline.headline_picture(data).axes[0].lines) == 3
