"""Pictures for a page: SVG and HTML as strings, narrow enough for a phone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from minirm.pages.sheet import safe

WIDTH = 340.0
EDGE = 6.0
COLOURS = ("var(--one)", "var(--other)", "var(--third)", "var(--fourth)")
_RGB = ("0,114,178", "213,94,0")
MOST = 0.55
"""Of a colour at its strongest, behind text that has to stay legible."""
Ends = Sequence[float]


@dataclass(frozen=True)
class Dot:
    """A number with its interval, in a row of its own.

    Attributes:
        label: what it is.
        value: where it lies.
        ends: its interval, or None.
        shown: the number as text.
    """

    label: str
    value: float
    ends: Ends | None = None
    shown: str = ""


def svg(height: float, parts: Sequence[str], alt: str) -> str:
    """An image with words for whoever does not see it."""
    return (
        f'<svg viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" aria-label="{safe(alt)}">'
        f"{''.join(parts)}</svg>"
    )


def dots(
    rows: Sequence[Dot],
    alt: str,
    *,
    span: tuple[float, float] = (0.0, 1.0),
    reference: float | None = None,
) -> str:
    """Numbers under each other on one scale, with their intervals.

    Args:
        rows: from top to bottom.
        alt: what there is to see.
        span: the ends of the scale.
        reference: where a line is drawn through all, such as chance.
    """
    low, high = span

    def x(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return EDGE + share * (WIDTH - 2 * EDGE)

    tall = 36.0
    height = tall * len(rows) + 16
    parts = []
    if reference is not None:
        parts.append(_line(x(reference), 0, x(reference), height - 14, "var(--line)", dashed=True))
    for i, row in enumerate(rows):
        y = tall * i
        parts.append(_text(EDGE, y + 13, row.label))
        parts.append(_text(WIDTH - EDGE, y + 13, row.shown or f"{row.value:.2f}", end=True))
        parts.append(_line(x(low), y + 25, x(high), y + 25, "var(--line)"))
        if row.ends is not None:
            parts.append(_line(x(row.ends[0]), y + 25, x(row.ends[1]), y + 25, COLOURS[0], wide=5))
        parts.append(
            f'<circle cx="{x(row.value):.1f}" cy="{y + 25:.1f}" r="5" fill="{COLOURS[0]}"/>'
        )
    parts.append(_text(EDGE, height - 2, _number(low), faint=True))
    parts.append(_text(WIDTH - EDGE, height - 2, _number(high), end=True, faint=True))
    if reference is not None and low < reference < high:
        parts.append(_text(x(reference), height - 2, _number(reference), middle=True, faint=True))
    return svg(height, parts, alt)


def stack(bars: Mapping[str, Mapping[str, float]], alt: str) -> str:
    """Bars of parts that add up, with a key; at most four parts have colours of their own.

    Args:
        bars: by their label, the parts by their names: any non-negative numbers.
        alt: what there is to see.
    """
    names = list(dict.fromkeys(name for bar in bars.values() for name in bar))
    colour = {name: COLOURS[min(i, len(COLOURS) - 1)] for i, name in enumerate(names)}
    parts, tall = [], 38.0
    for i, (label, bar) in enumerate(bars.items()):
        total, at = sum(bar.values()) or 1.0, EDGE
        parts.append(_text(EDGE, tall * i + 13, label))
        for name, value in bar.items():
            wide = value / total * (WIDTH - 2 * EDGE)
            parts.append(
                f'<rect x="{at:.1f}" y="{tall * i + 18:.1f}" width="{wide:.1f}" height="14" '
                f'fill="{colour[name]}" stroke="var(--ground)"/>'
            )
            at += wide
    return svg(tall * len(bars), parts, alt) + key(colour)


def key(colours: Mapping[str, str]) -> str:
    """Which colour is what."""
    marks = (
        f'<span><i style="background:{c}"></i>{safe(name)}</span>' for name, c in colours.items()
    )
    return f'<p class="key">{"".join(marks)}</p>'


def lines(
    series: Mapping[str, Sequence[tuple[float, Ends | None]]],
    labels: Sequence[str],
    alt: str,
    *,
    span: tuple[float, float] | None = None,
    reference: float = 0.0,
) -> str:
    """Numbers along steps, a line a series, with their intervals.

    Args:
        series: by its name, a value and its interval a step; a series may end early.
        labels: of the steps.
        alt: what there is to see.
        span: the ends of the scale; None: as far as the numbers go.
        reference: where a line is drawn through all.
    """
    every = [v for s in series.values() for value, ends in s for v in (value, *(ends or ()))]
    low, high = span or (min(reference, *every), max(reference, *every))
    high += (high == low) * 1.0
    left, top, base = 50.0, 10.0, 170.0

    def place(step: int, value: float, shift: float) -> tuple[float, float]:
        x = left + 16 + step * (WIDTH - left - 44) / max(1, len(labels) - 1) + shift
        return x, base - (value - low) / (high - low) * (base - top)

    parts = [_line(left, place(0, v, 0)[1], WIDTH, place(0, v, 0)[1], "var(--line)")
             for v in sorted({low, reference, high})]  # fmt: skip
    parts += [_text(left - 4, place(0, v, 0)[1] + 4, _number(v), end=True, faint=True)
              for v in _apart(low, reference, high)]  # fmt: skip
    for step, label in enumerate(labels):
        x = place(step, low, 0)[0]
        parts.append(_text(x, base + 16 + 13 * (step % 2), label, middle=True, faint=True))
    for i, values in enumerate(series.values()):
        shift = 4.0 * (i - (len(series) - 1) / 2)
        points = [place(step, value, shift) for step, (value, _) in enumerate(values)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dash = ' stroke-dasharray="5 3"' * (i % 2)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{COLOURS[i]}" stroke-width="2"{dash}/>'
        )
        for step, (_, ends) in enumerate(values):
            if ends is not None:
                a, b = (place(step, end, shift) for end in ends)
                parts.append(_line(*a, *b, COLOURS[i], wide=1.5))
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{COLOURS[i]}"/>'
                  for x, y in points]  # fmt: skip
    colours = {name: COLOURS[i] for i, name in enumerate(series)}
    return svg(base + 34, parts, alt) + key(colours)


def _apart(low: float, middle: float, high: float) -> list[float]:
    """Labels of an axis that do not stand on each other."""
    near = min(middle - low, high - middle) < (high - low) / 10
    return [low, high] if near else [low, middle, high]


def grid(names: Sequence[str], values: Sequence[Sequence[float]]) -> str:
    """A table of shares whose colour says which side of one half they lie; columns by letters."""
    letters = [_letters(i) for i in range(len(names))]
    rows = ["<tr><th></th>" + "".join(f"<th>{letter}</th>" for letter in letters) + "</tr>"]
    for letter, name, row in zip(letters, names, values, strict=True):
        shown = (
            f'<td class="number" style="background:{_tint(2 * v - 1)}">{v:.2f}</td>' for v in row
        )
        rows.append(f"<tr><td><b>{letter}</b> {safe(name)}</td>{''.join(shown)}</tr>")
    return f"<table>{''.join(rows)}</table>"


def _letters(place: int) -> str:
    """A to Z, then AA, AB, ..."""
    more, last = divmod(place, 26)
    return (_letters(more - 1) if more else "") + chr(ord("A") + last)


def marked(pieces: Sequence[tuple[str, float | None]], *, scale: float) -> str:
    """A text whose pieces are tinted by numbers: blue and plain above 0, orange and dotted below.

    Args:
        pieces: text and number (None: not known) of each; they follow each other without a gap.
        scale: the number of the strongest tint.
    """
    spans = []
    for text, value in pieces:
        if value is None:
            spans.append(f"<span>{safe(text)}</span>")
            continue
        less = ' class="less"' if value < 0 else ""
        tint = _tint(value / scale if scale else 0.0)
        spans.append(
            f'<span{less} style="background:{tint}" title="{value:+.3g}">{safe(text)}</span>'
        )
    return f'<div class="text">{"".join(spans)}</div>'


def _tint(share: float) -> str:
    strength = MOST * min(1.0, abs(share))
    return f"rgba({_RGB[share < 0]},{strength:.2f})"


def _line(
    x: float,
    y: float,
    x2: float,
    y2: float,
    colour: str,
    *,
    wide: float = 1.0,
    dashed: bool = False,
) -> str:
    dash = ' stroke-dasharray="3 3"' if dashed else ""
    return (
        f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{wide}"{dash}/>'
    )


def _text(
    x: float, y: float, text: str, *, end: bool = False, middle: bool = False, faint: bool = False
) -> str:
    anchor = ' text-anchor="end"' if end else ' text-anchor="middle"' if middle else ""
    kind = ' class="faint"' if faint else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{anchor}{kind}>{safe(text)}</text>'


def _number(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else ""
