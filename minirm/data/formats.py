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

from minirm.data.files import Row
from minirm.data.messages import (
    as_text,
    common_turns,
    is_transcript,
    same_turn,
    shown,
    transcript,
)
from minirm.pairs import Message, PreferencePair, Text

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
SHAREGPT = "ShareGPT conversations"
TRANSCRIPTS = "HH transcripts"
LISTS = "lists of chosen and rejected answers, every one of these with every one of those"
RANKINGS = "rankings, every two answers that differ in them"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one row was read as.

    Attributes:
        format: in words, such as "HH transcripts".
        pairs: one, or several where a row holds more than two answers.
        ties: couples of answers of a ranking that make no pair: ranked alike, or the same text.
    """

    format: str
    pairs: list[PreferencePair]
    ties: int = 0


def read_row(
    row: Row, columns: Mapping[str, str] | None = None, *, origin: str | None = None
) -> Reading:
    """The preference pairs of one row.

    Args:
        row: its columns. ``prompt``, ``chosen`` and ``rejected``, each a string or a conversation
            (whole conversations need no prompt), or lists of answers; or ``prompt``, ``responses``
            and their ``scores`` (higher is better) or ``ranks`` (lower is). ``tools``, a list or
            the JSON of one, goes with them; so does a ``system`` turn with ShareGPT's.
        columns: of the names in ``FIELDS``, those that are called otherwise. ``margin``, and
            ``system`` in other formats than ShareGPT's, are used only where named here.
        origin: where the row comes from; its pairs repeat it.

    Raises:
        TypeError, ValueError: a column is missing or empty, the two responses are the same, or
            it cannot be told what the prompt is.

    >>> answers = ["Four.", "4", "Five."]
    >>> reading = read_row({"prompt": "2 + 2? ", "responses": answers, "ranks": [1, 1, 2]})
    >>> [(pair.chosen, pair.rejected) for pair in reading.pairs], reading.ties
    ([('Four.', 'Five.'), ('4', 'Five.')], 1)
    """
    columns = checked_columns(columns)
    kind = _recognised(row, columns)
    prompt, ties = _cell(row, "prompt", columns), 0
    if kind == RANKINGS:
        couples, ties = _ranked(row, columns)
    elif kind == LISTS:
        couples = list(product(*(_answers(_cell(row, field, columns)) for field in _SIDES)))
    else:
        couples = [tuple(_cell(row, field, columns) for field in _SIDES)]
    if kind == TRANSCRIPTS:
        prompt = transcript("prompt", prompt) if prompt else None
        couples = [tuple(transcript(f, v) for f, v in zip(_SIDES, couples[0], strict=True))]
    system = _cell(row, "system", columns) if kind == SHAREGPT or "system" in columns else None
    tools, margin = _tools(row, columns), _margin(row, columns)
    parts = [_parts(prompt, *couple, system=system) for couple in couples]
    pairs = [PreferencePair(*texts, tools, margin, origin) for texts in parts]
    return Reading(kind, pairs, ties)


def checked_columns(columns: Mapping[str, str] | None) -> Mapping[str, str]:
    """``columns``, or a ValueError that names a field which is none of ``FIELDS``."""
    if unknown := sorted(set(columns or {}) - set(FIELDS)):
        raise ValueError(f"columns are named for {', '.join(FIELDS)}; got {', '.join(unknown)}")
    return columns or {}


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
    if "responses" in columns:
        names = {"responses": columns["responses"]}
    for field, name in names.items():
        if name not in row:
            raise ValueError(
                f"no column {name!r}; it has {sorted(row)}. Expected are prompt, chosen and "
                "rejected, or prompt, responses and scores or ranks; see columns= (--columns)"
            )
        if row[name] is None:
            raise ValueError(f"the {field} is null")
    chosen, rejected = (row[name] for name in names.values())
    prompt = _cell(row, "prompt", columns)
    if _is_list_of_answers(chosen) or _is_list_of_answers(rejected):
        return LISTS
    if isinstance(chosen, str) and isinstance(rejected, str):
        dialogues = is_transcript(chosen) or is_transcript(rejected)
        return TRANSCRIPTS if dialogues and (not prompt or is_transcript(prompt)) else STRINGS
    for kind, told in ((SHAREGPT, _is_from_value), (PARTS, _is_in_parts)):
        if any(told(message) for text in (prompt, chosen, rejected) for message in _turns(text)):
            return kind
    return CONVERSATIONS


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


def _parts(prompt: Any, chosen: Any, rejected: Any, *, system: Any) -> tuple[Text, Text, Text]:
    """Prompt, chosen and rejected as the library has them."""
    chosen, rejected = as_text("chosen", chosen), as_text("rejected", rejected)
    if isinstance(chosen, str) != isinstance(rejected, str):
        raise TypeError("chosen and rejected must both be strings or both be conversations")
    if chosen == rejected:
        raise ValueError("chosen and rejected are the same, so no reward can tell them apart")
    if isinstance(chosen, str) and isinstance(prompt, str) and not system:
        return as_text("prompt", prompt), chosen, rejected
    if isinstance(chosen, str):
        if prompt is None or prompt == []:
            raise ValueError(
                "two strings need a prompt, and there is none: name its column "
                "(--columns prompt=...)"
            )
        chosen, rejected = ([{"role": "assistant", "content": t}] for t in (chosen, rejected))
    prompt, chosen, rejected = _from_conversations(prompt, chosen, rejected)
    return _with_system(prompt, system), chosen, rejected


def _from_conversations(
    prompt: Any, chosen: Sequence[Message], rejected: Sequence[Message]
) -> tuple[Sequence[Message], Sequence[Message], Sequence[Message]]:
    """Split off the turns in common; a prompt column must agree with them, or stand for them."""
    common = common_turns(chosen, rejected)
    chosen, rejected = chosen[len(common) :], rejected[len(common) :]
    for field, turns in (("chosen", chosen), ("rejected", rejected)):
        if turns[0]["role"] != "assistant":
            raise ValueError(
                f"{field} goes on with a turn of {turns[0]['role']!r} where the two conversations "
                "part; they must share every turn before an assistant's"
            )
    if not prompt:
        if not common:
            raise ValueError("there is no prompt: no column, and no turn that both begin with")
        return common, chosen, rejected
    return _agreed(as_text("prompt", prompt), common), chosen, rejected


def _agreed(given: Text, common: Sequence[Message]) -> Sequence[Message]:
    """The prompt's column and the turns in common, as one prompt."""
    if isinstance(given, str):
        if not common:
            return [{"role": "user", "content": given}]
        said = [str(turn.get("content")).strip() for turn in common if turn["role"] == "user"]
        if given.strip() not in said:
            raise ValueError(f"the prompt is {shown(given)}, the conversations begin with another")
        return common
    if not common:
        return given
    if len(given) <= len(common) and all(map(same_turn, given, common)):
        return common
    if given[-1]["role"] == "user" and common[0]["role"] == "assistant":
        return [*given, *common]
    raise ValueError("the prompt's turns and the turns that both conversations begin with differ")


def _with_system(prompt: Sequence[Message], system: Any) -> Sequence[Message]:
    if not system:
        return prompt
    if not isinstance(system, str):
        raise TypeError(f"the system must be a string, got {shown(system)}")
    turn = {"role": "system", "content": system}
    if prompt[0]["role"] != "system":
        return [turn, *prompt]
    if not same_turn(prompt[0], turn):
        raise ValueError("the system's column and the system's turn of the prompt differ")
    return prompt


def _tools(row: Row, columns: Mapping[str, str]) -> list[Any] | None:
    tools = given = _cell(row, "tools", columns)
    if isinstance(given, str) and given.strip():
        try:
            tools = json.loads(given)
        except ValueError as error:
            raise ValueError(f"the tools are not JSON: {error}") from error
    if not tools:
        return None
    if not isinstance(tools, list) or not all(isinstance(tool, Mapping) for tool in tools):
        raise TypeError(f"the tools must be a list of objects, or the JSON of one: {shown(given)}")
    return tools


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
