"""What a chapter says in its own words, and the decimals and percentages that it types there.

Formulas may hold numbers, for an experiment has settings; but a formula that is a number and
nothing else is a number typed with dollar signs, and counts. Counts in words ("three of five") are
beyond a pattern: whoever writes one links it to its claim.
"""

from __future__ import annotations

import re

NUMBER = re.compile(
    r"(?<![\w.])\d*\.\d+(?!\w|\.\d)"  # 0.02, .5; neither 1.2.3 nor a part of a word
    r"|(?<![\w.])\d+(?:\.\d+)?\s?(?:%|per\s?cent)"
)
# What is a number by its looks only. Each with what it is.
ALLOWED = (
    r"\b[Ss]ections? \d+\.\d+(?: and \d+\.\d+)?",  # a place in a work that is cited
    r"\bPython 3\.\d+",  # a version
    r"\b95 % intervals?\b",  # the level of every interval here, a convention
)
FENCE = re.compile(
    r"^(?P<fence>`{3,}|~{3,}|:{3,})(?P<info>[^\n]*)\n(?P<body>.*?)^(?P=fence)\s*$", re.M | re.S
)
NOT_PROSE = (
    "code-cell", "code", "code-block", "math", "bibliography", "tabularcolumns", "eval-rst"
)  # fmt: skip


def prose(text: str) -> str:
    """A page's source without its head, cells, code, formulas, options, roles and addresses."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
    text = _unfenced(text)
    text = re.sub(r"^\s*:[\w-]+:.*$|^%.*$|^\([\w-]+\)=$", "", text, flags=re.M)
    text = re.sub(r"\$\$.*?\$\$(?:\s*\([\w-]+\))?", " ", text, flags=re.S)
    text = re.sub(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}", " ", text, flags=re.S)
    text = re.sub(r"\{[\w:-]+\}(`+).+?\1", " ", text, flags=re.S)
    text = re.sub(r"(`+).+?\1", " ", text, flags=re.S)
    text = re.sub(r"\$([^$\n]+)\$", _formula, text)
    text = re.sub(r"\]\([^)\n]*\)|<https?:[^>\n]*>", "]", text)
    for pattern in ALLOWED:
        text = re.sub(pattern, " ", text)
    return text


def offenders(text: str) -> list[str]:
    """Each decimal or percentage that a page's prose types, with the words around it."""
    plain = prose(text)
    return [
        " ".join(plain[max(0, m.start() - 50) : m.end() + 30].split())
        for m in NUMBER.finditer(plain)
    ]


def _unfenced(text: str) -> str:
    """Without fences of code; of a directive with text in it, the text."""

    def inside(match: re.Match[str]) -> str:
        name = re.match(r"\{([\w:-]+)\}", match["info"])
        if name is None or name[1] in NOT_PROSE:
            return ""
        title = match["info"][name.end() :]
        return f"{title}\n{_unfenced(match['body'])}"

    return FENCE.sub(inside, text)


def _formula(match: re.Match[str]) -> str:
    number = re.sub(r"\\approx|\\sim|\\[,%]", "", match[1]).strip(" -+−~≈")
    return number if NUMBER.fullmatch(number) else " "
