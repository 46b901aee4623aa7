"""Sphinx extension: what docutils and Sphinx write and a screen reader or a phone cannot use.

A list of references says role="list", but its children are no list items; and each of them has a
role (doc-biblioentry) that ARIA has since withdrawn. Without the roles it reads as text. And a
signature of several lines is written as a list of definitions of nothing: lines will do. The space
before a solution's link is no part of the link. And a line may end between a formula and the full
stop behind it, which on a phone it does.
"""

from __future__ import annotations

import re
from typing import Any

SIGNATURE = re.compile(r'<dt class="sig .*?</dt>', re.DOTALL)
FORMULA = re.compile(r'(<span class="math[^>]*>[^<]*</span>[.,:;?)]+)')


def _mend(app: Any, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    body = context.get("body", "")
    for role in (' role="list"', ' role="doc-biblioentry"'):
        body = body.replace(role, "")
    body = FORMULA.sub(r'<span class="minirm-together">\1</span>', body)
    body = re.sub(r"Solution to(<a [^>]*>) ", r"Solution to \1", body)
    context["body"] = SIGNATURE.sub(lambda found: _as_lines(found[0]), body)


def _as_lines(signature: str) -> str:
    return re.sub(r"<(/?)d[ld]>", r"<\1span>", signature).replace(
        '<span><em class="sig-param"', '<span class="sig-line"><em class="sig-param"'
    )


def setup(app: Any) -> dict[str, bool]:
    app.connect("html-page-context", _mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
