"""From the rewards of every answer to the figures of one row: all sets, groups and wordings."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from minirm import metrics
from minirm.experiments.shift_sets import GROUPS, WORDINGS

Values = Mapping[str, np.ndarray]
OF_A_SET = (
    "pairs", "accuracy", "low", "high", "margin", "signed", "size", "calibration", "Brier",
    "length-free", "length", "equal length", "equal length pairs",
)  # fmt: skip
OF_A_GROUP = ("accuracy", "low", "high", "length-free")


def described(
    rewards: Values, lengths: Values, units: Mapping[str, Sequence[Hashable]]
) -> dict[str, Any]:
    """The figures of all sets.

    Args:
        rewards: of each set [B, 2], chosen first; NaN for a pair that was left out.
        lengths: the same of the answers' lengths in tokens.
        units: of each set what its kept pairs belong to.

    Returns:
        "SET FIGURE" for every set and each of ``OF_A_SET``: how many pairs; the accuracy with its
        95 % interval over units; the mean margin in units of reward, and signed and unsigned over
        the standard deviation; calibration error and Brier score; the accuracy after length was
        regressed out (``metrics.length_free``) and the correlation with length; the accuracy over
        pairs that differ by a tenth in length at most, and how many these are (None where there
        are none). "GROUP FIGURE" for each of ``OF_A_GROUP``. Then the shares of
        ``metrics.wording_share`` over the four wordings, "content", "wording" and "rest", and once
        more with length as a covariate: "length share", "content beyond length", and so on; None
        where the rewards are all equal.
    """
    row: dict[str, Any] = {}
    right: dict[str, np.ndarray] = {}
    free: dict[str, np.ndarray] = {}
    for name, both in rewards.items():
        whole = ~np.isnan(both).any(1)
        found, right[name], free[name] = _of_a_set(both[whole], lengths[name][whole], units[name])
        row |= {f"{name} {figure}": found[figure] for figure in OF_A_SET}
    for group, names in GROUPS.items():
        joined = np.concatenate([right[name] for name in names])
        low, high = metrics.cluster_interval(
            joined.tolist(), [unit for name in names for unit in units[name]]
        )
        apart = np.concatenate([free[name] for name in names])
        found = dict(
            zip(OF_A_GROUP, (float(joined.mean()), low, high, float(apart.mean())), strict=True)
        )
        row |= {f"{group} {figure}": value for figure, value in found.items()}
    grids = (np.stack([v[name] for name in WORDINGS], 1) for v in (rewards, lengths))
    return row | _shares(*grids)


def _of_a_set(
    rewards: np.ndarray, lengths: np.ndarray, units: Sequence[Hashable]
) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """Figures, and of each pair whether it is right, as it is and with length regressed out."""
    chosen, rejected = rewards.T
    right = _right(rewards)
    low, high = metrics.cluster_interval(right.tolist(), units)
    free = metrics.length_free(rewards, lengths)
    alike = metrics.equally_long(*lengths.T)
    found = {
        "pairs": len(right),
        "accuracy": float(right.mean()),
        "low": low,
        "high": high,
        "margin": float((chosen - rejected).mean()),
        "signed": metrics.normalised_margin(chosen, rejected, signed=True),
        "size": metrics.normalised_margin(chosen, rejected),
        "calibration": metrics.calibration_error(chosen, rejected),
        "Brier": metrics.brier_score(chosen, rejected),
        "length-free": float(_right(free.rewards).mean()),
        "length": free.correlation,
        "equal length": float(right[alike].mean()) if alike.any() else None,
        "equal length pairs": int(alike.sum()),
    }
    return found, right, _right(free.rewards)


def _right(rewards: np.ndarray) -> np.ndarray:
    chosen, rejected = rewards.T
    return (chosen > rejected) + 0.5 * (chosen == rejected)


def _shares(rewards: np.ndarray, lengths: np.ndarray) -> dict[str, Any]:
    """Columns of the four wordings' grids, [N, 4, 2] each."""
    row: dict[str, Any] = {}
    for kind, covariate in (("", None), (" beyond length", lengths)):
        try:
            share = metrics.wording_share(rewards, covariate)
        except ValueError:  # an untrained reward: there is no variance to split
            share = None
        parts = ("content", "wording", "rest") if covariate is None else metrics.PARTS
        for part in parts:
            name = "length share" if part == "length" else f"{part}{kind}"
            row[name] = None if share is None else getattr(share, part)
            ends = (None, None) if share is None else share.intervals[part]
            row |= dict(zip((f"{name} low", f"{name} high"), ends, strict=True))
    return row
