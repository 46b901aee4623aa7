"""One row as preference pairs: what it is, is told by its columns and what stands in them.

Nothing is guessed: what a row's prompt is must be said by a column, or by the turns that two
conversations begin with in common; two strings alone are refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

from minirm.data.benchmarks import as_pair, said_to_be
from minirm.data.files import Row
from minirm.data.messages import (
    as_text,
    is_transcript,
    out_of_json,
    shown,
    three_parts,
    transcript,
)
from minirm.pairs import PreferencePair

FIELDS = (
    "prompt",
    "chosen",
    "rejected",
    "responses",
    "scores",
    "ranks",
    "tools",
    "system",
    "margin",
)
"""What ``columns`` may give other names to."""

# Columns that are looked for too where none was named.
ALSO = {"prompt": "conversations", "responses": "completions", "scores": "ratings"}

STRINGS = "strings"
CONVERSATIONS = "conversations"
PARTS = "conversations in content parts"
WRITTEN = "conversations written as JSON in strings"
SHAREGPT = "ShareGPT conversations"
TRANSCRIPTS = "HH transcripts"
LISTS = "lists of answers, every chosen one with every rejected one"
RANKINGS = "rankings, every two answers that are not ranked alike"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one row was read as.

    Attributes:
        format: in words, such as "HH transcripts", or a benchmark's name.
        pairs: one, or several where a row holds more than two answers.
        ties: couples of answers of a ranking that make no pair: ranked alike, or the same text.
    """

    format: str
    pairs: list[PreferencePair]
    ties: int = 0


def read_row(
    row: Row,
    columns: Mapping[str, str] | None = None,
    *,
    origin: str | None = None,
    format: str | None = None,
) -> Reading:
    """The preference pairs of one row.

    Args:
        row: its columns. ``prompt``, ``chosen`` and ``rejected``, each a string or a conversation
            (whole conversations need no prompt), or lists of answers; or ``prompt``, ``responses``
            and their ``scores`` (higher is better) or ``ranks`` (lower is). ``tools``, a list or
            the JSON of one, goes with them; so does a ``system`` turn with ShareGPT's. Or the
            columns of a public benchmark (``minirm.data.benchmarks.benchmark``).
        columns: of the names in ``FIELDS``, those that are called otherwise. ``margin``, and
            ``system`` in other formats than ShareGPT's, are used only where named here.
        origin: where the row comes from; its pairs repeat it.
        format: "plain", to look for no benchmark, or the one that the row is
            (``minirm.data.benchmarks.FORMATS``); None: as its columns say.

    Raises:
        TypeError, ValueError: a column is missing or empty, the two responses are the same, or
            it cannot be told what the prompt is, or it is not of that format.

    >>> answers = ["Four.", "4", "Five."]
    >>> reading = read_row({"prompt": "2 + 2? ", "responses": answers, "ranks": [1, 1, 2]})
    >>> [(pair.chosen, pair.rejected) for pair in reading.pairs], reading.ties
    ([('Four.', 'Five.'), ('4', 'Five.')], 1)
    """
    columns = checked_columns(columns)
    # Whoever names the columns of the texts says what the row is.
    named = format is None and {"prompt", "responses", *_SIDES} & columns.keys()
    name = None if named else said_to_be(format, row)
    row = as_pair(name, row) if name else row
    kind = _recognised(row, columns)
    prompt, ties = _cell(row, "prompt", columns), 0
    if kind == RANKINGS:
        couples, ties = _ranked(row, columns)
    elif kind == LISTS:
        couples = list(product(*(_answers(_cell(row, field, columns)) for field in _SIDES)))
    else:
        couples = [tuple(_cell(row, field, columns) for field in _SIDES)]
    if kind == WRITTEN:
        prompt = out_of_json("prompt", prompt)
        couples = [tuple(map(out_of_json, _SIDES, couples[0]))]
    if kind == TRANSCRIPTS:
        prompt = transcript("prompt", prompt) if prompt else None
        couples = [tuple(map(transcript, _SIDES, couples[0]))]
    system = _cell(row, "system", columns) if kind == SHAREGPT or "system" in columns else None
    tools, margin = as_tools(_cell(row, "tools", columns)), _margin(row, columns)
    texts = [three_parts(prompt, *couple, system=system) for couple in couples]
    pairs = [PreferencePair(*three, tools, margin, origin) for three in texts]
    return Reading(name or kind, pairs, ties)


def checked_columns(columns: Mapping[str, str] | None) -> Mapping[str, str]:
    """``columns``, or a ValueError that names a field which is none of ``FIELDS``."""
    if unknown := sorted(set(columns or {}) - set(FIELDS)):
        raise ValueError(f"columns are named for {', '.join(FIELDS)}; got {', '.join(unknown)}")
    return columns or {}


