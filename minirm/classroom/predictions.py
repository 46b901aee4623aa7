"""Room: what the reader expected, beside what came out."""

from __future__ import annotations

from collections.abc import Mapping


def compare_predictions(
    predicted: Mapping[str, float | None], measured: Mapping[str, float]
) -> None:
    """Print each prediction beside what was measured; None stands for no prediction.

    Args:
        predicted, measured: question -> number, with the same questions.

    Raises:
        ValueError: the questions differ.
    """
    if set(predicted) != set(measured):
        odd = sorted(set(predicted) ^ set(measured))
        raise ValueError(f"each question needs a prediction and a measurement; one only: {odd}")
    width = max(len(question) for question in measured)
    print(f"{'':{width}}  you said    it was")
    for question, guess in predicted.items():
        print(f"{question:{width}}  {_number(guess):>8}  {_number(measured[question]):>8}")


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"
