"""Answers rewritten without any model: what should matter little, and what gives a cue away.

Each rewrite is made of the text alone, so that it can be looked at and repeated; where an answer
offers nothing to rewrite (one sentence has no order) there is none. The first four leave an
answer's content as it is. Leaving cue words out, and swapping the openings of two answers, change
some of what is said: there a ranking may turn round for a good reason.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest

from minirm.baselines import plain
from minirm.data.inspection import cue_words
from minirm.encoding import Text
from minirm.pairs import PreferencePair

OPENING_WORDS = 3
COURTESY = "Sure! "
CUES, NAMED = 20, 8
"""So many words that speak for either side are left out; so many are named."""
_SENTENCE = re.compile(r".*?(?:[.!?。！？]+[\"')\]]*(?=\s|$)|\n+|$)\s*", re.DOTALL)
_BLANKS = re.compile(r"\s+")
Sides = tuple[Text | None, Text | None]


@dataclass(frozen=True)
class Rewrite:
    """One way to rewrite the answers of a pair.

    Attributes:
        name: in tables.
        says: what is done, in words.
        sides: the chosen and the rejected answer rewritten; None where it cannot be done.
        keeps: whether the content stays.
        together: whether the two sides exchange something, so that only both can be rewritten.
    """

    name: str
    says: str
    sides: Callable[[PreferencePair], Sides]
    keeps: bool = True
    together: bool = False


def rewrites(pairs: Sequence[PreferencePair], *, seed: int = 0) -> list[Rewrite]:
    """All rewrites; the cue words are those of the pairs.

    Args:
        pairs: from which the cue words are learnt.
        seed: of the order of sentences.
    """
    sides = cue_words(pairs, CUES).values()
    cues = [word for both in zip_longest(*sides) for word in both if word and word[0].isalnum()]
    named = ", ".join([*cues[:NAMED], *["..."] * (len(cues) > NAMED)]) or "there are none"
    return [
        Rewrite("courtesy", f'"{COURTESY.strip()}" put in front', _each(_courteous)),
        Rewrite("order", "sentences in another order", _each(partial(shuffled, seed=seed))),
        Rewrite("blanks", "line breaks become blanks, or a blank is doubled", _each(reblanked)),
        Rewrite("case", "all in small letters", _each(lowered)),
        Rewrite(
            "cue words",
            f"the set's cue words left out ({named})",
            _either(_each(partial(without_words, words=cues))),
            keeps=False,
        ),
        Rewrite(
            "openings",
            f"the two answers swap their first sentence, or where that is most of one, their first "
            f"{OPENING_WORDS} words",
            swapped_openings,
            keeps=False,
            together=True,
        ),
    ]


def _each(change: Callable[[str], str | None]) -> Callable[[PreferencePair], Sides]:
    def sides(pair: PreferencePair) -> Sides:
        return _changed(pair.chosen, change), _changed(pair.rejected, change)

    return sides


def _either(sides: Callable[[PreferencePair], Sides]) -> Callable[[PreferencePair], Sides]:
    """Where one side alone has something to rewrite, the other stays as it is."""

    def both(pair: PreferencePair) -> Sides:
        chosen, rejected = sides(pair)
        if chosen is None and rejected is None:
            return None, None
        return chosen or pair.chosen, rejected or pair.rejected

    return both


def _changed(text: Text, change: Callable[[str], str | None]) -> Text | None:
    """A string rewritten, or the last message of a conversation; None where nothing changes."""
    if isinstance(text, str):
        new = change(text)
        return None if new == text or not (new or "").strip() else new
    content = text[-1].get("content")
    if not isinstance(content, str):
        return None
    changed = _changed(content, change)
    return None if changed is None else [*text[:-1], {**text[-1], "content": changed}]


def sentences(text: str) -> list[str]:
    """A text cut after its sentences and lines; the pieces add up to the text.

    >>> sentences("It is 3.5. Really?  Yes")
    ['It is 3.5. ', 'Really?  ', 'Yes']
    """
    return [piece for piece in _SENTENCE.findall(text) if piece]


def shuffled(text: str, *, seed: int = 0) -> str | None:
    """The sentences in another order, never the same one; None of a single sentence.

    >>> shuffled("One. Two.")
    'Two. One.'
    """
    pieces = [piece.strip() for piece in sentences(text) if piece.strip()]
    if len(set(pieces)) < 2:
        return None
    order = list(pieces)
    draw = random.Random(f"{seed}:{text}")
    while order == pieces:
        draw.shuffle(order)
    return ("\n" if "\n" in text.strip() else " ").join(order)


def reblanked(text: str) -> str | None:
    """Line breaks as blanks; where there are none, the first blank is doubled.

    >>> reblanked("- a\\n- b"), reblanked("so it is"), reblanked("so")
    ('- a - b', 'so  it is', None)
    """
    if "\n" in text.strip():
        return _BLANKS.sub(" ", text.strip())
    return re.sub(r"(?<=\S) (?=\S)", "  ", text, count=1) if " " in text.strip() else None


def lowered(text: str) -> str:
    """In small letters.

    >>> lowered("It IS")
    'it is'
    """
    return text.lower()


def _courteous(text: str) -> str:
    return COURTESY + text


def without_words(text: str, *, words: Collection[str]) -> str | None:
    """Without some words, in whatever case; None where it has none of them.

    >>> without_words("Yes, it is.", words={"yes"})
    ', it is.'
    """
    if not words:
        return None
    some = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    new = re.sub(rf"(?i)\b(?:{some})\b ?", "", text)
    return None if new == text else new


def swapped_openings(pair: PreferencePair) -> Sides:
    """Each answer with the beginning of the other.

    >>> pair = PreferencePair("Q? ", "In my view it is so.", "As for me I doubt it.")
    >>> swapped_openings(pair)
    ('As for me it is so.', 'In my view I doubt it.')
    """
    texts = [side if isinstance(side, str) else plain(side[-1:]) for side in _both(pair)]
    one, other = _opening(texts[0]), _opening(texts[1])
    whole = [
        sum(map(len, cut)) > 0 and 2 * len(cut[0]) <= sum(map(len, cut)) for cut in (one, other)
    ]
    if not all(whole):
        one, other = (_opening_words(text) for text in texts)
    if not (one[1] and other[1]) or one[0] == other[0]:
        return None, None
    first = _changed(pair.chosen, lambda _: other[0] + one[1])
    second = _changed(pair.rejected, lambda _: one[0] + other[1])
    return (first, second) if first is not None and second is not None else (None, None)


def _both(pair: PreferencePair) -> tuple[Text, Text]:
    return pair.chosen, pair.rejected


def _opening(text: str) -> tuple[str, str]:
    first = sentences(text)[0] if text else ""
    return first, text[len(first) :]


def _opening_words(text: str) -> tuple[str, str]:
    found = re.match(rf"\s*(?:\S+\s+){{{OPENING_WORDS}}}", text)
    end = found.end() if found else len(text)
    return text[:end], text[end:]
