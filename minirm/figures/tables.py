"""Cells of a chapter's tables: what is to be read together stays together."""

import math

STAYS = "\N{NO-BREAK SPACE}"


def with_interval(mean: float, low: float, high: float, form: str = ".2f") -> str:
    """A mean and its interval, for a cell of a table.

    A narrow cell breaks between the two and nowhere inside the interval.

    Args:
        mean: in any unit; NaN where there is none to say, which gives a dash.
        low: lower end, in the same unit.
        high: upper end, in the same unit; an interval that is NaN, as of one run, is left out.
        form: of each number, as in a format string.

    Example:
        >>> with_interval(0.5, 0.25, 0.75).replace(STAYS, " ")
        '0.50 [0.25, 0.75]'
        >>> with_interval(float("nan"), 0.0, 1.0)
        '–'
    """
    if math.isnan(mean):
        return "–"
    said = f"{mean:{form}}"
    if math.isnan(low) or math.isnan(high):
        return said
    return f"{said} [{low:{form}},{STAYS}{high:{form}}]"
