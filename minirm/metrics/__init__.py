"""Numbers that judge rewards.

``ranking`` of pairs, ``meaning`` in grids and under ``rewording``, rankings at equal ``lengths``,
and their ``intervals``.

Plain arrays in, plain floats out.
"""

from minirm.metrics.intervals import (
    accuracy_interval,
    bootstrap_interval,
    cluster_interval,
    difference_interval,
    t_interval,
    wilson_interval,
)
from minirm.metrics.lengths import LengthFree, equally_long, length_free
from minirm.metrics.meaning import MeaningShare, meaning_share, opening_accuracies
from minirm.metrics.ranking import (
    accuracy,
    brier_score,
    calibration_error,
    normalised_margin,
    to_array,
    win_rate,
)
from minirm.metrics.rewording import PARTS, WordingShare, wording_share

__all__ = [
    "PARTS",
    "LengthFree",
    "MeaningShare",
    "WordingShare",
    "accuracy",
    "accuracy_interval",
    "bootstrap_interval",
    "brier_score",
    "calibration_error",
    "cluster_interval",
    "difference_interval",
    "equally_long",
    "length_free",
    "meaning_share",
    "normalised_margin",
    "opening_accuracies",
    "t_interval",
    "to_array",
    "wilson_interval",
    "win_rate",
    "wording_share",
]
