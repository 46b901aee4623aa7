"""Sphinx extension: docstrings are written to be read as they stand, with formulas in plain text.

In them |r| is an absolute value and u* a vector, neither of which is markup; ``literals`` are. A
line may describe two arguments, or two errors; on the page each gets a line of its own. And the
first docstring of a module says what may enter the file: that is for whoever edits it.
"""

from __future__ import annotations

import re
from typing import Any

NEXT_ITEM = re.compile(r"\. (?=[a-z_]+: |[A-Z]\w+Error: )")
MARKUP = re.compile(r"(``.*?``)|[*|]|_(?=\W|$)", re.DOTALL)


def _as_text(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    items = [NEXT_ITEM.sub(".\n    ", x) if x.startswith("    ") else x for x in lines]
    text = "" if what == "module" else "\n".join(items)
    lines[:] = MARKUP.sub(lambda m: m[0] if m[1] else "\\" + m[0], text).split("\n")


def _says_nothing(
    app: Any, what: str, name: str, obj: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out the fields of a named tuple: "Alias for field number 0". The class names them."""
    return True if str(getattr(obj, "__doc__", "")).startswith("Alias for field") else None


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", _as_text, priority=400)  # before napoleon
    app.connect("autodoc-skip-member", _says_nothing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
