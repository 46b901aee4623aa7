"""What the reader expected, beside what came out.

In a notebook the reader's variable counts. In the built book no kernel stands behind the page:
there ``book/_static/predictions.js`` puts fields into the first table, keeps what is typed in the
reader's browser, and fills it into the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from numbers import Real

Numbers = Mapping[str, float | None]
NONE = "–"


@dataclass(frozen=True, repr=False)
class QuestionTable:
    """Questions and a number or two for each; shows itself as HTML or as plain text."""

    kind: str  # the HTML class, by which the page's script knows the table
    caption: str
    columns: Mapping[str, Numbers]  # heading -> question -> number, the same questions in each

    def rows(self) -> dict[str, list[str]]:
        first, *_ = self.columns.values()
        return {q: [_number(column[q]) for column in self.columns.values()] for q in first}

    def __repr__(self) -> str:
        rows = {"": list(self.columns), **self.rows()}
        width = max(map(len, rows))
        return "\n".join(
            f"{question:{width}}" + "".join(f"  {cell:>10}" for cell in cells)
            for question, cells in rows.items()
        )

    def _repr_html_(self) -> str:
        heads = "".join(f'<th scope="col">{name}</th>' for name in ("question", *self.columns))
        body = "".join(
            f'<tr><th scope="row">{escape(question)}</th>'
            + "".join(f"<td>{cell}</td>" for cell in cells)
            + "</tr>"
            for question, cells in self.rows().items()
        )
        return (
            f'<table class="dataframe {self.kind}"><caption>{self.caption}</caption>'
            f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
        )


def record_predictions(predicted: Numbers) -> QuestionTable:
    """The questions with the reader's guesses; in the built book, fields to write them in.

    Args:
        predicted: question -> number, or None where nothing was predicted yet.

    Raises:
        ValueError: a prediction is neither a number nor None.
    """
    _check(predicted)
    return QuestionTable("minirm-predictions", "Your predictions", {"your guess": predicted})


def compare_predictions(predicted: Numbers, measured: Mapping[str, float]) -> QuestionTable:
    """Each prediction beside what was measured; None stands for no prediction.

    Args:
        predicted: question -> number, or None.
        measured: the same questions -> number.

    Raises:
        ValueError: the questions differ, or a prediction is neither a number nor None.
    """
    if set(predicted) != set(measured):
        odd = sorted(set(predicted) ^ set(measured))
        raise ValueError(f"each question needs a prediction and a measurement; one only: {odd}")
    _check(predicted)
    columns = {"you said": predicted, "it was": measured}
    return QuestionTable("minirm-outcomes", "Your predictions and what came out", columns)


def _check(predicted: Numbers) -> None:
    for question, guess in predicted.items():
        if not isinstance(guess, Real | None):
            raise ValueError(f"{question!r}: expected a number or None, got {guess!r}")


def _number(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:.0f}" if abs(value) >= 100 or value % 1 == 0 else f"{value:.2f}"
