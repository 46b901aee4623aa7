"""Which language a text is in, roughly: by its script, and for Latin letters by small words.

Enough to see that a set mixes languages, or that the chosen answers are in another language than
the rejected ones. It is no language detector: what has too few small words, or as many of two
languages, is "unknown", and a language outside the lists is taken for the nearest one or for none.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

SMALL_WORDS = {
    "English": "the of and to a in is that it for with are this you be as not on have",
    "French": "de la le et les des en un une est à que pour dans qui sur pas vous avec du au ce",
    "Spanish": "de la que el en y a los se del las un por con no una su para es al lo como más",
    "German": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine es",
    "Italian": "di e il la che in a per un è del non una sono con della le gli si come più anche",
    "Portuguese": "de a o que e do da em um para é com não uma os no se na por mais as dos como",
    "Dutch": "de en van het een in is dat op te zijn met voor niet die er aan ook als om bij",
}
_LISTS = {language: frozenset(text.split()) for language, text in SMALL_WORDS.items()}
_SCRIPTS = {
    "CJK": "Chinese",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
    "CYRILLIC": "Cyrillic",
    "ARABIC": "Arabic script",
    "HEBREW": "Hebrew",
    "GREEK": "Greek",
    "DEVANAGARI": "Devanagari",
    "THAI": "Thai",
}
LEAST = 0.08
"""Of the words so many must be small words of a language."""


def language(text: str) -> str:
    """The language of a text, or its script, or "unknown".

    >>> language("The answer is that it is not in the list."), language("La réponse est dans la ..")
    ('English', 'French')
    >>> language("答えはありません"), language("x = 3"), language("Ответ")
    ('Japanese', 'unknown', 'Cyrillic')
    """
    letters = [c for c in text[:2000] if c.isalpha()]
    scripts = Counter(_script(c) for c in letters)
    latin = scripts.pop("Latin", 0)
    if scripts and sum(scripts.values()) > latin / 2:
        return "Japanese" if scripts["Japanese"] else scripts.most_common(1)[0][0]
    found = re.findall(r"[^\W\d_]+", text[:2000].lower())
    if not found:
        return "unknown"
    counts = {name: sum(word in small for word in found) for name, small in _LISTS.items()}
    best, second = sorted(counts, key=lambda name: -counts[name])[:2]
    enough = counts[best] >= max(2, LEAST * len(found)) and counts[best] > counts[second]
    return best if enough else "unknown"


def _script(letter: str) -> str:
    name = unicodedata.name(letter, "").partition(" ")[0]
    return "Latin" if name == "LATIN" else _SCRIPTS.get(name, "other")


def mix(texts: Iterable[str]) -> dict[str, int]:
    """How many texts are in which language, the most frequent first.

    >>> mix(["This is the one.", "It is not the one.", "C'est la vie dans les nuages."])
    {'English': 2, 'French': 1}
    """
    return dict(Counter(map(language, texts)).most_common())
