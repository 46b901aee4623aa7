"""Sphinx extension: what docutils and Sphinx write and a screen reader cannot use.

A list of references says role="list", but its children are no list items; and each of them has a
role (doc-biblioentry) that ARIA has since withdrawn. Without the roles it reads as text. And a
signature of several lines is written as a list of definitions of nothing: lines will do.
"""

from __future__ import annotations

import re
from typing import Any

SIGNATURE = re.compile(r'<dt class="sig .*?</dt>', re.DOTALL)


def _mend(app: Any, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    body = context.get("body", "")
    for role in (' role="list"', ' role="doc-biblioentry"'):
        body = body.replace(role, "")
    context["body"] = SIGNATURE.sub(lambda found: _as_lines(found[0]), body)


def _as_lines(signature: str) -> str:
    return re.sub(r"<(/?)d[ld]>", r"<\1span>", signature).replace(
        '<span><em class="sig-param"', '<span class="sig-line"><em class="sig-param"'
    )


def setup(app: Any) -> dict[str, bool]:
    app.connect("html-page-context", _mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
