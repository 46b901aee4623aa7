"""Sphinx extension: the weights that the lab loads, and its engine to read, beside the pages.

The weights are made from the package's safetensors at every build, rounded to half precision, and
lie in a script of their own: a page that is opened as a file may load nothing else, and the pages
without a lab need not carry them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def _write(app: Any, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html" or "lab" not in app.env.found_docs:
        return
    from minirm.figures import lab

    Path(app.outdir, lab.SCRIPT).write_text(lab.weights_script(), "ascii")
    Path(app.outdir, lab.TO_READ).write_text(lab.engine(), "utf-8")


def setup(app: Any) -> dict[str, bool]:
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
