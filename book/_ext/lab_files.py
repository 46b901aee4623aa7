"""Sphinx extension: what the lab and the landing page load, and the engine to read, as files.

The weights are made from the package's safetensors at every build, and lie in scripts of their own:
a page that is opened as a file may load nothing else, and the other pages need not carry them. The
language model is for both pages; what training made of it, the two judges, is for the first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def _write(app: Any, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html" or "lab" not in app.env.found_docs:
        return
    from minirm.figures import lab, lab_judges

    texts = {lab.SCRIPT: lab.weights_script()}
    texts |= {where: lab_judges.script(reward) for reward, where in lab_judges.SCRIPTS.items()}
    for (_, where), text in texts.items():
        Path(app.outdir, where).write_text(text, "ascii")
    Path(app.outdir, lab.TO_READ).write_text(lab.engine(), "utf-8")


def setup(app: Any) -> dict[str, bool]:
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
