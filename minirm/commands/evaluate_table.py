"""What ``minirm evaluate`` prints where nobody asked for JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from minirm.commands.shared import table
from minirm.metrics.benchmarks import STYLES
from minirm.plurals import counted

REACHED = "*"
"""Marks a figure that one of the baselines reaches."""


CEILING = "ceiling (given)"
"""The line of what --ceiling says."""


def text_of(report: Mapping[str, Any]) -> str:
    """The tables of one model's report or of two models', and what has to be said below them.

    Args:
        report: what ``--json`` prints.
    """
    models = report.get("models", [report])
    parts = [_accuracies(models)]
    if "benchmark" in models[0]:
        parts.append(_benchmark(models))
    if "comparison" in report:
        parts.append(_comparison(report["comparison"], models))
    text = "\n\n".join(parts)
    return "\n".join([text, *_remarks(models, reached=REACHED in text)])


def _accuracies(models: Sequence[Mapping[str, Any]]) -> str:
    baselines = list(models[0]["baselines"])
    head = ["", "pairs", "accuracy", "95 % interval", *baselines]
    body = []
    for model in models:
        name = "" if len(models) == 1 else f"{model['model']}: "
        for group, found in {"all": model, **model.get("by", {})}.items():
            body.append([f"{name}{group}", *_cells(found, baselines)])
    if "ceiling" in models[0]:
        body.append([CEILING, "", f"{models[0]['ceiling']:.4f}", *[""] * (len(baselines) + 5)])
    return table([[*head, "margin", "normalised", "ECE", "Brier"], *body])


def _cells(found: Mapping[str, Any], baselines: Sequence[str]) -> list[str]:
    best = _best(found, found.get("baseline_pairs", ()))
    return [
        str(found["pairs"]),
        _marked(found["accuracy"], best),
        _between(found["interval"]),
        *(_value(found["baselines"][name]) for name in baselines),
        f"{found['margin']:.4g}",
        f"{found['normalised_margin']:.3f}",
        f"{found['calibration_error']:.4f}",
        f"{found['brier_score']:.4f}",
    ]


def _best(found: Mapping[str, Any], fewer: Collection[str]) -> float:
    """The best baseline's figure; one of ``fewer`` pairs is not the model's to be compared with."""
    known = (v for name, v in found["baselines"].items() if v is not None and name not in fewer)
    return max(known, default=0.0)


def _value(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _marked(value: float, best: float) -> str:
    return f"{value:.4f}{REACHED if best >= value else ''}"


def _between(interval: Sequence[float] | None, form: str = ".4f") -> str:
    return "" if interval is None else "-".join(f"{end:{form}}" for end in interval)


def _benchmark(models: Sequence[Mapping[str, Any]]) -> str:
    first = models[0]["benchmark"]
    baselines, fewer = list(models[0]["baselines"]), models[0].get("baseline_pairs", ())
    head = [first["name"]]
    for model in models:
        head += [model["model"] if len(models) > 1 else "figure", "95 % interval"]
    rows = [[*head, *baselines]]
    for key in first["figures"]:
        cheap = first["figures"][key]["baselines"]
        row = [key]
        for model in models:
            figure = model["benchmark"]["figures"][key]
            row += [_marked(figure["value"], _best(figure, fewer)), _between(figure["interval"])]
        rows.append([*row, *(_value(cheap[name]) for name in baselines)])
    parts = [table(rows)]
    parts += [_matrix(model, alone=len(models) == 1) for model in models if _has_matrix(model)]
    return "\n\n".join(parts)


def _has_matrix(model: Mapping[str, Any]) -> bool:
    return "matrix" in model["benchmark"]


def _matrix(model: Mapping[str, Any], *, alone: bool) -> str:
    corner = "chosen below, rejected right"
    head = [corner if alone else f"{model['model']}: {corner}", *STYLES]
    rows = [[style, *(f"{value:.4f}" for value in row)]
            for style, row in zip(STYLES, model["benchmark"]["matrix"], strict=True)]  # fmt: skip
    return table([head, *rows])


def _comparison(found: Mapping[str, Any], models: Sequence[Mapping[str, Any]]) -> str:
    first, second = (model["model"] for model in models)
    head = [f"{first} - {second}", "pairs", "accuracy", "95 % interval", "wins", "ties", "losses"]
    rows = [
        [
            name,
            str(part["pairs"]),
            f"{part['accuracy']:+.4f}",
            _ends(part["interval"]),
            *(str(part[key]) for key in ("wins", "ties", "losses")),
        ]
        for name, part in {"all": found, **found.get("by", {})}.items()
    ]
    text = table([head, *rows])
    if "benchmark" in found:
        rows = [[key, f"{figure['value']:+.4f}", _ends(figure["interval"])]
                for key, figure in found["benchmark"].items()]  # fmt: skip
        text += "\n\n" + table([[f"{first} - {second}", "figure", "95 % interval"], *rows])
    return text


def _ends(interval: Sequence[float] | None) -> str:
    return "" if interval is None else " to ".join(f"{end:+.4f}" for end in interval)


def _remarks(models: Sequence[Mapping[str, Any]], *, reached: bool) -> list[str]:
    first = models[0]
    lines = []
    if reached:
        lines.append(f"{REACHED} one of the baselines beside it reaches as much")
    pairs = counted(first["pairs"], "pair")
    about = f"{pairs} on {counted(first['prompts'], 'prompt')}"
    if first["units"] < first["prompts"]:
        lines.append(
            f"{about}, of {counted(first['units'], 'item')}: the intervals count an item, in all "
            "its versions, as one unit"
        )
    elif first["prompts"] < first["pairs"]:
        lines.append(f"{about}: the intervals count a prompt as one unit")
    for name, read in first.get("baseline_pairs", {}).items():
        lines.append(
            f"{name} is measured on the {read} of {pairs} that its model can read, "
            "and marks no figure of more"
        )
    for model in models:
        name = "" if len(models) == 1 else f"{model['model']}: "
        if model["accuracy"] > model.get("ceiling", 1.0):
            lines.append(
                f"{name}the accuracy lies above the ceiling given: it was known some other way "
                "(a leak?), or the labels are less noisy than that"
            )
        if model["overlong"]:
            lines.append(f"{name}left out as too long for the model's context: {model['overlong']}")
        own = model.get("benchmark", {})
        if own.get("left_out"):
            lines.append(
                f"{name}items left out of {own['name']}'s figures, for want of a pair: "
                f"{own['left_out']}"
            )
        if own.get("ties"):
            tied = counted(own["ties"], "comparison is a tie", "comparisons are ties")
            lines.append(f"{name}{tied}, which RM-Bench counts as wrong")
    return lines
