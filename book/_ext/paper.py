"""Sphinx extension: the book on paper, with fonts and classes that Debian's small packages bring.

Jupyter Book's own LaTeX class wants a font package of 1.4 GB. Sphinx's plain class does as well.
What Jupyter Book and sphinx-proof expect of it, and it lacks, is put in here.
"""

from __future__ import annotations

from typing import Any

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
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


class Tables(SphinxPostTransform):
    """A table of pandas' is a table on paper too, where its text would be broken into pieces.

    What pandas has styled has no text at all but "<pandas.io.formats.style.Styler object>".
    """

    default_priority = 3  # before MyST-NB chooses between the forms of an output, HTML among them
    builders = ("latex",)

    def run(self) -> None:
        for bundle in list(self.document.findall(nodes.container)):
            forms = bundle.children if bundle.get("nb_element") == "mime_bundle" else []
            html = "".join(x.astext() for x in forms if x["mime_type"] == "text/html")
            tables = BeautifulSoup(html, "html.parser").select("table.dataframe, table[id^=T_]")
            if tables:
                bundle.replace_self([_table(table) for table in tables])


def _table(html: Tag) -> nodes.table:
    rows = html.select("tr")
    columns = sum(int(cell.get("colspan", 1)) for cell in rows[0].find_all(["th", "td"]))
    group = nodes.tgroup("", cols=columns)
    group += [nodes.colspec("", colwidth=1) for _ in range(columns)]
    parts = (html.select("thead tr"), nodes.thead()), (html.select("tbody tr"), nodes.tbody())
    for lines, part in parts:
        group += part
        for line in lines:
            part += nodes.row("", *(_entry(cell) for cell in line.find_all(["th", "td"])))
    title = [nodes.title("", caption.get_text()) for caption in html.select("caption")]
    return nodes.table("", *title, group)


def _entry(cell: Tag) -> nodes.entry:
    text = cell.get_text().strip()
    spans = {"morecols": cell.get("colspan", 1), "morerows": cell.get("rowspan", 1)}
    return nodes.entry("", nodes.paragraph("", text), **{k: int(v) - 1 for k, v in spans.items()})


def setup(app: Any) -> dict[str, bool]:
    app.connect("config-inited", _plain, priority=900)  # after Jupyter Book's LaTeX settings
    app.connect("doctree-resolved", _unboxed)
    app.add_post_transform(Tables)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
