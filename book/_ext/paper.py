"""Sphinx extension: the book on paper, with fonts and classes that Debian's small packages bring.

Jupyter Book's own LaTeX class wants a font package of 1.4 GB. Sphinx's plain class does as well.
"""

from __future__ import annotations

from typing import Any

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
    config["latex_elements"] |= {
        "papersize": "a4paper",
        "fontpkg": FONTS,
        "preamble": config["latex_elements"].get("preamble", "") + PREAMBLE,
        "extraclassoptions": "openany,oneside",
        "sphinxsetup": "verbatimhintsturnover=false, hmargin=2.4cm, vmargin=2.6cm",
    }


def setup(app: Any) -> dict[str, bool]:
    app.connect("config-inited", _plain, priority=900)  # after Jupyter Book's LaTeX settings
    return {"parallel_read_safe": True, "parallel_write_safe": True}
