"""Still pictures: what stands in them is what was given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from minirm.batches import pair_rows
from minirm.figures.hamiltonian import plot_by_graph
from minirm.figures.layout import plot_mask
from minirm.pairs import Encoded, EncodedPair

pytestmark = pytest.mark.needs("matplotlib")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_the_mask_that_is_drawn_is_the_mask():
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


def test_every_graph_is_a_point_at_what_both_are_right_with():
    policy, walk = [0.5, 1e-9, 0.2], [0.1, 0.2, 0.0]
    fig = plot_by_graph(policy, {"a walk": walk, "another": [0.1, 0.1, 0.1]}, title="t")
    points = np.asarray(fig.axes[0].collections[0].get_offsets())
    assert points[:, 1].tolist() == pytest.approx([0.5, 1e-6, 0.2])
    assert fig.axes[0].get_ylim()[0] < 1e-6
    assert points[:2, 0].tolist() == walk[:2]
    left, _ = fig.axes[0].get_xlim()
    assert left < points[2, 0] < 0.2  # what cannot be right stands at the edge, and is seen
