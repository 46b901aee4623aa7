"""Sphinx extension: the book on paper, with fonts and classes that Debian's small packages bring.

Jupyter Book's own LaTeX class wants a font package of 1.4 GB. Sphinx's plain class does as well.
What Jupyter Book and sphinx-proof expect of it, and it lacks, is put in here.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx_proof.nodes import proof_node

FONTS = r"""
\setmainfont{Linux Libertine O}
\setsansfont{Linux Biolinum O}
\setmonofont[Scale=0.78]{DejaVu Sans Mono}
\newfontfamily{\symbols}[Scale=0.85]{DejaVu Sans}
"""

PREAMBLE = r"""
\usepackage{newunicodechar}
\newunicodechar{★}{{\symbols ★}}
\newunicodechar{☆}{{\symbols ☆}}
\newenvironment{sphinxVerbatimInput}{}{}  % what Jupyter Book wraps a cell's code and output in
\newenvironment{sphinxVerbatimOutput}{\sphinxsetup{VerbatimColor={rgb}{1,1,1}}}{}
"""


def _plain(app: Any, config: Any) -> None:
    config["latex_theme"] = "manual"
    config["latex_domain_indices"] = False
    config["latex_elements"] |= {
        "papersize": "a4paper",
        "fontpkg": FONTS,
        "fncychap": "",  # titles as they are written: in capitals a ρ is a P
        "preamble": config["latex_elements"].get("preamble", "") + PREAMBLE,
        "extraclassoptions": "openany,oneside",
        "sphinxsetup": "verbatimhintsturnover=false, hmargin=2.4cm, vmargin=2.6cm",
    }


def _unboxed(app: Any, doctree: Any, docname: str) -> None:
    """A proof begins with its name and ends with a square; sphinx-proof would box it, untitled."""
    if app.builder.name == "latex":
        for proof in list(doctree.findall(proof_node)):
            end = nodes.raw("", r"\hspace*{\fill}\(\square\)", format="latex")
            proof.replace_self([*proof[0].children, end])


def setup(app: Any) -> dict[str, bool]:
    app.connect("config-inited", _plain, priority=900)  # after Jupyter Book's LaTeX settings
    app.connect("doctree-resolved", _unboxed)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
