"""Sphinx extension: docstrings are written to be read as they stand, with formulas in plain text.

In them |r| is an absolute value and u* a vector, neither of which is markup; ``literals`` are, and
examples stay as they are. A module's docstring is for whoever opens the file; the page has a
heading in its place.
"""

from __future__ import annotations

import re
from typing import Any

MARKUP = re.compile(r"(``.*?``|^ *>>> .*?$)|[*|]|_(?=\W|$)", re.DOTALL | re.MULTILINE)


def _as_text(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    text = "" if what == "module" else "\n".join(lines)
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
