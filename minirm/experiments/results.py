"""Results files. What was measured, and everything needed to measure it again."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from datetime import date
from pathlib import Path
from typing import Any

import torch
import transformers

import minirm

Row = Mapping[str, Any]


def save_results(
    path: str | os.PathLike[str], command: str, rows: Sequence[Row], **more: Any
) -> None:
    """Write rows below a header that says where they come from, one row a line.

    The header has the command, the date, the versions and the machine's kind. The file is whole at
    every moment: the new one is written beside it and then takes its place.

    Args:
        path: the file; its folder is made where there is none.
        command: what anybody can type to measure the same again.
        rows: one dict each, all with the same keys in the same order.
        more: goes into the header; a list is written one entry a line.

    Raises:
        ValueError: there are no rows, or their keys differ.
    """
    if not rows:
        raise ValueError("there are no results to save")
    columns = list(rows[0])
    for row in rows:
        if list(row) != columns:
            raise ValueError(f"every row needs the columns {columns}, got {list(row)}")
    header = {"command": command, **origin(), "columns": columns}
    lists = {name: value for name, value in more.items() if isinstance(value, list)}
    header |= {name: value for name, value in more.items() if name not in lists}
    lists["rows"] = [[shortened(row[c]) for c in columns] for row in rows]
    parts = [json.dumps(header, indent=1)[:-2]]
    for name, entries in lists.items():
        lines = ",\n".join("  " + json.dumps(entry) for entry in entries)
        parts.append(f' "{name}": [\n{lines}\n ]')
    _replace(Path(path), ",\n".join(parts) + "\n}\n")


def load_results(path: str | os.PathLike[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The header and the rows that ``save_results`` wrote; ``pandas.DataFrame(rows)`` works.

    Args:
        path: looked for as by ``results_file``.

    Raises:
        ValueError: it is no results file, or is damaged.
    """
    found = results_file(path)
    try:
        content = json.loads(found.read_text(encoding="utf-8"))
        rows = [dict(zip(content["columns"], row, strict=True)) for row in content.pop("rows")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{found} is no results file, or is damaged: {error!r}") from error
    return content, rows


def results_file(path: str | os.PathLike[str]) -> Path:
    """Where ``path`` is; for ``results/NAME`` also where the library has the book's own files.

    A notebook travels without the book's folder, so the wheel carries these files.
    """
    path, package = Path(path), Path(minirm.__file__).parent
    homes = (package, package.parent / "book") if path.parent == Path("results") else ()
    return next((p for p in (path, *(home / path for home in homes)) if p.is_file()), path)


def origin() -> dict[str, Any]:
    """The date, the versions and the machine's kind, its GPU included."""
    gpu = [torch.cuda.get_device_name()] if torch.cuda.is_available() else []
    return {
        "date": date.today().isoformat(),
        "versions": {
            "minirm": minirm.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "python": platform.python_version(),
        },
        "machine": ", ".join([platform.machine(), f"{os.cpu_count()} cores", *gpu]),
    }


def shortened(value: Any) -> Any:
    """Six significant digits: more would only record the rounding of one machine."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


class ResultsFile:
    """A results file that grows by a run at a time, and says which runs it holds.

    Args:
        path: the file; it need not exist.
        experiment: the experiment's name. No other may go on with the file.
        command: what anybody can type to measure the same again.
        fresh: pass over what is there; the first run that ends replaces it.
    """

    def __init__(
        self, path: str | os.PathLike[str], experiment: str, command: str, *, fresh: bool = False
    ) -> None:
        self.path, self.experiment, self.command = Path(path), experiment, command
        self.fresh = fresh
        self._runs: Sequence[Any] = ()
        self._done: dict[Any, list[dict[str, Any]]] = {}
        self._earlier: list[dict[str, Any]] = []
        self._content: bytes | None = None

    def finished(self, runs: Sequence[Any]) -> Mapping[Any, Sequence[Row]]:
        """Which of these runs are in the file, with their rows; to be asked once, at the start.

        Args:
            runs: all that the file is to hold in the end, in their order.

        Raises:
            ValueError: it is damaged, another experiment's, or holds other runs than these.
            OSError: no file can be written there.
        """
        self._runs = runs
        _writable(self.path)
        self._content = self._read()
        if self._content is None or self.fresh:
            return {}
        try:
            header, rows = load_results(self.path)
        except ValueError as error:
            why = f"is no results file, or is damaged ({error.__cause__!r})"
            raise self._refused(why) from error
        if header.get("experiment") != self.experiment or "runs" not in header:
            raise self._refused(
                f"holds no runs that the experiment {self.experiment} could go on from: it was "
                f"written by {header.get('command')!r}"
            )
        if sum(n_rows for _, n_rows in header["runs"]) != len(rows):
            raise self._refused("is damaged: its runs and its rows do not add up")
        mine = {_key(asdict(run)): run for run in runs}
        for settings, n_rows in header["runs"]:
            whole = _defaults(runs) | settings  # settings that the experiment has gained since
            if (key := _key(whole)) not in mine:
                raise self._refused(f"holds a run that is none of these: {settings}")
            done, rows = rows[:n_rows], rows[n_rows:]
            self._done[mine[key]] = [_with_settings(row, settings, mine[key]) for row in done]
        self._earlier = header.get("earlier", [])
        made = {name: header[name] for name in origin()}
        if made != origin() and made not in self._earlier:
            self._earlier.append(made)
        return dict(self._done)

    def add(self, run: Any, rows: Sequence[Row]) -> Sequence[Row]:
        """Write the file anew with one run more; returns its rows as they are in the file.

        Raises:
            ValueError: the rows have other columns than those in the file.
            OSError: the disk is full, or somebody else has written the file meanwhile.
        """
        if self._read() != self._content:
            raise OSError(f"{self.path} was changed by another process while this one was at work")
        columns = list(next(iter(self._done.values()), rows)[0]) if rows else []
        if not rows or any(list(row) != columns for row in rows):
            gives = list(rows[0]) if rows else "nothing"
            raise self._refused(f"has the columns {columns}, this run gives {gives}")
        self._done[run] = [{c: shortened(row[c]) for c in columns} for row in rows]
        done = {run: self._done[run] for run in self._runs if run in self._done}
        save_results(
            self.path,
            self.command,
            [row for rows in done.values() for row in rows],
            experiment=self.experiment,
            **({"earlier": self._earlier} if self._earlier else {}),
            runs=[[asdict(run), len(rows)] for run, rows in done.items()],
        )
        self._content = self._read()
        return self._done[run]

    @property
    def done(self) -> Mapping[Any, Sequence[Row]]:
        """The runs that are in the file, as far as ``finished`` was asked, with their rows."""
        return dict(self._done)

    def _read(self) -> bytes | None:
        return self.path.read_bytes() if self.path.exists() else None

    def _refused(self, why: str) -> ValueError:
        return ValueError(
            f"{self.path} {why}; name another file, or let this one be replaced with fresh=True "
            "(--fresh)"
        )


def _defaults(runs: Sequence[Any]) -> dict[str, Any]:
    """The settings that a run need not name."""
    return {
        field.name: field.default
        for run in runs[:1]
        for field in fields(run)
        if field.default is not MISSING
    }


def _with_settings(row: dict[str, Any], settings: Mapping[str, Any], run: Any) -> dict[str, Any]:
    """The row with the settings that it was written without, where rows begin with their run."""
    if list(row)[: len(settings)] != list(settings):
        return row
    return {name: row.get(name, value) for name, value in asdict(run).items()} | row


def _key(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)


def _writable(path: Path) -> None:
    """Raise OSError, before any work, where no file of that name can be written."""
    if path.exists() and not path.is_file():
        raise IsADirectoryError(f"expected the name of a file, got {str(path)!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"no file can be written in the folder {str(path.parent)!r}")


def _replace(path: Path, text: str) -> None:
    """Write ``text`` beside ``path``, through to the disk, and let it take its place."""
    path = path.resolve()  # a link stays one
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OSError(
            f"{path} could not be written: {error.strerror or error}; "
            "what was there is left as it was"
        ) from error
