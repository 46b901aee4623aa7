"""MyST to the plain Markdown that Colab, VS Code, Jupyter and GitHub all render.

The source is kept as it is and edited where it says more than plain Markdown can: markdown-it, with
MyST's own rules, says where that is. What has no plain form here is an error, so that nothing is
ever passed on raw.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

from _claims import ledger
from markdown_it.token import Token

from .bibliography import cite
from .source import BOOK, PROOFS, Book, Directive, Target, Unknown, parse

PLAIN_BLOCKS = {
    "blockquote", "bullet_list", "code_block", "heading", "hr", "html_block", "list_item",
    "ordered_list", "paragraph", "table", "tbody", "td", "th", "thead", "tr",
}  # fmt: skip
PLAIN_INLINE = {
    "em", "strong", "s", "text", "softbreak", "hardbreak", "html_inline", "code_inline",
    "math_inline", "math_inline_double", "text_special",
}  # fmt: skip
ADMONITIONS = (
    "attention", "caution", "danger", "error", "hint", "important", "note", "seealso", "tip",
    "warning",
)  # fmt: skip
CODE_ROLES = ("code", "kbd", "py:class", "py:func", "py:meth", "py:mod", "py:obj")


class Converter:
    """Turns the text of one page into plain Markdown, and remembers what it cited."""

    def __init__(self, book: Book, page: str) -> None:
        self.book, self.page = book, page
        self.cited: list[str] = []
        self.notes: dict[str, str] = {}  # of footnotes, by label
        self.noted: list[str] = []  # their labels in the order of their marks

    def convert(self, text: str, *, quoted: bool = False) -> str:
        """``text`` in plain Markdown.

        ``quoted``: formulas on one line each; in a quoted box the box's own marks would
        otherwise stand in the formula.

        Raises:
            Unknown: a directive, a role, a label or a construct that has no plain form.
        """
        lines = text.split("\n")
        edits: list[tuple[int, int, str]] = []
        rows: dict[tuple[int, int], list[Token]] = {}
        inside_note = 0
        for token in parse(text):
            kind = re.sub(r"_(open|close)$", "", token.type)
            start, end = token.map or (0, 0)
            if kind == "amsmath" and "\\end{" not in lines[end - 1]:
                end += 1  # its parser leaves out the last line
            directive = Directive.of(token)
            if kind == "footnote_reference":
                inside_note += token.nesting
                if token.nesting == 1:
                    note = "\n".join(lines[start:end]).partition("]:")[2].strip()
                    self.notes[token.meta["label"]] = self.convert(note)
                    edits.append((start, end, ""))
            elif inside_note:
                continue
            elif directive is not None:
                if token.level:
                    raise Unknown(f"{{{directive.name}}} inside a list or a quotation")
                edits.append((start, end, self._directive(directive)))
            elif kind in ("math_block", "math_block_label", "amsmath"):
                label = token.info if kind == "math_block_label" else None
                indent = re.match(r"[\s>]*", lines[start])[0]
                if label or quoted or kind == "amsmath":
                    formula = self._display(token.content, label, one_line=quoted or bool(indent))
                    edits.append((start, end, indent + formula))
            elif kind in ("myst_target", "myst_line_comment", "myst_block_break"):
                edits.append((start, end, ""))
            elif kind == "inline":
                rows.setdefault((start, end), []).append(token)
            elif kind not in PLAIN_BLOCKS and kind not in ("fence", "colon_fence"):
                raise Unknown(f"{kind} has no plain form: {' '.join(lines[start:end])[:80]!r}")
        for (start, end), tokens in rows.items():
            edits.append((start, end, self._inline("\n".join(lines[start:end]), tokens)))
        for start, end, new in sorted(edits, reverse=True):
            lines[start:end] = new.split("\n")
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")

    def _display(self, formula: str, label: str | None, *, one_line: bool) -> str:
        tag = f" \\tag{{{self.book.target(label).number}}}" if label else ""
        formula = formula.strip("\n") + tag
        if one_line:
            return f"$$ {' '.join(formula.split())} $$"
        return f"$$\n{formula}\n$$"

    # ------------------------------------------------------------------ directives

    def _directive(self, directive: Directive) -> str:
        name, body = directive.name, directive.body
        if name == "math":
            return self._display(body, directive.options.get("label"), one_line=False)
        if name in ("figure", "image"):
            return self._picture(directive)
        if name in ("code", "code-block"):
            return f"```{directive.argument}\n{body}\n```"
        if name in ("admonition", *ADMONITIONS):
            title = directive.argument if name == "admonition" else name.capitalize()
            if name != "admonition" and directive.argument:
                body = f"{directive.argument}\n{body}"
            if "dropdown" in directive.options.get("class", "").split():
                return folded(title, self.convert(body))
            return box(f"**{self.convert(title)}**", self.convert(body, quoted=True))
        if name == "dropdown":
            return folded(directive.argument, self.convert(body))
        kind = name.removeprefix("prf:")
        if name.startswith("prf:") and kind in PROOFS:
            return self._proof(kind, directive)
        raise Unknown(f"the directive {{{name}}} has no plain form")

    def _proof(self, kind: str, directive: Directive) -> str:
        body = self.convert(directive.body, quoted=True)
        if kind == "proof":
            return box("*Proof.*", f"{body} ∎")
        head = kind.capitalize()
        if label := directive.options.get("label"):
            head += f" {self.book.target(label).number}"
        elif "nonumber" not in directive.options:
            raise Unknown(f"{{{directive.name}}} {directive.argument!r} needs a :label:")
        title = f" ({self.convert(directive.argument)})" if directive.argument else ""
        return box(f"**{head}**{title}", body)

    def _picture(self, directive: Directive) -> str:
        """A picture inside the notebook itself, for a notebook travels alone."""
        path = BOOK / directive.argument
        kind = "svg+xml" if path.suffix == ".svg" else path.suffix[1:]
        data = base64.b64encode(path.read_bytes()).decode()
        picture = f"![{directive.options['alt']}](data:image/{kind};base64,{data})"
        if directive.name == "image":
            return picture
        number = self.book.target(directive.options["name"]).number
        return f"{picture}\n\n**Figure {number}.** {self.convert(directive.body)}"

    # ---------------------------------------------------------------------- inline

    def _inline(self, text: str, tokens: list[Token]) -> str:
        """``text``, the lines that hold these inline tokens, with its roles and links resolved."""
        edits: list[tuple[int, int, str]] = []
        at = 0

        def find(pattern: str, what: Token) -> re.Match[str]:
            match = re.compile(pattern, re.DOTALL).search(text, at)
            if match is None:
                raise Unknown(f"cannot find {what.type} {what.content!r} in {text[:80]!r}")
            return match

        for token in tokens:
            children = token.children or []
            for place, child in enumerate(children):
                kind = re.sub(r"_(open|close)$", "", child.type)
                if kind == "code_inline":
                    mark = re.escape(child.markup)
                    at = find(rf"{mark}.+?{mark}", child).end()
                elif kind == "math_inline":
                    if (found := text.find(f"${child.content}$", at)) >= 0:
                        at = found + len(child.content) + 2
                elif kind == "myst_role":
                    match = find(rf"\{{{re.escape(child.meta['name'])}\}}(`+)(.+?)\1", child)
                    at = match.end()
                    edits.append((*match.span(), self._role(child.meta["name"], match[2])))
                elif kind == "footnote_ref":
                    match = find(rf"\[\^{re.escape(child.meta['label'])}\]", child)
                    at = match.end()
                    self.noted.append(child.meta["label"])
                    edits.append((*match.span(), f"<sup>{len(self.noted)}</sup>"))
                elif child.type == "link_open" and not child.markup:  # "autolink" needs nothing
                    close = text.index(f"]({child.attrs['href']}", at)
                    start = text.rindex("[", at, close)
                    said = children[place + 1].type != "link_close"
                    edits += self._link(text, start, close, str(child.attrs["href"]), said)
                    at = start + 1
                elif child.type == "link_close" and not child.markup:
                    at = text.index(")", text.index("](", at))
                elif kind != "link" and kind not in PLAIN_INLINE:
                    raise Unknown(f"{kind} has no plain form: {text[:80]!r}")
        for start, end, new in sorted(edits, reverse=True):
            text = text[:start] + new + text[end:]
        return text

    def _link(
        self, text: str, start: int, close: int, href: str, said: bool
    ) -> list[tuple[int, int, str]]:
        """The edits that make a link between pages one between notebooks.

        ``text[start]`` is its opening and ``text[close]`` its closing bracket; ``said`` if there
        is anything between them.
        """
        name, _, _ = href.partition("#")
        if re.match(r"[a-z]+:", href) or not (name.endswith(".md") or href.startswith("#")):
            if "://" in href or href.startswith("mailto:"):
                return []
            raise Unknown(f"the link {href!r} leads to no page")
        end = text.index(")", close) + 1
        if name:
            page, title = name.removesuffix(".md"), self.book.title(name.removesuffix(".md"))
        else:
            target = self.book.target(href[1:])
            page, title = target.page, target.title
        shown = "" if said else title
        if page == self.page or not self.book.has_notebook(page):
            return [(start, start + 1, shown), (close, end, "")]
        return [(start, start + 1, f"[{shown}"), (close, end, f"]({page}.ipynb)")]

    def _role(self, name: str, content: str) -> str:
        explicit = re.fullmatch(r"(.*?)\s*<([^<>]+)>", content, re.DOTALL)
        said, label = (explicit[1], explicit[2]) if explicit else (None, content)
        roles: dict[str, Callable[[], str]] = {
            "eq": lambda: self._placed(f"({self._of_kind(label, 'equation').number})", label),
            "ref": lambda: self._placed(said, label),
            "numref": lambda: self._placed(said, label),
            "prf:ref": lambda: self._placed(said, label),
            "doc": lambda: self._page(said, label.removesuffix(".md")),
            "math": lambda: f"${content}$",
            "term": lambda: said or label,
            "sub": lambda: f"<sub>{content}</sub>",
            "sup": lambda: f"<sup>{content}</sup>",
        }
        if name in roles:
            return roles[name]()
        if name in ("cite:t", "cite:p", "cite"):
            keys = [key.strip() for key in content.split(",")]
            self.cited += [key for key in keys if key not in self.cited]
            return cite(self.book.references, keys, textual=name == "cite:t")
        if name == "claim":
            return ledger.link(content)[1]
        if name in CODE_ROLES:
            return f"`{said or content}`"
        raise Unknown(f"the role {{{name}}} has no plain form")

    def _of_kind(self, label: str, kind: str) -> Target:
        target = self.book.target(label)
        if target.kind != kind:
            raise Unknown(f"{label!r} is a {target.kind}, not a {kind}")
        return target

    def _page(self, said: str | None, page: str) -> str:
        said = said or self.book.title(page)
        linked = page != self.page and self.book.has_notebook(page)
        return f"[{said}]({page}.ipynb)" if linked else said

    def _placed(self, said: str | None, label: str) -> str:
        """A reference; where its target is in another notebook, with a link to that."""
        target = self.book.target(label)
        if target.kind == "section":
            return self._page(said or self.convert(target.title), target.page)
        said = said or f"{target.kind.capitalize()} {target.number}"
        if target.page == self.page:
            return said
        return f"{said} of {self._page(None, target.page)}"


def box(head: str, body: str) -> str:
    """A quoted box."""
    text = f"{head}\n\n{body}" if not head.startswith("*Proof") else f"{head} {body}"
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def folded(summary: str, body: str) -> str:
    """A box that opens on a click; the empty lines let its Markdown be read as Markdown."""
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"
