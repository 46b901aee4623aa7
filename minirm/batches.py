"""From encoded sequences to the integer tensors that a model runs on. No model enters here.

``Rows`` keeps *where* each number is read apart from *how* the rows are laid out: the rewards only
ever use the index vectors, so a different layout changes the time and nothing else. Two layouts:

    plain    [prompt | answer], one row a sequence, under the model's own causal mask
    shared   [prompt | answer | answer | ...]: the prompt is encoded once, every answer sees it and
             itself but no other answer, and counts its positions on from the prompt's end
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from minirm.pairs import Encoded, EncodedPair

PADDING, PROMPT = -1, 0  # segments; the answers of a row are 1, 2, ...


@dataclass(frozen=True)
class Rows:
    """R token rows of width T that hold S sequences with N response tokens in all.

    Indices are flat: row * T + column. For a batch of B pairs S = 2B, the chosen sequences first.
    """

    input_ids: Tensor  # [R, T] long, padded on the right
    source: Tensor  # [N] long: the state that predicts each response token
    position: Tensor  # [N] long: the state at each response token itself
    target: Tensor  # [N] long: the response tokens, in the order of the sequences
    sequence: Tensor  # [N] long: which sequence each response token belongs to
    last: Tensor  # [S] long: the state at the last token of each sequence
    reference: Tensor | None = None  # [S]: ln pi_ref(y|x), where it was computed beforehand
    margin: Tensor | None = None  # [B]: by how much each chosen reward is to lead; None: 0
    position_ids: Tensor | None = None  # [R, T] long; None: 0 .. T - 1
    segment: Tensor | None = None  # [R, T] long: PADDING, PROMPT or which answer; None: plain

    @property
    def n_sequences(self) -> int:
        return len(self.last)

    @property
    def attention_mask(self) -> Tensor | None:
        """Which token (third axis) sees which (fourth), [R, 1, T, T] bool; None if plain causal."""
        if self.segment is None:  # nothing attends to padding on its right, so no mask is needed
            return None
        width = self.segment.shape[1]
        viewer, seen = self.segment[:, None, :, None], self.segment[:, None, None, :]
        allowed = (viewer == seen) | (seen == PROMPT)  # padding sees padding: no row is empty
        square = torch.ones(width, width, dtype=torch.bool, device=self.segment.device)
        return allowed & square.tril()

    def to(self, device: torch.device | str) -> Rows:
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        ahead = torch.device(device).type == "cuda"  # or each copy would wait for the step before
        moved = {k: v.to(device, non_blocking=ahead) for k, v in tensors.items() if v is not None}
        return replace(self, **moved)


def shared_rows(
    sequences: Sequence[Encoded], groups: Sequence[Sequence[int]], pad_token_id: int
) -> Rows:
    """One row a group: their common prompt once, then the response of each member.

    Args:
        sequences: S prompts with their responses.
        groups: R lists of indices into ``sequences``, each index once; a group has one prompt.
        pad_token_id: what fills the shorter rows.
    """
    tokens, positions, segments = [], [], []
    starts = [(0, 0)] * len(sequences)  # row and column of each response
    for row, group in enumerate(groups):
        prompt = sequences[group[0]].prompt
        ids, places, parts = list(prompt), list(range(len(prompt))), [PROMPT] * len(prompt)
        for answer, member in enumerate(group, start=1):
            response = sequences[member].response
            starts[member] = row, len(ids)
            ids += response
            places += range(len(prompt), len(prompt) + len(response))
            parts += [answer] * len(response)
        tokens.append(ids)
        positions.append(places)
        segments.append(parts)
    width = max(map(len, tokens))
    source: list[int] = []
    position: list[int] = []
    target: list[int] = []
    sequence: list[int] = []
    last: list[int] = []
    for index, ((row, column), s) in enumerate(zip(starts, sequences, strict=True)):
        first, end = row * width + column, row * width + column + len(s.response)
        # An answer's first token is predicted where the prompt ends, however far off that lies.
        source += [row * width + len(s.prompt) - 1, *range(first, end - 1)]
        position += range(first, end)
        target += s.response
        sequence += [index] * len(s.response)
        last.append(end - 1)
    plain = len(groups) == len(sequences)
    return Rows(
        input_ids=_padded(tokens, width, pad_token_id),
        source=_long(source),
        position=_long(position),
        target=_long(target),
        sequence=_long(sequence),
        last=_long(last),
        position_ids=None if plain else _padded(positions, width, 0),
        segment=None if plain else _padded(segments, width, PADDING),
    )


def plain_rows(sequences: Sequence[Encoded], pad_token_id: int) -> Rows:
    """One row a sequence, padded on the right.

    Args:
        sequences: S prompts with their responses.
        pad_token_id: what fills the shorter rows; no number is ever read there.

    >>> rows = plain_rows([Encoded((7, 8), (1, 2)), Encoded((7,), (3,))], pad_token_id=0)
    >>> rows.input_ids.tolist()
    [[7, 8, 1, 2], [7, 3, 0, 0]]
    >>> rows.target.tolist(), rows.source.tolist()  # each token, and the state that predicts it
    ([1, 2, 3], [1, 2, 4])
    """
    return shared_rows(sequences, [[i] for i in range(len(sequences))], pad_token_id)


def pair_rows(pairs: Sequence[EncodedPair], pad_token_id: int, *, shared: bool = False) -> Rows:
    """Rows for B pairs: S = 2B sequences, the chosen ones first.

    Args:
        pairs: B encoded pairs.
        pad_token_id: what fills the shorter rows.
        shared: one row a pair where its two sides have one prompt, instead of two.

    >>> pair = EncodedPair(Encoded((7, 8), (1, 2)), Encoded((7, 8), (3,)))
    >>> pair_rows([pair], 0, shared=True).input_ids.tolist()
    [[7, 8, 1, 2, 3]]
    >>> pair_rows([pair], 0).input_ids.tolist()
    [[7, 8, 1, 2], [7, 8, 3, 0]]
    """
    sequences = [p.chosen for p in pairs] + [p.rejected for p in pairs]
    groups = []
    for i, pair in enumerate(pairs):
        both = [i, len(pairs) + i]
        groups += [both] if shared and _one_prompt(pair) else [both[:1], both[1:]]
    rows = shared_rows(sequences, sorted(groups), pad_token_id)  # chosen rows first
    if not any(pair.margin for pair in pairs):
        return rows
    return replace(rows, margin=torch.tensor([p.margin for p in pairs], dtype=torch.float64))


def pair_cost(pair: EncodedPair, *, shared: bool) -> int:
    """The width of the row (or the wider of two rows) that a pair takes, in tokens."""
    if shared and _one_prompt(pair):
        return len(pair.chosen) + len(pair.rejected.response)
    return len(pair)


def _one_prompt(pair: EncodedPair) -> bool:
    return pair.chosen.prompt == pair.rejected.prompt  # a judge's two questions differ


def answer_groups(sequences: Sequence[Encoded], hidden_size: int) -> list[list[int]]:
    """Indices of sequences with one prompt, in groups that are cheapest to run as shared rows.

    A prompt of P tokens before answers of A tokens in all takes about (P + A) (6 D + P + A) time
    (projections, and attention that also looks at what is masked); the time per answer token is
    least at A = sqrt(P (P + 6 D)), so no more are put into one row.
    """
    by_prompt: dict[tuple[int, ...], list[int]] = {}
    for i, s in enumerate(sequences):
        by_prompt.setdefault(s.prompt, []).append(i)
    groups: list[list[int]] = []
    for prompt, members in by_prompt.items():
        room = math.sqrt(len(prompt) * (len(prompt) + 6 * hidden_size))
        used = math.inf  # so that each prompt begins a group
        for i in sorted(members, key=lambda i: len(sequences[i])):
            if used + len(sequences[i].response) > room:
                groups.append([])
                used = 0
            groups[-1].append(i)
            used += len(sequences[i].response)
    return groups


FILLED = 512
"""Tokens of a batch from which on more rows save no time, while padding costs some."""
PADDED = 0.04
"""So much of a filled batch may be padding."""
MOST = 2**16
"""Tokens of a batch, padding included, that are enough for any device."""


def like_batches(
    widths: Sequence[int], sizes: Sequence[int], batch_size: int
) -> Iterator[list[int]]:
    """Places of rows in batches of rows that are about equally wide, the narrowest first.

    A batch ends where it would hold more than ``batch_size`` sequences or ``MOST`` tokens, or once
    it is ``FILLED`` and more than ``PADDED`` of it would be padding. On few rows of ragged widths
    that is what matters: the widest would pad all others of their batch.

    Args:
        widths: [R], tokens of each row.
        sizes: [R], how many sequences each row holds.
        batch_size: the most sequences at once; a single row may hold more.

    >>> list(like_batches([300, 90, 100, 305, 3000], [1] * 5, batch_size=64))
    [[1, 2, 0, 3], [4]]
    """
    batch: list[int] = []
    members = tokens = 0
    for place in sorted(range(len(widths)), key=widths.__getitem__):
        cells = (len(batch) + 1) * widths[place]
        ragged = tokens >= FILLED and cells - tokens - widths[place] > PADDED * cells
        if batch and (ragged or members + sizes[place] > batch_size or cells > MOST):
            yield batch
            batch, members, tokens = [], 0, 0
        batch.append(place)
        members += sizes[place]
        tokens += widths[place]
    if batch:
        yield batch


def epoch_batches(
    costs: Sequence[int], batch_size: int, seed: int, epoch: int
) -> Iterator[list[int]]:
    """Indices of all items in batches of similar cost, each index exactly once.

    Who meets whom and the order of the batches are fixed by ``(seed, epoch)`` and differ between
    epochs: items are sorted by their cost times a random factor up to ``JITTER``. A short last
    batch holds items drawn at random: else the costliest would always be in it.

    >>> batches = list(epoch_batches([9, 1, 8, 2, 1], batch_size=2, seed=0, epoch=0))
    >>> [len(batch) for batch in batches], sorted(sum(batches, []))
    ([2, 2, 1], [0, 1, 2, 3, 4])
    """
    draw = random.Random(f"{seed}:{epoch}")
    order = list(range(len(costs)))
    draw.shuffle(order)
    full = len(order) - len(order) % batch_size
    similar = sorted(order[:full], key=lambda i: costs[i] * draw.uniform(1, JITTER))
    batches = [similar[i : i + batch_size] for i in range(0, full, batch_size)]
    draw.shuffle(batches)
    yield from batches
    if full < len(order):
        yield order[full:]


JITTER = 1.2
"""How freely items of unlike cost meet in a batch: about half of what it is above 1 is padding."""


def _padded(rows: Sequence[Sequence[int]], width: int, value: int) -> Tensor:
    return _long([[*row, *[value] * (width - len(row))] for row in rows])


def _long(values: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.int64))  # a quarter of torch.tensor's time
