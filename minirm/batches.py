"""Room: from encoded sequences to the integer tensors that a model runs on. No model enters here.

``Rows`` keeps *where* each number is read apart from *how* the rows are laid out: the rewards only
ever use the index vectors, so a different layout changes the time and nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from minirm.pairs import Encoded, EncodedPair


@dataclass(frozen=True)
class Rows:
    """R token rows of width T that hold S sequences with N response tokens in all.

    Indices are flat: row * T + column. For a batch of B pairs S = 2B, the chosen sequences first.
    """

    input_ids: Tensor  # [R, T] long, padded on the right
    source: Tensor  # [N] long: the state that predicts each response token
    position: Tensor  # [N] long: the state at each response token itself
    target: Tensor  # [N] long: the response tokens
    sequence: Tensor  # [N] long: which sequence each response token belongs to
    last: Tensor  # [S] long: the state at the last token of each sequence
    reference: Tensor | None = None  # [S]: ln pi_ref(y|x), where it was computed beforehand

    @property
    def n_sequences(self) -> int:
        return len(self.last)

    def to(self, device: torch.device | str) -> Rows:
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: v.to(device) for k, v in tensors.items() if v is not None})


def plain_rows(sequences: Sequence[Encoded], pad_token_id: int) -> Rows:
    """One row a sequence, padded on the right.

    Under a causal mask nothing attends to padding on its right, so no attention mask is needed.
    """
    width = max(len(s) for s in sequences)
    input_ids = torch.full((len(sequences), width), pad_token_id, dtype=torch.long)
    source, target, sequence, last = [], [], [], []
    for row, s in enumerate(sequences):
        input_ids[row, : len(s)] = torch.tensor(s.prompt + s.response)
        first = row * width + len(s.prompt)
        source += range(first - 1, first - 1 + len(s.response))
        target += s.response
        sequence += [row] * len(s.response)
        last.append(first + len(s.response) - 1)
    source = torch.tensor(source)
    return Rows(
        input_ids=input_ids,
        source=source,
        position=source + 1,
        target=torch.tensor(target),
        sequence=torch.tensor(sequence),
        last=torch.tensor(last),
    )


def pair_rows(pairs: Sequence[EncodedPair], pad_token_id: int) -> Rows:
    """Rows for B pairs: the B chosen sequences, then the B rejected ones (S = 2B)."""
    return plain_rows([p.chosen for p in pairs] + [p.rejected for p in pairs], pad_token_id)


def epoch_batches(n: int, batch_size: int, seed: int, epoch: int) -> Iterator[list[int]]:
    """Indices 0..n-1 in batches, each exactly once, in an order fixed by ``(seed, epoch)``."""
    order = list(range(n))
    random.Random(f"{seed}:{epoch}").shuffle(order)
    for start in range(0, n, batch_size):
        yield order[start : start + batch_size]