def as_tools(given: Any) -> list[Any] | None:
    """A list of tools for a chat template, or the JSON of one; None where there is none.

    Raises:
        TypeError, ValueError: it is something else.

    >>> as_tools('[{"name": "add"}]'), as_tools("[]")
    ([{'name': 'add'}], None)
    """
    tools = given
    if isinstance(given, str) and given.strip():
        try:
            tools = json.loads(given)
        except ValueError as error:
            raise ValueError(f"the tools are not JSON: {error}") from error
    if not tools or (isinstance(tools, str) and not tools.strip()):
        return None
    if not isinstance(tools, list) or not all(isinstance(tool, Mapping) for tool in tools):
        raise TypeError(f"the tools must be a list of objects, or the JSON of one: {shown(given)}")
    return tools


_SIDES = ("chosen", "rejected")


def _cell(row: Row, field: str, columns: Mapping[str, str]) -> Any:
    """What stands in the column for ``field``; None where there is none."""
    if field in columns:
        return row.get(columns[field])
    value = row.get(field)
    return row.get(ALSO[field]) if value is None and field in ALSO else value


def _recognised(row: Row, columns: Mapping[str, str]) -> str:
    names = {field: columns.get(field, field) for field in _SIDES}
    several = "responses" in columns or not (set(names.values()) & row.keys())
    if several and _cell(row, "responses", columns) is not None:
        return RANKINGS
    _check_columns(row, {"responses": columns["responses"]} if "responses" in columns else names)
    chosen, rejected = (row[name] for name in names.values())
    prompt = _cell(row, "prompt", columns)
    if _is_list_of_answers(chosen) or _is_list_of_answers(rejected):
        return LISTS
    if isinstance(chosen, str) and isinstance(rejected, str):
        return _recognised_strings(prompt, chosen, rejected)
    for kind, told in ((SHAREGPT, _is_from_value), (PARTS, _is_in_parts)):
        if any(told(message) for text in (prompt, chosen, rejected) for message in _turns(text)):
            return kind
    return CONVERSATIONS


def _check_columns(row: Row, names: Mapping[str, str]) -> None:
    for field, name in names.items():
        if name not in row:
            raise ValueError(
                f"no column {name!r}; it has {sorted(row)}. Expected are prompt, chosen and "
                "rejected, or prompt, responses and scores or ranks, or the columns of a public "
                "benchmark; see columns= (--columns)"
            )
        if row[name] is None:
            raise ValueError(f"the {field} is null")


def _recognised_strings(prompt: Any, chosen: str, rejected: str) -> str:
    sides = {"chosen": chosen, "rejected": rejected}
    if all(side.lstrip().startswith("[") for side in sides.values()) and not any(
        isinstance(out_of_json(field, side), str) for field, side in sides.items()
    ):
        return WRITTEN
    dialogues = is_transcript(chosen) or is_transcript(rejected)
    # With a prompt of its own, "Human: ..." may be an answer like any other.
    return TRANSCRIPTS if dialogues and (not prompt or is_transcript(prompt)) else STRINGS


def _is_list_of_answers(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str | list) for v in value)


def _turns(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _is_from_value(message: Any) -> bool:
    return isinstance(message, Mapping) and "role" not in message and "from" in message


def _is_in_parts(message: Any) -> bool:
    return isinstance(message, Mapping) and isinstance(message.get("content"), list)


def _answers(value: Any) -> list[Any]:
    return value if _is_list_of_answers(value) else [value]


def _ranked(row: Row, columns: Mapping[str, str]) -> tuple[list[tuple[Any, ...]], int]:
    """Couples (better, worse) of a ranking, and how many make no pair."""
    given = {f: v for f in ("scores", "ranks") if (v := _cell(row, f, columns)) is not None}
    named = [field for field in given if field in columns]
    if len(named or given) != 1:
        raise ValueError(f"responses need scores or ranks, one of the two; it has {sorted(row)}")
    (field,) = named or given
    responses, values = _cell(row, "responses", columns), given[field]
    for name, value in (("responses", responses), (field, values)):
        if not isinstance(value, list):
            raise TypeError(f"the {name} must be a list, got {shown(value)}")
    if len(responses) != len(values):
        raise ValueError(f"there are {len(responses)} responses and {len(values)} {field}")
    if len(responses) < 2:
        raise ValueError(f"a ranking needs two responses, got {shown(responses)}")
    numbers = [_number(field, value) * (-1 if field == "ranks" else 1) for value in values]
    ranked = list(zip((as_text("response", r) for r in responses), numbers, strict=True))
    couples = [(a, b) for (a, x), (b, y) in permutations(ranked, 2) if x > y and a != b]
    return couples, math.comb(len(ranked), 2) - len(couples)


def _margin(row: Row, columns: Mapping[str, str]) -> float:
    return _number("margin", _cell(row, "margin", columns)) if "margin" in columns else 0.0


def _number(field: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"the {field} must be a finite number, got {shown(value)}")
    return number
