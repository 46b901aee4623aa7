"""Sphinx extension: the role ``claim``, which says a figure and leads to its row, and the ledger.

``{claim}`id``` inserts the figure of a row of ``claims.yml``, and ``{claim}`form <id>``` or
``{claim}`any words <id>``` what stands before the angle; the directive ``ledger`` shows all rows.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.util.docutils import SphinxDirective, SphinxRole

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _claims import figures, ledger


class ClaimRole(SphinxRole):
    """A link to a row of the ledger that says its figure."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        _depends(self.env)
        try:
            claim, words = ledger.link(self.text)
        except ValueError as error:
            told = self.inliner.reporter.error(str(error), line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, told)], [told]
        link = pending_xref(
            "", nodes.inline("", words),
            refdomain="std", reftype="ref", reftarget=f"claim-{claim.id}", refexplicit=True,
            refwarn=True, refdoc=self.env.docname,
        )  # fmt: skip
        return [link], []


class LedgerDirective(SphinxDirective):
    """All rows, under the chapters that they belong to."""

    def run(self) -> list[nodes.Node]:
        _depends(self.env)
        return [self._chapter(chapter, rows) for chapter, rows in ledger.by_chapter()]

    def _chapter(self, chapter: ledger.Chapter, rows: list[ledger.Claim]) -> nodes.section:
        section = nodes.section(ids=[f"claims-{chapter.label}"])
        section += nodes.title("", "", *self._parse(chapter.title)[0].children)
        section += [self._card(claim) for claim in rows]
        return section

    def _card(self, claim: ledger.Claim) -> nodes.container:
        name = f"claim-{claim.id}"
        card = nodes.container(classes=["claim", f"claim-{claim.kind}"])
        card += nodes.target("", "", ids=[name])  # of a container, LaTeX makes no place to go to
        domain = self.env.get_domain("std")
        domain.note_hyperlink_target(name, self.env.docname, name, claim.id)
        kind = f"[{claim.kind}]{{.claim-kind}}"
        said = ", ".join(f"{{ref}}`{label}`" for label in claim.where)
        lines = (
            f"{kind} {claim.said}",
            f"**Rests on** {'; '.join(_support(what) for what in _rests_on(claim))}.",
            f"**Would be refuted by** {claim.refuted_by}.",
            f"**Said in** {said}.",
        )
        card += self._parse("\n\n".join(lines))
        return card

    def _parse(self, text: str) -> list[Any]:
        holder = nodes.Element()
        lines = StringList(text.split("\n"), source=str(ledger.BOOK / "claims.yml"))
        self.state.nested_parse(lines, self.content_offset, holder)
        return holder.children


def _rests_on(claim: ledger.Claim) -> list[str]:
    file = (claim.figure or {}).get("file")
    return [*([f"results/{file}"] if file else []), *claim.rests_on]


def _support(what: str) -> str:
    """In MyST, what a claim rests on."""
    if what.startswith("results/"):
        header, _ = figures.load(what.removeprefix("results/"))
        return f"`{what}`, written by `{header['command']}`"
    if what.startswith("tests/"):
        return f"the test `{what}`"
    if re.match(r"(thm|prop|lem|cor|def|rem)-", what):
        return f"{{prf:ref}}`{what}`"
    return f"{{ref}}`{what}`" if what in ledger.chapters() else f"{{cite:t}}`{what}`"


def _depends(env: Any) -> None:
    """Read the page again when a row or a result has changed."""
    env.note_dependency(str(ledger.BOOK / "claims.yml"))
    for claim in ledger.claims().values():
        if file := (claim.figure or {}).get("file"):
            env.note_dependency(str(figures.RESULTS / file))


def setup(app: Any) -> dict[str, bool]:
    app.add_role("claim", ClaimRole())
    app.add_directive("ledger", LedgerDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
