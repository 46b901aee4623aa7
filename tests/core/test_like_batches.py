"""Rows of like width run together: each once, little of it padding, and the numbers stay."""

import random
from itertools import chain, pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import patient, perturb, tiny, tokenizer

from minirm import ExplicitRM, ImplicitRM, batches
from minirm.batches import FILLED, MOST, PADDED, like_batches
from minirm.encoding import Encoded

ROWS = st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 5)), min_size=1, max_size=80)


@given(ROWS, st.integers(1, 64))
@patient
def test_every_row_is_in_one_batch_and_no_batch_is_too_large(rows, batch_size):
    widths, sizes = zip(*rows, strict=True)
    found = list(like_batches(widths, sizes, batch_size))
    assert sorted(chain(*found)) == list(range(len(rows)))
    order = [widths[place] for batch in found for place in batch]
    assert order == sorted(order)
    for batch in found:
        cells = len(batch) * max(widths[place] for place in batch)
        if len(batch) > 1:
            assert sum(sizes[place] for place in batch) <= batch_size
            assert cells <= MOST
        if sum(widths[place] for place in batch[:-1]) >= FILLED:
            assert cells - sum(widths[place] for place in batch) <= PADDED * cells


@given(ROWS)
@patient
def test_no_batch_ends_before_it_must(rows):
    widths, sizes = zip(*rows, strict=True)
    found = list(like_batches(widths, sizes, 64))
    for batch, (next_row, *_) in pairwise(found):
        tokens, cells = sum(widths[p] for p in batch), (len(batch) + 1) * widths[next_row]
        ragged = tokens >= FILLED and cells - tokens - widths[next_row] > PADDED * cells
        full = sum(sizes[p] for p in batch) + sizes[next_row] > 64
        assert ragged or full or cells > MOST


def test_rows_of_one_width_run_as_many_at_once_as_asked_for():
    assert [len(b) for b in like_batches([200] * 100, [1] * 100, 64)] == [64, 36]
    assert [len(b) for b in like_batches([MOST // 4] * 6, [1] * 6, 64)] == [4, 2]


@pytest.mark.parametrize("kind", [ExplicitRM, ImplicitRM])
def test_rewards_are_those_of_each_answer_alone_in_the_order_given(kind, monkeypatch):
    monkeypatch.setattr(batches, "FILLED", 20)
    rm = perturb(kind(tiny("llama"), tokenizer()))
    draw = random.Random(0)

    def text(most):
        return tuple(draw.choices(range(3, 9), k=draw.randint(1, most)))

    prompts = [text(20) for _ in range(10)]
    sequences = [Encoded(draw.choice(prompts), text(60)) for _ in range(40)]
    ran = []
    found = rm.map_encoded(
        rm.rewards, sequences, plan=lambda some: (ran.append(b) or b for b in some)
    )
    alone = torch.cat([rm.score_encoded([sequence]) for sequence in sequences])
    assert len(ran) > 3
    torch.testing.assert_close(found, alone, atol=1e-5, rtol=1e-4)
