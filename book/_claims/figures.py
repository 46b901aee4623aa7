"""A claim's figure, from a recipe over a results file: which rows, which column, what of them.

A recipe is what a row of ``claims.yml`` has under ``figure``. For a number that a source gives::

    reported: "0.022"

and for one that was measured::

    file: persona.json
    where: {condition: "paraphrase, test", base: [seed - 0, seed - 1], step: last}
    column: accuracy
    unit: base

A ``where`` keeps the rows whose column has the value, or one of the values; ``last`` stands for the
largest of a column of numbers. The rows of a unit (of several columns: of a combination of them)
are averaged first, and what follows is over units:

- ``statistic``: ``mean`` (with Student's t interval; the default), ``median``, ``min``, ``max``, or
  ``count``, how many units are ``above`` or ``below`` a bound, or ``equal`` to it;
- ``minus``: what ``where`` has changed for a second number of each unit, which is taken off, or the
  name of the column that has it; ``over``: likewise, and divided by;
- ``bounded: true``: a share, whose interval ends at 0 and at 1;
- ``times``: a factor, such as 100; ``show``: Python's format, ``.2f`` unless said;
- ``said``: the form in the ledger's own sentence.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from minirm.experiments.results import load_results
from minirm.metrics import accuracy_interval, t_interval

RESULTS = Path(__file__).resolve().parents[1] / "results"
FORMS = ("mean", "range", "percent", "words")
WORDS = (
    "none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
)  # fmt: skip
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MEASURED = {
    "file", "where", "column", "unit", "statistic", "above", "below", "equal", "minus", "over",
    "bounded", "times", "show", "said",
}  # fmt: skip
STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "mean": statistics.fmean,
    "median": statistics.median,
    "min": min,
    "max": max,
}


class Recipe(ValueError):
    """A recipe that cannot be followed."""


@dataclass(frozen=True)
class Figure:
    """A number, its interval where it has one, and the numbers of the units that it is over."""

    text: str
    interval: tuple[str, str] | None = None
    least_most: tuple[str, str] | None = None
    value: float | None = None
    of: int | None = None  # units, where it counts them

    def said(self, form: str = "") -> str:
        """In words and digits.

        Args:
            form: ``""``, the number with its interval; or ``mean``, without; ``range``, the least
                and the most of the units; ``percent``; ``words``, of a count.

        Raises:
            Recipe: the figure has no such form.
        """
        if form == "" and self.interval:
            return f"{self.text} [{', '.join(self.interval)}]"
        if form in ("", "mean"):
            return self.text
        if form == "range" and self.least_most:
            low, high = self.least_most
            return low if low == high else f"{low} to {high}"
        if form == "percent" and self.value is not None:
            share = self.value / (self.of or 1)
            return f"{signed(f'{100 * share:.0f}')} percent"
        if form == "words" and self.of is not None:
            return " of ".join(in_words(n) for n in (round(self.value or 0), self.of))
        raise Recipe(f"the figure {self.text!r} has no form {form!r}")


def figure(recipe: Mapping[str, Any]) -> Figure:
    """Follow a recipe.

    Raises:
        Recipe: it is not one, or names a file, a column or rows that are not there.
    """
    if "reported" in recipe:
        if recipe.keys() - {"reported"} or not isinstance(recipe["reported"], str):
            raise Recipe(f"a reported figure is a text and nothing else, got {dict(recipe)}")
        return Figure(recipe["reported"])
    if unknown := recipe.keys() - MEASURED:
        raise Recipe(f"unknown in a recipe: {sorted(unknown)}")
    values = _values(recipe)

    def show(value: float) -> str:
        return signed(format(value, recipe.get("show", ".2f")))

    statistic = recipe.get("statistic", "mean")
    if statistic == "count":
        n = sum(_counts(value, recipe) for value in values)
        return Figure(f"{n} of {len(values)}", value=n, of=len(values))
    if statistic not in STATISTICS:
        raise Recipe(f"the statistic must be count or one of {list(STATISTICS)}: {statistic!r}")
    value = STATISTICS[statistic](values)
    ends = None
    if statistic == "mean" and len(values) > 1:
        ends = (accuracy_interval if recipe.get("bounded") else t_interval)(values)
    return Figure(
        show(value),
        interval=(show(ends[0]), show(ends[1])) if ends else None,
        least_most=(show(min(values)), show(max(values))),
        value=value,
    )


@cache
def load(file: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The header and the rows of a file in ``results``."""
    if not (RESULTS / file).is_file():
        raise Recipe(f"there is no results/{file}")
    return load_results(RESULTS / file)


def _values(recipe: Mapping[str, Any]) -> list[float]:
    """One number a unit."""
    where, times = recipe.get("where", {}), recipe.get("times", 1)
    mine = _by_unit(recipe, where)
    for key, join in (("minus", lambda a, b: a - b), ("over", lambda a, b: a / b)):
        if key in recipe:
            second = recipe[key]
            column = {"column": second} if isinstance(second, str) else {}
            change = {} if column else second
            other = _by_unit({**recipe, **column}, {**where, **change})
            if mine.keys() != other.keys():
                raise Recipe(f"{key}: the units differ: {sorted(mine)} and {sorted(other)}")
            mine = {unit: join(value, other[unit]) for unit, value in mine.items()}
    return [times * value for value in mine.values()]


def _by_unit(recipe: Mapping[str, Any], where: Mapping[str, Any]) -> dict[tuple[Any, ...], float]:
    _, rows = load(recipe["file"])
    unit = recipe["unit"]
    units = [unit] if isinstance(unit, str) else list(unit)
    column = recipe["column"]
    if gone := {column, *units, *where} - set(rows[0]):
        raise Recipe(f"results/{recipe['file']} has no columns {sorted(gone)}")
    for name, wanted in where.items():
        if wanted == "last" and not isinstance(rows[0][name], str):
            wanted = max(row[name] for row in rows)
        allowed = wanted if isinstance(wanted, list) else [wanted]
        if missing := [value for value in allowed if value not in {row[name] for row in rows}]:
            raise Recipe(f"results/{recipe['file']}: no row left with {name} = {missing}")
        rows = [row for row in rows if row[name] in allowed]
    grouped: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        if row[column] is not None:
            grouped.setdefault(tuple(row[name] for name in units), []).append(row[column])
    if not grouped:
        raise Recipe(f"results/{recipe['file']}: no number in {column} for {dict(where)}")
    return {key: statistics.fmean(values) for key, values in grouped.items()}


def _counts(value: float, recipe: Mapping[str, Any]) -> bool:
    bounds = [key for key in ("above", "below", "equal") if key in recipe]
    if len(bounds) != 1:
        raise Recipe(f"a count needs one of above, below, equal; got {bounds}")
    bound = recipe[bounds[0]]
    return {"above": value > bound, "below": value < bound, "equal": value == bound}[bounds[0]]


def signed(text: str) -> str:
    """A formatted number as it is printed: no minus zero, a true minus, a power of ten."""
    number, _, exponent = text.partition("e")
    if number.startswith("-"):
        number = number[1:] if not number.strip("-0.") else f"−{number[1:]}"
    return f"{number} × 10{str(int(exponent)).translate(RAISED)}" if exponent else number


def in_words(n: int) -> str:
    """``three``; from thirteen on, digits."""
    return WORDS[n] if n < len(WORDS) else str(n)
