"""What a reward has to be compared with: scorers that were not trained, or that read no meaning.

    chance        the same reward for every answer
    longer        an answer's length in tokens
    shorter       the same, turned round
    unigram cues  ``minirm.baselines.UnigramCues`` of the training pairs
    TF-IDF        ``minirm.baselines.TfIdf``, fitted to the training pairs
    ln pi_ref     how likely the language model finds the answer, untrained: summed, and per token

None but the last reads the prompt. Lengths are in the model's tokens, EOS included, and not in
words as in ``minirm.baselines.Longest``: it is this length that an implicit reward sums over, and
that ``metrics.length_free`` and ``metrics.equally_long`` take out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from minirm.baselines import LEARNT
from minirm.data import inspection
from minirm.distributed import processes
from minirm.evaluation import EvaluationSets
from minirm.experiments.shift_sets import Asked, Data
from minirm.rewards import ImplicitRM

Values = dict[str, np.ndarray]
LIKELIHOOD = "ln pi_ref"
PER_TOKEN = "ln pi_ref per token"
BASELINES = ("chance", "longer", "shorter", *LEARNT, LIKELIHOOD)


def rewards(
    name: str, data: Data, asked: Asked, model: ImplicitRM, *, batch_size: int
) -> dict[str, Values]:
    """What a baseline gives every answer: of each set [B, 2], by the name of its row.

    Args:
        name: one of ``BASELINES``.
        data: strings; the training pairs are used by what learns.
        asked: the same as token ids.
        model: r = ln pi(y|x) of the untrained model; used by "ln pi_ref".
        batch_size: answers at once.

    Raises:
        KeyError: there is no such baseline.
    """
    if name == LIKELIHOOD:
        found = EvaluationSets(model.to(processes().device), asked.sets, batch_size=batch_size)
        summed = asked.in_place(found.rewards())
        per_token = {key: value / asked.lengths[key] for key, value in summed.items()}
        return {LIKELIHOOD: summed, PER_TOKEN: per_token}
    by_length: Mapping[str, float] = {"chance": 0.0, "longer": 1.0, "shorter": -1.0}
    if name in by_length:
        return {name: {key: by_length[name] * value for key, value in asked.lengths.items()}}
    scorer = LEARNT[name](data.train)
    sides = {
        key: inspection.rewards(scorer, [pair for pair in pairs if pair is not None])
        for key, pairs in data.tests.items()
    }
    return {name: asked.in_place(sides)}
