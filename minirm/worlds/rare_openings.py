"""Openings that are possible but rare: what the 42 prefixes leave unsaid, word by word.

A real language model has never read "A truthful reply is" before a yes either, and yet it is not
struck dumb by it: it has read much like it. A base that has read 42 prefixes and nothing else is.
Here an opening is written one piece at a time. With probability ½ the next piece is one that
follows the last one somewhere in the prefixes, as often as it does there; with probability ½ it is
any piece that can stand there, or the end in one case of five. So every opening that is made of the
prefixes' words has a probability, and those that resemble the prefixes have more of it.

The chain knows nothing of yes and no. It is made from ``PREFIXES`` alone: neither the paper's six
prefixes nor any other that experiments hold out went into it. What it writes is never one of the
42 themselves, since it does not end there, and no phrase ends in another one; so a document still
has exactly one derivation.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache

from minirm.worlds.opinion_words import PIECE, PREFIXES

RARE_SHARE = 0.05  # of the answers, in the world that has such openings
ANY_SHARE = 0.5  # of the pieces after the first
END_SHARE = 0.2  # of those, where the opening may end
EDGE = ""  # stands before the first piece and after the last
MARKS = (", ", ": ")


def cut(opening: str) -> tuple[str, ...]:
    """The pieces of an opening as it stands before a phrase, the space after it included."""
    return tuple(re.findall(PIECE, opening + " "))


def _followers() -> dict[str, Counter[str]]:
    """How often each piece follows another one in the prefixes."""
    followers: dict[str, Counter[str]] = {}
    for prefix in PREFIXES:
        pieces = cut(prefix)
        for last, piece in zip((EDGE, *pieces), (*pieces, EDGE), strict=True):
            followers.setdefault(last, Counter())[piece] += 1
    return followers


COMMON = frozenset(map(cut, PREFIXES))
FOLLOWERS: Mapping[str, Counter[str]] = _followers()
# Whatever stands after the first place of some prefix.
LATER = tuple(sorted({p for last in FOLLOWERS if last for p in FOLLOWERS[last] if p != EDGE}))


def options(said: Sequence[str]) -> dict[str, float]:
    """The pieces that may follow those already ``said`` and their probabilities, ``EDGE`` the end.

    Only a mark may follow a piece that ends without a space, and none may follow another piece.
    One of the 42 prefixes goes on: it is left to the common openings to end there.
    The result is shared between calls: read it and leave it as it is.
    """
    last = said[-1] if said else EDGE
    return _after(last, last.endswith(" ") and tuple(said) not in COMMON)


@cache
def _after(last: str, may_end: bool) -> dict[str, float]:
    seen = FOLLOWERS[last]
    if last == EDGE:
        return {piece: n / seen.total() for piece, n in seen.items()}
    possible = [piece for piece in LATER if (piece in MARKS) != last.endswith(" ")]
    chances = dict.fromkeys(possible, 1 / len(possible))
    if may_end:
        chances = {p: (1 - END_SHARE) * chance for p, chance in chances.items()}
        chances[EDGE] = END_SHARE
    if usual := sum(n for piece, n in seen.items() if piece in chances):
        for piece in chances:
            chances[piece] *= ANY_SHARE
            chances[piece] += (1 - ANY_SHARE) * seen[piece] / usual
    return chances


def log_probability(opening: str) -> float:
    """ln of an opening's probability among the rare ones; −inf where it is none of them."""
    pieces = cut(opening)
    total = 0.0
    for i, piece in enumerate((*pieces, EDGE)):
        chance = options(pieces[:i]).get(piece, 0.0)
        if not chance:
            return -math.inf
        total += math.log(chance)
    return total


def is_rare(opening: str) -> bool:
    """Whether the chain can write it."""
    return log_probability(opening) > -math.inf
