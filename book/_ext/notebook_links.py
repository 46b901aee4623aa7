"""Sphinx extension: under a chapter's title, a link to its notebook.

Where the repository's address is set, and is GitHub's, there is one that opens it in Colab too.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from docutils import nodes

COLAB = "colab.research.google.com"


def links(name: str, address: str, branch: str = "main") -> str:
    """The line of links for one page; ``address`` is the repository's, or empty."""
    found = [f'<a href="{name}.ipynb" download>Download this page as a notebook</a>']
    parts = urlsplit(address)
    if parts.netloc == "github.com":
        path = f"github/{parts.path.strip('/')}/blob/{branch}/book/notebooks/{name}.ipynb"
        there = urlunsplit(("https", COLAB, path, "", ""))
        found.append(f'<a href="{html.escape(there)}">Open in Colab</a>')
    return f'<p class="notebook-links">{" · ".join(found)}</p>'


def _add(app: Any, doctree: nodes.document, docname: str) -> None:
    if app.builder.format != "html" or not Path(app.srcdir, f"notebooks/{docname}.ipynb").is_file():
        return
    title = next(iter(doctree.findall(nodes.title)), None)
    if title is not None:
        options = app.config.html_theme_options
        line = links(
            docname, options.get("repository_url", ""), options.get("repository_branch", "main")
        )
        title.parent.insert(title.parent.index(title) + 1, nodes.raw("", line, format="html"))


def setup(app: Any) -> dict[str, bool]:
    app.connect("doctree-resolved", _add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
