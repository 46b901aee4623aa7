"""Rows out of a file or a dataset on the hub, each with the place it came from.

What a row means is no business of this module. A row that cannot be read is handed on as the
error that says so, in its place, so that whoever counts rows can leave it out and go on.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

from minirm.pairs import placed

SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet", ".csv", ".tsv")
Row = Mapping[str, Any]
Found = tuple[str, Row | ValueError]
"""A place such as "pairs.jsonl, line 3", and the row there (or why it is none)."""


def short_names(sources: Iterable[str]) -> dict[str, str]:
    """For each source the shortest end of its path that tells it from the others.

    >>> list(short_names(["en/test.jsonl", "fr/test.jsonl", "fr/train.jsonl"]).values())
    ['en/test.jsonl', 'fr/test.jsonl', 'train.jsonl']
    """
    parts = {source: Path(source).parts for source in sources}
    found = {}
    for source, own in parts.items():
        others = [other for other in parts.values() if other != own]
        size = 1
        while size < len(own) and any(other[-size:] == own[-size:] for other in others):
            size += 1
        found[source] = str(Path(*own[-size:]))
    return found


def read_rows(
    source: str | Path, *, split: str = "train", config: str | None = None
) -> Iterator[Found]:
    """The rows of a file, or of a split of a dataset on the hub, each after its place.

    A file of lines (JSON lines, CSV, TSV) has its lines counted as an editor counts them, from 1
    and with the blank ones; a CSV's row is where its first line is. The rows of a JSON list, of
    Parquet and of a dataset on the hub are counted from 1.

    Args:
        source: a file that ends in one of ``SUFFIXES``, with or without ``.gz`` (another ending
            is read as JSON lines), or the name of a dataset on the hub, "owner/name".
        split: of a dataset on the hub.
        config: which part of a dataset on the hub that has several.

    Raises:
        FileNotFoundError: no such file, or no such dataset.
        ModuleNotFoundError: Parquet without pyarrow, the hub without datasets.
        ValueError: what is there cannot be read at all.
    """
    name, path = str(source), Path(source).expanduser()
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix in SUFFIXES or (path.exists() and not path.is_dir()):
        if not path.exists() or path.is_dir():
            raise FileNotFoundError(f"there is no file {name!r}")
        return _file_rows(path, suffix, name)
    if path.is_dir() or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise FileNotFoundError(
            f"{name!r} is no file; give one that ends in {', '.join(SUFFIXES)} (or these and "
            '.gz), or the name of a dataset on the hub, written "owner/name"'
        )
    return _hub_rows(name, split, config)


def json_lines(lines: Iterable[bytes | str], name: str) -> Iterator[Row]:
    """One mapping a line, blank lines passed over.

    Args:
        lines: of a file opened for bytes (only "\\n" ends a line, and what is not UTF-8 is named
            by its line), or of text.
        name: what errors call the file.

    Raises:
        ValueError: naming the first line that is no JSON object.

    >>> list(json_lines(['{"a": 1}', "", '{"a": 2}'], "numbers.jsonl"))
    [{'a': 1}, {'a': 2}]
    """
    for place, row in numbered_json_lines(lines, name):
        if isinstance(row, ValueError):
            raise placed(row, place) from row
        yield row


def numbered_json_lines(lines: Iterable[bytes | str], name: str) -> Iterator[Found]:
    """As ``json_lines``, each row after its place, and an error in place of a row that is none.

    >>> [place for place, _ in numbered_json_lines(["", '{"a": 1}', "{"], "n.jsonl")]
    ['n.jsonl, line 2', 'n.jsonl, line 3']
    """
    for number, line in enumerate(lines, 1):
        place = f"{name}, line {number}"
        if number == 1:
            line = _without_mark(line, name)
        if line.strip():
            yield place, _parsed(line)


def _parsed(line: bytes | str) -> Row | ValueError:
    try:
        text = line if isinstance(line, str) else line.decode()
        row = json.loads(text.rstrip("\r\n"))
    except UnicodeDecodeError as error:
        return ValueError(f"not UTF-8: {error.reason} at its byte {error.start + 1}")
    except json.JSONDecodeError as error:  # its own "line 1" would be taken for the file's
        return ValueError(f"not JSON: {error.msg} (column {error.colno})")
    except (ValueError, RecursionError) as error:
        return ValueError(f"not JSON: {error}")
    return _object(row)


def _object(value: Any) -> Row | ValueError:
    return value if isinstance(value, dict) else ValueError(f"no JSON object: {repr(value)[:80]}")


def _without_mark(start: Any, name: str) -> Any:
    """The first line (or all) of a file without the mark that some editors put before UTF-8."""
    if isinstance(start, str):
        return start.removeprefix("\ufeff")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError(f"{name} is UTF-16; save it as UTF-8")
    return start.removeprefix(codecs.BOM_UTF8)


def _file_rows(path: Path, suffix: str, name: str) -> Iterator[Found]:
    try:
        with _opened(path) as file:
            if suffix == ".parquet":
                yield from _parquet_rows(file, name)
            elif suffix in (".csv", ".tsv"):
                yield from _csv_rows(file, name, "\t" if suffix == ".tsv" else ",")
            elif suffix == ".json" and _begins_a_list(file):
                yield from _list_rows(file.read(), name)
            else:
                yield from numbered_json_lines(file, name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{name} is no whole gzip file: {error}") from error


def _opened(path: Path) -> io.BufferedReader:
    if path.name.lower().endswith(".gz"):
        return io.BufferedReader(cast(io.RawIOBase, gzip.open(path)))
    return path.open("rb")


def _begins_a_list(file: io.BufferedReader) -> bool:
    return file.peek(4096).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[")


def _list_rows(content: bytes, name: str) -> Iterator[Found]:
    content = _without_mark(content, name)
    try:
        rows = json.loads(content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{name}, line {line} is not UTF-8: {error.reason}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON: {error}") from error
    for number, row in enumerate(rows, 1):
        yield f"{name}, row {number}", _object(row)


def _csv_rows(file: IO[bytes], name: str, delimiter: str) -> Iterator[Found]:
    """A header, then rows; each is named by the line that it begins on."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # 131,072 characters are one long answer
    first = _without_mark(file.readline(), name)
    # Escaped, so that bytes that are no UTF-8 cost their row alone, and the reader goes on.
    text = (line.decode(errors="surrogateescape") for line in _with_first(first, file))
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    header: list[str] = []
    while True:
        line = reader.line_num + 1
        place = f"{name}, line {line}"
        try:
            cells = next(reader, None)
        except csv.Error as error:
            # After a stray quote nobody knows where the next row begins.
            raise ValueError(f"{place}: {error} (a row begins there)") from error
        if cells is None:
            return
        if not cells:  # a blank line
            continue
        if not header:
            header = cells
            if twice := sorted({column for column in header if header.count(column) > 1}):
                raise ValueError(f"{place}: the header names the column {twice[0]!r} twice")
            continue
        yield place, _csv_row(header, cells)


