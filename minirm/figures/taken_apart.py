"""Live figures of the part *Taken apart*: dose and response, two judges, design and world."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from minirm.figures.collapse import plot_tokens
from minirm.figures.live import LiveFigure
from minirm.figures.shares import PARTS, plot_dose, plot_shares
from minirm.figures.style import IMPLICIT
from minirm.reward_model import RewardModel
from minirm.rewards import ImplicitRM
from minirm.worlds import opinions

MEASURED = (*PARTS, "low", "high", "accuracy")
ACCURACIES = ("paraphrase", "swapped", "bare")
HOLDS = 0.5  # of a reward's variance: with less than that a cell of the 2 x 2 fails


class DoseFigure(LiveFigure):
    """How much of each reward is meaning when the reader drags the agreement; ``dose_data``.

    Between two measured doses the numbers are those of the straight line. Where there are several
    worlds, one can be chosen.
    """

    module = "dose.js"

    @staticmethod
    def compute(data: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, float]:
        worlds, agreement = data["worlds"], state["agreement"]
        lines = worlds[state.get("world", next(iter(worlds)))]
        return {
            f"{reward}: {name}": _interpolate(lines[reward], name, agreement)
            for reward in data["rewards"]
            if reward in lines
            for name in MEASURED
        }


def dose_data(summary: pd.DataFrame) -> dict[str, Any]:
    """What ``DoseFigure`` draws.

    Args:
        summary: of ``minirm.figures.shares.summary`` by "world", "reward" and "agreement" (0.5 to
            1); worlds and rewards are shown in the order of their first rows, by these names.
    """
    worlds: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in summary.to_dict("records"):
        numbers = {name: _plain(row[name]) for name in ("agreement", *MEASURED)}
        worlds.setdefault(row["world"], {}).setdefault(row["reward"], []).append(numbers)
    return {"worlds": worlds, "rewards": list(dict.fromkeys(summary["reward"]))}


def dose_picture(data: Mapping[str, Any], *, title: str, world: str | None = None) -> Figure:
    """``plot_dose`` of one world of ``dose_data``, the first where none is named."""
    lines = data["worlds"][world or next(iter(data["worlds"]))]
    table = [
        {"reward": reward, **p, "mean": p["meaning"]}
        for reward in data["rewards"]
        for p in lines.get(reward, ())
    ]
    return plot_dose(table, title=title)


class JudgesFigure(LiveFigure):
    """Prefix and phrase to choose on two sides, and both judges' rewards of them; ``judges_data``.

    It starts with the first prefix and the first right phrase against the second prefix and the
    first wrong phrase.
    """

    module = "judges.js"

    @staticmethod
    def compute(data: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, float]:
        found: dict[str, float] = {}
        for side in "ab":
            answer = data["answers"][f"{state[f'{side}_prefix']},{state[f'{side}_phrase']}"]
            nats = [share / data["beta"] for share in answer["shares"]]
            found |= {f"{side} token {k}": value for k, value in enumerate(nats)}
            found |= {f"{side} nats": sum(nats), f"{side} implicit": sum(answer["shares"])}
            found[f"{side} explicit"] = answer["explicit"]
        gaps = {f"{k} gap": found[f"a {k}"] - found[f"b {k}"] for k in ("explicit", "implicit")}
        return found | gaps


def judges_data(
    explicit: RewardModel,
    implicit: ImplicitRM,
    prompt: str,
    prefixes: Sequence[str],
    phrases: Mapping[str, bool],
) -> dict[str, Any]:
    """What two judges give to every answer made of a prefix and a phrase.

    Args:
        explicit: gives one reward to a whole answer.
        implicit: gives each token its share.
        prompt: ends in the space that separates it from its answer.
        prefixes: the first two are those that the figure starts with; "" for none.
        phrases: phrase -> whether it is the right answer.
    """
    said = {
        f"{i},{j}": opinions.answer(prefix, phrase)
        for i, prefix in enumerate(prefixes)
        for j, phrase in enumerate(phrases)
    }
    rewards = explicit.score([prompt] * len(said), list(said.values())).tolist()
    answers = {}
    for (key, response), reward in zip(said.items(), rewards, strict=True):
        tokens, shares = implicit.token_rewards(prompt, response)
        answers[key] = {"tokens": tokens, "shares": shares.tolist(), "explicit": reward}
    return {
        "prompt": prompt,
        "beta": implicit.beta,
        "prefixes": list(prefixes),
        "phrases": [{"text": text, "right": right} for text, right in phrases.items()],
        "answers": answers,
    }


def judges_picture(data: Mapping[str, Any], *, title: str) -> Figure:
    """The pair that ``JudgesFigure`` starts with: the implicit reward of both answers by tokens."""
    panels = []
    for prefix, right in enumerate((True, False)):
        phrase = [p["right"] for p in data["phrases"]].index(right)
        answer = data["answers"][f"{prefix},{phrase}"]
        said = opinions.answer(data["prefixes"][prefix], data["phrases"][phrase]["text"])
        total = sum(answer["shares"])
        rewards = f"explicit {answer['explicit']:+.3g}, implicit {total:+.3g}".replace("-", "−")
        label = f"“{said}”\n{rewards}"
        panels.append((label, answer["tokens"], answer["shares"]))
    return plot_tokens(panels, colours=[IMPLICIT] * 2, title=title)


class TwoByTwoFigure(LiveFigure):
    """Two designs of training by two worlds, for the rung that the reader chooses.

    ``two_by_two_data``; ``failure`` has the words of a cell.
    """

    module = "twobytwo.js"

    @staticmethod
    def compute(data: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, float]:
        return {
            f"{place}: {name}": math.nan if cell[name] is None else cell[name]
            for place, cell in data["cells"][state["rung"]].items()
            for name in (*PARTS, *ACCURACIES)
        }


def two_by_two_data(
    summary: pd.DataFrame, designs: Mapping[str, str], worlds: Mapping[str, str]
) -> dict[str, Any]:
    """What ``TwoByTwoFigure`` draws.

    Args:
        summary: of ``minirm.figures.shares.summary`` by "rung", "design" and "world", with "more"
            the accuracies "paraphrase", "swapped" and "bare"; rungs in the order of first rows.
        designs: what a design is called in the figure -> its name in ``summary``; the first is
            the one in which the prefix foretells the label, the second has no such cue.
        worlds: likewise, the one with facts first.

    Raises:
        KeyError: a rung lacks a cell.
    """
    rows = summary.set_index(["rung", "design", "world"])
    rungs = list(dict.fromkeys(summary["rung"]))
    cells = {
        rung: {
            f"{shown}|{where}": {
                name: _plain(rows.loc[(rung, design, world), name])
                for name in (*PARTS, *ACCURACIES)
            }
            for shown, design in designs.items()
            for where, world in worlds.items()
        }
        for rung in rungs
    }
    return {"rungs": rungs, "designs": list(designs), "worlds": list(worlds), "cells": cells}


def failure(data: Mapping[str, Any], rung: str, design: str, world: str) -> str:
    """Which failure a cell shows: it fails where less than half of the reward is meaning.

    With the cue it is a shortcut, if without the cue the same world holds. Without one it is drift,
    and what the reward follows instead is named.
    """
    cells, (cue, plain) = data["cells"][rung], data["designs"]
    shares = cells[f"{design}|{world}"]
    if shares["meaning"] is None:
        return "nothing: this reward never changes"
    if _holds(shares):
        return "holds: most of it is meaning"
    if design == cue and _holds(cells[f"{plain}|{world}"]):
        return "shortcut: the prefix is taken for the answer"
    if design == cue:
        return "shortcut or drift: without the cue it fails too"
    most = max(list(PARTS)[1:], key=lambda name: shares[name] or 0)
    return f"drift: no shortcut on offer, and most of it is {PARTS[most]}"


def two_by_two_picture(data: Mapping[str, Any], *, title: str, rung: str | None = None) -> Figure:
    """The four bars of one rung of ``two_by_two_data``, the first where none is named."""
    rung = rung or data["rungs"][0]
    bars = {}
    for design in data["designs"]:
        for world in data["worlds"]:
            kind = failure(data, rung, design, world).partition(":")[0]
            label = f"{design},\n{world} ({kind})"
            cell = data["cells"][rung][f"{design}|{world}"]
            bars[label] = {n: math.nan if cell[n] is None else cell[n] for n in PARTS}
    return plot_shares(bars, title=title)


def _interpolate(points: list[Mapping[str, Any]], name: str, agreement: float) -> float:
    """A number at a dose: measured, or between two; not a number outside of them."""
    table = {p["agreement"]: math.nan if p[name] is None else p[name] for p in points}
    for dose, value in table.items():
        if math.isclose(dose, agreement, abs_tol=1e-9):
            return value
    for (below, low), (above, high) in pairwise(sorted(table.items())):
        if below < agreement < above:
            return low + (agreement - below) / (above - below) * (high - low)
    return math.nan


def _holds(shares: Mapping[str, Any]) -> bool:
    return shares["meaning"] is not None and shares["meaning"] >= HOLDS


def _plain(value: Any) -> float | None:
    """A number as JSON has it, which knows no NaN."""
    return float(value) if value is not None and math.isfinite(value) else None
