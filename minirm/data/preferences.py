"""Preference pairs out of your own comparisons: JSON lines, CSV, Parquet, a dataset on the hub.

A row that cannot be used is named by its line in the file, or (if asked) left out and counted.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from minirm.data.benchmarks import check_format
from minirm.data.files import Row, read_rows
from minirm.data.formats import CONVERSATIONS, SHAREGPT, STRINGS, checked_columns, read_row
from minirm.pairs import PreferencePair, placed
from minirm.plurals import counted

SHOWN = 10
"""So many of the rows left out are named in one line."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read, and what became of the rest.

    Attributes:
        source: the file or the dataset.
        pairs: the comparisons; each knows its ``origin``.
        rows: the row that each pair comes from, in the same order (a ranking's row several times).
        formats: how many rows were read as what, such as ``{"HH transcripts": 160800}``.
        dropped: the rows left out, by their place in the source, each with the reason.
        ties: couples of answers of a ranking that make no pair: ranked alike, or the same text.
        unused: columns that tell something about a comparison and were not read, with the remedy.
    """

    source: str
    pairs: list[PreferencePair]
    rows: list[Row]
    formats: Mapping[str, int]
    dropped: Mapping[str, str]
    ties: int = 0
    unused: Sequence[str] = ()

    def notes(self) -> list[str]:
        """What whoever reads the data should know, a line each; none where all is as expected.

        >>> Loaded("a.jsonl", [], [], {"strings": 1}, {"a.jsonl, line 2": "it is empty"}).notes()
        ['a.jsonl: left out 1 of 2 rows: line 2; the first: it is empty']
        """
        lines = [self._read_as()] if set(self.formats) - {STRINGS, CONVERSATIONS} else []
        if self.ties:
            couples = counted(self.ties, "couple")
            lines.append(f"left out {couples} of answers that are ranked or worded alike")
        if self.dropped:
            lines.append(self._left_out())
        return [f"{self.source}: {line}" for line in [*lines, *self.unused]]

    def _read_as(self) -> str:
        alone = len(self.formats) == 1
        kinds = [
            kind if alone else f"{kind} ({counted(n, 'row')})" for kind, n in self.formats.items()
        ]
        return "read as " + "; ".join(kinds)

    def _left_out(self) -> str:
        places = [place.removeprefix(f"{self.source}, ") for place in self.dropped]
        more = ", ..." if len(places) > SHOWN else ""
        rows = counted(len(places) + sum(self.formats.values()), "row")
        return (
            f"left out {len(places)} of {rows}: "
            f"{', '.join(places[:SHOWN])}{more}; the first: {next(iter(self.dropped.values()))}"
        )


def load_preferences(
    source: str | Path,
    *,
    split: str = "train",
    config: str | None = None,
    columns: Mapping[str, str] | None = None,
    format: str | None = None,
    bad_rows: Literal["error", "drop"] = "error",
    limit: int | None = None,
) -> Loaded:
    """Preference pairs out of a file or a dataset on the hub, and the rows that they come from.

    What is noteworthy (``Loaded.notes``) is said on standard error. The formats are those of
    ``minirm.data.formats.read_row``.

    Args:
        source: a file (.jsonl, .ndjson, .json, .csv, .tsv, .parquet, each also .gz), or the name
            of a dataset on the hub (needs the package ``datasets``).
        split: of a dataset on the hub.
        config: which part of a dataset on the hub that has several.
        columns: what the columns are called where it is not as usual, such as
            ``{"prompt": "question"}``; ``{"margin": COLUMN}`` has a margin used.
        format: what the rows are, where their columns say something else: "plain" (no benchmark)
            or a benchmark (``minirm.data.benchmarks.FORMATS``).
        bad_rows: "error", or "drop" to leave out and count rows that make no pair.
        limit: read at most so many rows.

    Raises:
        FileNotFoundError: no such file, or no such dataset.
        ModuleNotFoundError: a package is missing.
        ValueError, TypeError: a row (named) that makes no pair, no row that does, or a name in
            ``columns`` that no row has.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "pairs.csv"
    ...     _ = file.write_text("prompt,chosen,rejected\\n2 + 2? ,4,5\\n")
    ...     pair = load_preferences(file).pairs[0]
    >>> pair.prompt, pair.chosen, pair.rejected
    ('2 + 2? ', '4', '5')
    """
    if bad_rows not in ("error", "drop"):
        raise ValueError(f'bad_rows must be "error" or "drop", got {bad_rows!r}')
    check_format(format)
    columns = checked_columns(columns)
    pairs: list[PreferencePair] = []
    rows: list[Row] = []
    formats: Counter[str] = Counter()
    dropped: dict[str, str] = {}
    seen: set[str] = set()
    ties = 0
    for place, row in islice(read_rows(source, split=split, config=config), limit):
        try:
            if isinstance(row, ValueError):
                raise row
            seen |= row.keys()
            reading = read_row(row, columns, origin=place, format=format)
        except (TypeError, ValueError) as error:
            if bad_rows == "error":
                raise placed(error, place) from error
            dropped[place] = str(error)
            continue
        pairs += reading.pairs
        rows += [row] * len(reading.pairs)
        formats[reading.format] += 1
        ties += reading.ties
    unused = _unused(seen, columns, formats)
    loaded = Loaded(str(source), pairs, rows, formats, dropped, ties, unused)
    if os.environ.get("RANK", "0") == "0":  # of processes that all read the same, one speaks
        for note in loaded.notes():
            print(note, file=sys.stderr)
    if not pairs:
        raise ValueError(f"{source} holds no preference pair")
    if missing := sorted(set(columns.values()) - seen):
        raise ValueError(f"{source}: no row has a column {missing[0]!r}; there are {sorted(seen)}")
    return loaded


def _unused(seen: set[str], columns: Mapping[str, str], formats: Mapping[str, int]) -> list[str]:
    """A line for each column that would change what is learnt, is there, and was not asked for."""
    known = seen - set(columns.values())
    told = []
    if "margin" in known and "margin" not in columns:
        told.append("margin")
    if "system" in known and "system" not in columns and set(formats) - {SHAREGPT}:
        told.append("system")
    return [
        f"the column {name!r} is not used; to use it, name it (columns= or --columns {name}={name})"
        for name in told
    ]


def glued_strings(
    pairs: Sequence[PreferencePair], *, separator: str = "", chat: bool = False
) -> str | None:
    """A line that warns where most string prompts run straight into their responses, or None.

    Args:
        pairs: the comparisons.
        separator: what the model puts between a string prompt and its response.
        chat: whether the model reads strings as turns.

    >>> glued_strings([PreferencePair("Why?", "Because.", "No.")])
    "most prompts run straight into their responses, as in 'Why?Because.'; see separator and chat \
(--separator, --chat)"
    """
    if chat or separator:
        return None
    glued = [
        (pair.prompt[-15:], pair.chosen[:15])
        for pair in pairs
        if isinstance(pair.prompt, str) and isinstance(pair.chosen, str)
        if pair.prompt[-1:].strip() and pair.chosen[:1].strip()
    ]
    if len(glued) <= len(pairs) / 2:
        return None
    return (
        f"most prompts run straight into their responses, as in {''.join(glued[0])!r}; see "
        "separator and chat (--separator, --chat)"
    )
