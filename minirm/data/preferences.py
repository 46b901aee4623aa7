"""Your own comparisons. JSON lines, Parquet or a dataset from the hub, as preference pairs.

Nothing is guessed: what a row's prompt is must be said by a column, or by the turns that two
conversations begin with in common; two strings alone are refused. A row that cannot be used is
named, or (if asked) left out and counted.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal

from minirm.pairs import Message, PreferencePair, Text, placed

FIELDS = ("prompt", "chosen", "rejected")
FILES = (".jsonl", ".ndjson", ".json", ".parquet")
Row = Mapping[str, Any]


def load_preferences(
    source: str | Path,
    *,
    split: str = "train",
    config: str | None = None,
    columns: Mapping[str, str] | None = None,
    chat: bool = False,
    separator: str = "",
    bad_rows: Literal["error", "drop"] = "error",
    limit: int | None = None,
) -> tuple[list[PreferencePair], list[Row]]:
    """Preference pairs, and the rows that they come from (for a column to group by).

    Args:
        source: a file (JSON lines, a JSON list, Parquet), or the name of a dataset on the hub
            (needs the package ``datasets``). split: of a dataset on the hub. config: names one
            of several that it holds.
        columns: where "prompt", "chosen" and "rejected" are called otherwise, such as
            ``{"prompt": "question"}``.
        chat: strings become a user's and an assistant's turn, for a model with a chat template.
        separator: put between a string prompt and its responses, where the prompt does not end
            in it.
        bad_rows: "error", or "drop" to leave out and count rows that make no pair. limit: read
            at most so many rows.

    Raises:
        FileNotFoundError: no such file. ModuleNotFoundError: a package is missing.
        ValueError, TypeError: a row (named) that makes no pair, or no row that does.
    """
    if bad_rows not in ("error", "drop"):
        raise ValueError(f'bad_rows must be "error" or "drop", got {bad_rows!r}')
    names = _column_names(columns)
    pairs: list[PreferencePair] = []
    kept: list[Row] = []
    reasons: list[str] = []
    for number, row in enumerate(read_rows(source, split=split, config=config)):
        if limit is not None and number >= limit:
            break
        try:
            pairs.append(as_pair(row, names, chat=chat, separator=separator))
        except (TypeError, ValueError) as error:
            if bad_rows == "error":
                raise placed(error, f"{source}, row {number}") from error
            reasons.append(str(error))
            continue
        kept.append(row)
    if reasons:
        total = len(pairs) + len(reasons)
        print(
            f"{source}: left out {len(reasons)} of {total} rows; the first: {reasons[0]}",
            file=sys.stderr,
        )
    if not pairs:
        raise ValueError(f"{source} holds no preference pair")
    _warn_of_glued_strings(pairs, source)
    return pairs, kept


def read_rows(
    source: str | Path, *, split: str = "train", config: str | None = None
) -> Iterator[Row]:
    """The rows of a file, or of a split of a dataset on the hub, as mappings; same errors."""
    path = Path(source).expanduser()
    if path.suffix in FILES or path.is_file():
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {str(source)!r}")
        yield from _parquet(path) if path.suffix == ".parquet" else _json(path)
        return
    if path.is_dir() or str(source).startswith((".", "/", "~")) or str(source).count("/") > 1:
        raise FileNotFoundError(
            f"{str(source)!r} is no file; give one that ends in {', '.join(FILES)}, or the name "
            'of a dataset on the hub, written "owner/name"'
        )
    yield from _hub(str(source), split, config)


def json_lines(lines: Iterable[str], name: str) -> Iterator[Row]:
    """One mapping a line, blank lines passed over; ValueError names the line that is none."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{name}, line {number} is not JSON: {error}") from error
        if not isinstance(row, Mapping):
            raise ValueError(f"{name}, line {number} is no JSON object: {line.strip()[:80]}")
        yield row


def as_pair(
    row: Row,
    columns: Mapping[str, str] | None = None,
    *,
    chat: bool = False,
    separator: str = "",
) -> PreferencePair:
    """One row as a pair: strings, conversations, or whole conversations that hold the prompt.

    Raises:
        TypeError, ValueError: a column is missing or empty, the two responses are the same, or
            it cannot be told what the prompt is.
    """
    names = _column_names(columns)
    for field in ("chosen", "rejected"):
        if row.get(names[field]) is None:
            raise ValueError(f"no column {names[field]!r}; it has {sorted(row)}")
    prompt = row.get(names["prompt"])
    chosen, rejected = (_text(field, row[names[field]]) for field in ("chosen", "rejected"))
    if isinstance(chosen, str) != isinstance(rejected, str):
        raise TypeError("chosen and rejected must both be strings or both be conversations")
    if chosen == rejected:
        raise ValueError("chosen and rejected are the same, so no reward can tell them apart")
    if not isinstance(chosen, str):
        return _from_conversations(prompt, chosen, rejected)
    if not isinstance(prompt, str):
        given = "there is none" if prompt is None else f"it is {prompt!r}"
        raise ValueError(
            f"two strings need a prompt that is a string too, and {given} in column "
            f"{names['prompt']!r}: name its column (--columns prompt=...)"
        )
    if chat:
        turns = ([{"role": "assistant", "content": text}] for text in (chosen, rejected))
        return PreferencePair([{"role": "user", "content": prompt}], *turns)
    between = "" if prompt.endswith(separator) else separator
    return PreferencePair(prompt + between, chosen, rejected)


