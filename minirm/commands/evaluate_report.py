"""What ``minirm evaluate`` reports, as JSON has it: one model's figures, or two models compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minirm import benchmarks, metrics
from minirm.data.benchmarks import RM_BENCH, SCORED
from minirm.data.files import Row
from minirm.metrics.benchmarks import Figure


@dataclass(frozen=True)
class Scored:
    """The rewards of a model or a baseline.

    Attributes:
        name: of either.
        chosen: rewards [B] of the chosen responses.
        rejected: rewards [B] of the rejected ones.

    Both are NaN for a pair that a baseline cannot read.
    """

    name: str
    chosen: Tensor
    rejected: Tensor

    def right(self) -> np.ndarray:
        """1 for each pair that is ranked right, 0.5 for a tie: [B]."""
        return ((self.chosen > self.rejected) + 0.5 * (self.chosen == self.rejected)).cpu().numpy()

    def at(self, places: Sequence[int]) -> Scored:
        """The same for some of the pairs."""
        return replace(self, chosen=self.chosen[places], rejected=self.rejected[places])

    def read(self) -> list[int]:
        """Places of the pairs that it can read."""
        return torch.nonzero(~(self.chosen.isnan() | self.rejected.isnan())).flatten().tolist()

    def accuracy(self) -> float | None:
        """Of the pairs that it can read; None where there is none."""
        own = self.at(self.read())
        return metrics.accuracy(own.chosen, own.rejected) if len(own.chosen) else None


@dataclass(frozen=True)
class Sample:
    """The pairs that are evaluated.

    Attributes:
        rows: [B], of each pair the row that it comes from.
        prompts: [B], what each prompt is told apart by.
        units: [B], the same for pairs that are not independent.
        benchmark: which public benchmark the rows are, if any.
        groups: places of pairs by the name of their group.
    """

    rows: Sequence[Row]
    prompts: Sequence[str]
    units: Sequence[int]
    benchmark: str | None = None
    groups: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def at(self, places: Sequence[int]) -> Sample:
        """Some of the pairs, in one group."""
        rows, prompts = [self.rows[i] for i in places], [self.prompts[i] for i in places]
        return Sample(rows, prompts, [self.units[i] for i in places])


def reported(model: Scored, baselines: Sequence[Scored], sample: Sample) -> dict[str, Any]:
    """A model's figures, in all, by group and as the benchmark has them."""
    report = measures(model, baselines, sample)
    if sample.groups:
        report["by"] = {
            name: measures(model.at(places), [b.at(places) for b in baselines], sample.at(places))
            for name, places in sample.groups.items()
        }
    if sample.benchmark in SCORED:
        report["benchmark"] = _benchmark(model, baselines, sample)
    return report


def measures(model: Scored, baselines: Sequence[Scored], sample: Sample) -> dict[str, Any]:
    """Accuracy with its interval, margins and calibration; and the baselines' accuracies."""
    chosen, rejected = model.chosen, model.rejected
    report = {
        "pairs": len(chosen),
        "prompts": len(set(sample.prompts)),
        "units": len(set(sample.units)),
        "accuracy": metrics.accuracy(chosen, rejected),
        "interval": metrics.cluster_interval(model.right().tolist(), sample.units),
        "margin": float((chosen - rejected).double().mean()),
        "normalised_margin": metrics.normalised_margin(chosen, rejected),
        "calibration_error": metrics.calibration_error(chosen, rejected),
        "brier_score": metrics.brier_score(chosen, rejected),
        "baselines": {b.name: b.accuracy() for b in baselines},
    }
    fewer = {b.name: len(b.read()) for b in baselines if len(b.read()) < len(chosen)}
    return report | ({"baseline_pairs": fewer} if fewer else {})


def _items(scored: Scored, sample: Sample) -> tuple[list[benchmarks.Item], int]:
    read = scored.read()
    scored, sample = scored.at(read), sample.at(read)
    rewards = scored.chosen.tolist(), scored.rejected.tolist()
    return benchmarks.items(sample.rows, [str(unit) for unit in sample.units], *rewards)


def _benchmark(model: Scored, baselines: Sequence[Scored], sample: Sample) -> dict[str, Any]:
    name = str(sample.benchmark)
    items, left_out = _items(model, sample)
    if not items:
        return {"name": name, "items": 0, "left_out": left_out, "figures": {}}
    found = benchmarks.figures(name, items)
    cheap = {}
    for baseline in baselines:
        own, _ = _items(baseline, sample)
        cheap[baseline.name] = benchmarks.figures(name, own) if own else {}
    figures = {
        key: _figure(figure)
        | {"baselines": {b: other[key].value if key in other else None
                         for b, other in cheap.items()}}
        for key, figure in found.items()
    }  # fmt: skip
    report = {"name": name, "items": len(items), "left_out": left_out, "figures": figures}
    if name == RM_BENCH:
        ties = sum(a == b for item in items for a in item.chosen for b in item.rejected)
        report |= {"matrix": benchmarks.matrix(items).tolist(), "ties": ties}
    return report


def _figure(figure: Figure) -> dict[str, Any]:
    return {"value": figure.value, "interval": figure.interval}


def compared(first: Scored, second: Scored, sample: Sample) -> dict[str, Any]:
    """By how much the first model's accuracy exceeds the second's, in all, by group, and so on."""
    report = _difference(first, second, sample.units)
    if sample.groups:
        report["by"] = {
            name: _difference(
                first.at(places), second.at(places), [sample.units[i] for i in places]
            )
            for name, places in sample.groups.items()
        }
    if sample.benchmark in SCORED:
        name = str(sample.benchmark)
        (one, _), (other, _) = (_items(scored, sample) for scored in (first, second))
        found = benchmarks.differences(name, one, other) if one else {}
        report["benchmark"] = {key: _figure(figure) for key, figure in found.items()}
    return report


def _difference(first: Scored, second: Scored, units: Sequence[int]) -> dict[str, Any]:
    gaps = first.right() - second.right()
    return {
        "pairs": len(gaps),
        "accuracy": float(gaps.mean()),
        "interval": metrics.difference_interval(gaps.tolist(), units),
        "wins": int((gaps > 0).sum()),
        "ties": int((gaps == 0).sum()),
        "losses": int((gaps < 0).sum()),
    }