def _with_first(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _csv_row(header: list[str], cells: list[str]) -> Row | ValueError:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return ValueError("not UTF-8")
    if len(cells) != len(header):
        return ValueError(f"{len(cells)} cells where the header has {len(header)}")
    return dict(zip(header, cells, strict=True))


def _parquet_rows(file: IO[bytes], name: str) -> Iterator[Found]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"reading {name} needs the package pyarrow: pip install minirm[hub]"
        ) from error
    if name.lower().endswith(".gz"):  # Parquet is read from its end, which gzip cannot seek to
        file = io.BytesIO(file.read())
    number = 0
    try:
        with parquet.ParquetFile(file) as table:
            for batch in table.iter_batches():
                for row in batch.to_pylist():
                    number += 1
                    yield f"{name}, row {number}", _without_nulls(row)
    except pyarrow.ArrowException as error:
        raise ValueError(f"{name} is no Parquet file: {_one_line(error)}") from error


def _hub_rows(name: str, split: str, config: str | None) -> Iterator[Found]:
    try:
        from datasets import load_dataset
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{name!r} is no file, and a dataset from the hub needs the package datasets: "
            "pip install minirm[hub]"
        ) from error
    try:
        rows = load_dataset(name, config, split=split)
    except (OSError, ValueError) as error:  # the package explains itself over many lines
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        raise kind(f"{name!r} is no file, nor can the hub give it: {_one_line(error)}") from error
    for number, row in enumerate(rows, 1):
        yield f"{name}, row {number} of {split}", _without_nulls(row)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _without_nulls(row: Row) -> Row:
    """Arrow gives every message all the fields of the column: what is null was not there.

    The columns themselves stay, and so does a null content, which a call of a tool may have.
    """
    return {column: _pruned(value) for column, value in row.items()}


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _pruned(v) for k, v in value.items() if v is not None or k == "content"}
    return [_pruned(item) for item in value] if isinstance(value, list) else value