def _from_conversations(
    prompt: Any, chosen: list[Message], rejected: list[Message]
) -> PreferencePair:
    """Split off the turns in common; a prompt column must agree with them, or stand for them."""
    common = 0
    for a, b in zip(chosen[:-1], rejected[:-1], strict=False):
        if a != b:
            break
        common += 1
    shared, chosen, rejected = chosen[:common], chosen[common:], rejected[common:]
    for field, turns in (("chosen", chosen), ("rejected", rejected)):
        if turns[0]["role"] != "assistant":
            raise ValueError(
                f"{field} goes on with a turn of {turns[0]['role']!r} where the two conversations "
                "part; they must share every turn before an assistant's"
            )
    if prompt is None or prompt == "":
        if not shared:
            raise ValueError("there is no prompt: no column, and no turn that both begin with")
        return PreferencePair(shared, chosen, rejected)
    given = _text("prompt", prompt)
    if isinstance(given, str):
        if not shared:
            return PreferencePair([{"role": "user", "content": given}], chosen, rejected)
        said = [turn["content"].strip() for turn in shared if turn["role"] == "user"]
        if given.strip() not in said:
            raise ValueError(f"the prompt is {given[:80]!r}, the conversations begin with another")
        return PreferencePair(shared, chosen, rejected)
    if not shared:
        return PreferencePair(given, chosen, rejected)
    if shared[: len(given)] == given:
        return PreferencePair(shared, chosen, rejected)
    if given[-1]["role"] == "user" and shared[0]["role"] == "assistant":
        return PreferencePair(given + shared, chosen, rejected)
    raise ValueError("the prompt's turns and the turns that both conversations begin with differ")


def _text(field: str, value: Any) -> Text:
    if isinstance(value, str):
        if field != "prompt" and not value:
            raise ValueError(f"the {field} is empty")
        return value
    if not isinstance(value, Sequence) or not value:
        raise TypeError(f"the {field} must be a string or a list of messages, got {value!r}")
    turns = []
    for message in value:
        if not isinstance(message, Mapping) or not {"role", "content"} <= message.keys():
            raise TypeError(f"the {field} holds {message!r}; a message has a role and a content")
        turns.append({"role": message["role"], "content": message["content"]})
    return turns


def _column_names(columns: Mapping[str, str] | None) -> dict[str, str]:
    unknown = sorted(set(columns or {}) - set(FIELDS))
    if unknown:
        raise ValueError(f"columns are named for {', '.join(FIELDS)}; got {', '.join(unknown)}")
    return {field: (columns or {}).get(field, field) for field in FIELDS}


def _warn_of_glued_strings(pairs: Sequence[PreferencePair], source: Any) -> None:
    """A prompt runs straight into its response unless something stands between: say so once."""
    glued = Counter(
        isinstance(p.prompt, str) and p.prompt[-1:].strip() != "" and p.chosen[:1].strip() != ""
        for p in pairs
    )
    if glued[True] > len(pairs) / 2:
        print(
            f"{source}: most prompts run straight into their responses, as in "
            f"{pairs[0].prompt[-15:] + pairs[0].chosen[:15]!r}; see separator= or chat= "
            "(--separator, --chat)",
            file=sys.stderr,
        )


def _json(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as file:
        if path.suffix == ".json" and _is_list(file):
            try:
                yield from json.load(file)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path} is not JSON: {error}") from error
            return
        yield from json_lines(file, str(path))


def _is_list(file: IO[str]) -> bool:
    start = file.read(100).lstrip()
    file.seek(0)
    return start.startswith("[")


def _parquet(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"reading {path} needs the package pyarrow: pip install minirm[hub]"
        ) from error
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches():
            yield from batch.to_pylist()


def _hub(name: str, split: str, config: str | None) -> Iterator[Row]:
    try:
        from datasets import load_dataset
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{name!r} is no file, and a dataset from the hub needs the package datasets: "
            "pip install minirm[hub]"
        ) from error
    yield from load_dataset(name, config, split=split)
