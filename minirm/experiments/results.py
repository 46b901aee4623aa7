"""Results files. What was measured, and everything needed to measure it again."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import torch
import transformers

import minirm

Row = Mapping[str, Any]


def save_results(path: str | os.PathLike[str], command: str, rows: Sequence[Row]) -> None:
    """Write rows (one dict each, all with the same keys) below a header that says where from.

    The header has the command, the date, the versions and the machine's kind. One row a line, so
    that a re-run shows its differences.
    """
    if not rows:
        raise ValueError("there are no results to save")
    columns = list(rows[0])
    for row in rows:
        if list(row) != columns:
            raise ValueError(f"every row needs the columns {columns}, got {list(row)}")
    header = {
        "command": command,
        "date": date.today().isoformat(),
        "versions": {
            "minirm": minirm.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "python": platform.python_version(),
        },
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "columns": columns,
    }
    lines = ",\n".join("  " + json.dumps([_short(row[c]) for c in columns]) for row in rows)
    head = json.dumps(header, indent=1)[:-2]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(f'{head},\n "rows": [\n{lines}\n ]\n}}\n')


def load_results(path: str | os.PathLike[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The header and the rows that ``save_results`` wrote; ``pandas.DataFrame(rows)`` works.

    ``path`` is looked for as by ``results_file``.
    """
    content = json.loads(results_file(path).read_text())
    rows = [dict(zip(content["columns"], row, strict=True)) for row in content.pop("rows")]
    return content, rows


def results_file(path: str | os.PathLike[str]) -> Path:
    """Where ``path`` is; for ``results/NAME`` also where the library has the book's own files.

    A notebook travels without the book's folder, so the wheel carries these files.
    """
    path, package = Path(path), Path(minirm.__file__).parent
    homes = (package, package.parent / "book") if path.parent == Path("results") else ()
    return next((p for p in (path, *(home / path for home in homes)) if p.is_file()), path)


def _short(value: Any) -> Any:
    """Six significant digits: more would only record the rounding of one machine."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
