"""Sphinx extension: the built pages ask nothing of the network.

Jupyter Book loads sphinx-thebe on every page even where its button is switched off, and with it a
script that names a CDN and somebody else's repository. This takes all of it out again.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes


def _drop_assets(app: Any, pagename: str, template: str, context: dict[str, Any], doctree: Any):
    for kind in ("script_files", "css_files"):
        context[kind] = [asset for asset in context[kind] if not _is_thebe(asset)]


def _is_thebe(asset: Any) -> bool:
    body = getattr(asset, "attributes", {}).get("body") or ""
    return "thebe" in str(getattr(asset, "filename", asset) or "") or "THEBE" in body


def _drop_settings(app: Any, doctree: nodes.document, docname: str) -> None:
    for node in list(doctree.findall(nodes.raw)):
        if "text/x-thebe-config" in node.astext() or node.astext().startswith("<script>kernelName"):
            node.parent.remove(node)


def setup(app: Any) -> dict[str, bool]:
    # After sphinx-thebe and the theme have had their say.
    app.connect("html-page-context", _drop_assets, priority=900)
    app.connect("doctree-resolved", _drop_settings, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
