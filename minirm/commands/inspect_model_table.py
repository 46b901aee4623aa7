"""What ``minirm inspect MODEL`` prints where nobody asked for JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from minirm.commands.shared import table
from minirm.plurals import counted
from minirm.reading.findings import Finding, findings, left_out

Report = Mapping[str, Any]
MARK = "!"
"""Stands before what whoever trusts the model should know."""
WIDTH = 100
WORDS = 5
"""So many pieces of an answer are named."""


def text_of(report: Report) -> str:
    """What was looked at, what was found in words, and the numbers of rewrites and pairs.

    Args:
        report: what ``--json`` prints.
    """
    said = findings(report)
    parts = [
        "\n".join(_head(report)),
        "\n".join(map(_sentence, said)),
        _rewrites(report["rewrites"]),
        "\n".join(line for pair in report["apart"] for line in _apart(pair)),
    ]
    if any(finding.warns for finding in said):
        parts.append(f"{MARK} to know before the model is trusted")
    return "\n\n".join(parts)


def _sentence(finding: Finding) -> str:
    """Over several lines, with no line that begins with a "%"."""
    lines = textwrap.fill(
        finding.says.replace(" %", "\0%"),
        WIDTH,
        initial_indent=f"{MARK if finding.warns else ' '} ",
        subsequent_indent="  ",
    )
    return lines.replace("\0", " ")


def _head(report: Report) -> Iterator[str]:
    taken = report["taken"]
    drawn = f"{taken['items']} of {report['items']} items, drawn at random (--max-items)"
    if taken["items"] == report["items"]:
        drawn = "all items" if taken["items"] > 1 else "1 item"
    kind = report["reward"]
    about = (
        f"{report['model']}: {'a' if kind == 'generative' else 'an'} {kind} reward, looked at on "
    )
    about += f"{', '.join(report['data'])} (read as {report['format']})"
    yield textwrap.fill(about, WIDTH, subsequent_indent="  ", break_long_words=False)
    yield (
        f"  {drawn}, {counted(taken['pairs'], 'pair')}; "
        f"{counted(report['scored'], 'distinct answer')} scored"
    )
    if out := left_out(report):
        yield f"  left out: {', '.join(out)}"


def _rewrites(rewrites: Report) -> str:
    head = ["rewrite", "pairs", "flips", "95 %", "|change|", "95 %", "change", "95 %", "accuracy"]
    rows = [head]
    for name, found in rewrites.items():
        if not found["pairs"]:
            rows.append([name, "0", *[""] * 7])
            continue
        rows.append(
            [
                name,
                str(found["pairs"]),
                f"{found['flips']:.3f}",
                _ends(found["flips_interval"]),
                f"{found['change']:.2f}",
                _ends(found["change_interval"], ".2f"),
                f"{found['shift']:+.2f}",
                _ends(found["shift_interval"], "+.2f"),
                f"{found['before']:.3f} to {found['after']:.3f}",
            ]
        )
    return (
        table(rows)
        + "\nflips: rankings turned round; change: of the reward, in standard deviations of all"
    )


def _ends(ends: Sequence[float] | None, form: str = ".3f") -> str:
    return "" if ends is None else " to ".join(f"{end:{form}}" for end in ends)


def _apart(pair: Report) -> Iterator[str]:
    yield f"{pair['which']} margin, {pair['margin']:+.4g} ({pair['origin']}): what most speaks"
    for side in ("chosen", "rejected"):
        found = [(drop, piece) for piece, drop in pair[side]["pieces"] if drop is not None]
        found.sort(key=lambda both: -abs(both[0]))
        words = ", ".join(f"{_short(piece)} {drop:+.3g}" for drop, piece in found[:WORDS])
        yield f"  {side:9}{words or 'a single word'}"


def _short(piece: str) -> str:
    return repr(textwrap.shorten(piece, 40, placeholder=" ..."))
