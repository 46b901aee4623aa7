"""Texts that are nearly the same: MinHash finds candidates, the words themselves decide."""

from __future__ import annotations

import unicodedata
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from minirm.baselines import words

LIKE = 0.8
"""Two texts are nearly the same where their runs of words overlap at least so much (Jaccard)."""
RUN = 3
"""So many words make a run."""
_BANDS, _ROWS = 20, 4  # a pair at 0.8 is missed with probability (1 - 0.8^4)^20 = 3e-5
_PRIME = (1 << 31) - 1


def normalised(text: str) -> str:
    """A text in small letters, without marks, its words one blank apart.

    >>> normalised("Hello,  World!") == normalised("hello world")
    True
    """
    found = words(unicodedata.normalize("NFKC", text))
    return " ".join(word for word in found if word[0].isalnum() or word[0] == "_")


def runs(text: str) -> frozenset[int]:
    """Hashes of the text's runs of ``RUN`` words; a shorter text is one run."""
    found = normalised(text).split(" ")
    pieces = [found[i : i + RUN] for i in range(max(1, len(found) - RUN + 1))]
    return frozenset(zlib.crc32(" ".join(piece).encode()) for piece in pieces)


def overlap(a: frozenset[int], b: frozenset[int]) -> float:
    """Jaccard's share: how many runs both have, of those that either has."""
    return len(a & b) / len(a | b)


def near_pairs(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Places i < j of texts that are nearly the same, and not the same to the letter.

    >>> line = "the quick brown fox jumps over the lazy dog again and again and again"
    >>> near_pairs([line, line.upper(), line + " today", "something else", line])
    [(0, 1), (0, 2), (1, 2), (1, 4), (2, 4)]
    """
    sets = [runs(text) for text in texts]
    found = set()
    for bucket in _buckets(sets):
        for at, i in enumerate(bucket):
            for j in bucket[at + 1 :]:
                if texts[i] != texts[j] and overlap(sets[i], sets[j]) >= LIKE:
                    found.add((i, j))
    return sorted(found)


def has_near(texts: Sequence[str], others: Sequence[str]) -> list[bool]:
    """For each text whether one of the others is the same or nearly so: [B].

    >>> has_near(["Is it raining now?", "Why?"], ["is it raining now"])
    [True, False]
    """
    known = list(dict.fromkeys(others))
    wanted = list(dict.fromkeys(texts))
    sets = [runs(text) for text in (*known, *wanted)]
    near = set()
    for bucket in _buckets(sets):
        old = [i for i in bucket if i < len(known)]
        for j in bucket:
            if j >= len(known) and any(overlap(sets[i], sets[j]) >= LIKE for i in old):
                near.add(j)
    place = {text: len(known) + i for i, text in enumerate(wanted)}
    return [place[text] in near for text in texts]


def _buckets(sets: Sequence[frozenset[int]]) -> Iterable[list[int]]:
    """Places of texts that may be alike, in order; a text may be in several buckets."""
    draw = np.random.default_rng(0)
    a, b = draw.integers(1, _PRIME, (2, _BANDS * _ROWS, 1), dtype=np.int64)
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for place, runs in enumerate(sets):
        values = np.fromiter(runs, dtype=np.int64) % _PRIME
        least = ((a * values + b) % _PRIME).min(axis=1)
        for band, rows in enumerate(least.reshape(_BANDS, _ROWS)):
            buckets[band, rows.tobytes()].append(place)
    return (bucket for bucket in buckets.values() if len(bucket) > 1)
