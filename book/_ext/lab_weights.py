"""Sphinx extension: the weights that the lab loads, beside the pages.

They are made from the package's safetensors at every build, rounded to half precision, and lie in a
script of their own: a page that is opened as a file may load nothing else, and the pages without a
lab need not carry them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def _write(app: Any, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html" or "lab" not in app.env.found_docs:
        return
    from minirm.figures import lab

    file = Path(app.outdir, lab.SCRIPT)
    text = lab.weights_script()
    if not file.is_file() or file.read_text("ascii") != text:
        file.write_text(text, "ascii")


def setup(app: Any) -> dict[str, bool]:
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
