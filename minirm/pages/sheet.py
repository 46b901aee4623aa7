"""The sheet that every report is written on: HTML and its style, and text made harmless."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from minirm import __version__

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1c1c1c; --faint: #666; --line: #c8c8c8;
  --one: #0072b2; --other: #d55e00; --third: #009e73; --fourth: #999; --soft: #f3f3f3; }
@media (prefers-color-scheme: dark) { :root { --ground: #15171a; --ink: #ececec; --faint: #a8a8a8;
  --line: #4a4d52; --one: #56b4e9; --other: #e69f00; --third: #4fc3a1; --fourth: #8a8a8a;
  --soft: #22252a; } }
@media print { :root { color-scheme: light; --ground: #fff; --ink: #000; --faint: #555;
  --line: #bbb; --one: #0072b2; --other: #d55e00; --third: #009e73; --fourth: #999;
  --soft: #f3f3f3; } figure, tr, li { break-inside: avoid; } h2, h3 { break-after: avoid; } }
* { box-sizing: border-box; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
body { margin: 0 auto; padding: 1rem; max-width: 44rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p.about, figcaption, td.note { color: var(--faint); font-size: .9rem; }
figure { margin: 1rem 0; }
figcaption ul { margin: .2rem 0; padding-left: 1.2rem; }
svg { display: block; margin-bottom: .4rem; width: 100%; max-width: 34rem; height: auto; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg text.faint { fill: var(--faint); }
ul.found { padding: 0; list-style: none; } ul.found li { padding: .4rem .7rem; margin: .4rem 0;
  border-left: .25rem solid var(--line); } ul.found li.warns { border-color: var(--other);
  background: var(--soft); } ul.found li.warns::before { content: "To know. "; font-weight: 600; }
table { border-collapse: collapse; font-size: .9rem; } th, td { padding: .2rem .5rem;
  text-align: right; vertical-align: top; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
td.number { white-space: nowrap; overflow-wrap: normal; padding: .2rem .35rem; }
th { font-weight: 600; }
.key span { display: inline-block; margin-right: 1rem; font-size: .9rem; }
.key i { display: inline-block; width: .8rem; height: .8rem; margin-right: .3rem; }
.text { background: var(--soft); padding: .6rem; margin: .3rem 0; white-space: pre-wrap;
  font-size: .9rem; line-height: 1.8; } .text span.less { text-decoration: underline dotted; }
footer { margin-top: 3rem; color: var(--faint); font-size: .85rem; }
"""

SIGNED = "<footer>Written by minirm "
"""Stands at the end of every page, and says that it may be written anew."""


def safe(text: object) -> str:
    """Text as text: no mark-up of the data comes through, nor what no page may hold.

    >>> safe('<b title="x">\\x00')
    '&lt;b title=&quot;x&quot;&gt;\\ufffd'
    """
    kept = (
        c if c in "\n\t" or (ord(c) >= 32 and not 0xD800 <= ord(c) < 0xE000) else "\ufffd"
        for c in str(text)
    )
    return html.escape("".join(kept), quote=True)


def sheet(title: str, body: Iterable[str]) -> str:
    """A whole page.

    Args:
        title: as plain text.
        body: pieces of HTML, in which all text of the data was made ``safe``.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{safe(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + f"\n{SIGNED}{safe(__version__)}.</footer>\n</body>\n</html>\n"
    )


def heading(level: int, text: str) -> str:
    """A heading of plain text."""
    return f"<h{level}>{safe(text)}</h{level}>"


def paragraph(text: str, *, about: bool = False) -> str:
    """A paragraph of plain text; ``about`` says how something was done, and is set back."""
    return f"<p{' class=about' if about else ''}>{safe(text)}</p>"


def sentences(found: Iterable[tuple[str, bool]]) -> str:
    """What was found, a sentence an item; True marks what whoever trusts it should know."""
    items = (
        f"<li{' class=warns' if warns else ''}>{safe(says).replace(' %', '&nbsp;%')}</li>"
        for says, warns in found
    )
    return f'<ul class="found">{"".join(items)}</ul>'


def figure(picture: str, caption: str, more: Sequence[str] = ()) -> str:
    """A picture (HTML), what it shows, and more of it point by point (plain text)."""
    points = "".join(f"<li>{safe(point)}</li>" for point in more)
    words = safe(caption) + (f"<ul>{points}</ul>" if points else "")
    return f"<figure>{picture}<figcaption>{words}</figcaption></figure>"


def cells(rows: Sequence[Sequence[str]]) -> str:
    """A table of plain text, whose first row is its head."""
    head, *rest = rows
    lines = ["<tr>" + "".join(f"<th>{safe(cell)}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{safe(cell)}</td>" for cell in row) + "</tr>" for row in rest]
    return f"<table>{''.join(lines)}</table>"
