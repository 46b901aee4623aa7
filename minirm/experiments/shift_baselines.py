"""What a reward has to be compared with: scorers that were not trained, or that read no meaning.

    chance        the same reward for every answer
    longer        an answer's length in tokens
    shorter       the same, turned round
    word counts   a sum over the answer's words of how often each was chosen and rejected
    TF-IDF        logistic regression on the difference of the two answers' TF-IDF vectors
    ln pi_ref     how likely the language model finds the answer, untrained: summed, and per token

None but the last reads the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from minirm.distributed import processes
from minirm.evaluation import EvaluationSets
from minirm.experiments.shift_sets import Asked, Data
from minirm.experiments.word_counts import WordCounts
from minirm.rewards import ImplicitRM

Values = dict[str, np.ndarray]
LIKELIHOOD = "ln pi_ref"
PER_TOKEN = "ln pi_ref per token"
BASELINES = ("chance", "longer", "shorter", "word counts", "TF-IDF", LIKELIHOOD)


def rewards(
    name: str, data: Data, asked: Asked, model: ImplicitRM, *, batch_size: int
) -> dict[str, Values]:
    """What a baseline gives every answer: of each set [B, 2], by the name of its row.

    Args:
        name: one of ``BASELINES``.
        data: strings; the training pairs are used by "word counts" and "TF-IDF".
        asked: the same as token ids.
        model: r = ln pi(y|x) of the untrained model; used by "ln pi_ref".
        batch_size: answers at once.

    Raises:
        KeyError: there is no such baseline.
        ModuleNotFoundError: "TF-IDF" needs scikit-learn.
    """
    if name == LIKELIHOOD:
        found = EvaluationSets(model.to(processes().device), asked.sets, batch_size=batch_size)
        summed = asked.in_place(found.rewards())
        per_token = {key: value / asked.lengths[key] for key, value in summed.items()}
        return {LIKELIHOOD: summed, PER_TOKEN: per_token}
    by_length: Mapping[str, float] = {"chance": 0.0, "longer": 1.0, "shorter": -1.0}
    if name in by_length:
        return {name: {key: by_length[name] * value for key, value in asked.lengths.items()}}
    score = {"word counts": _word_counts, "TF-IDF": _tf_idf}[name](data)
    sides = {}
    for key, pairs in data.tests.items():
        kept = [pair for pair in pairs if pair is not None]
        sides[key] = (score([str(p.chosen) for p in kept]), score([str(p.rejected) for p in kept]))
    return {name: asked.in_place(sides)}


Score = Callable[[list[str]], np.ndarray]


def _word_counts(data: Data) -> Score:
    counts = WordCounts(data.train)
    return lambda texts: counts.score(texts, texts).numpy()


def _tf_idf(data: Data) -> Score:
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the baseline TF-IDF needs scikit-learn: pip install 'minirm[baselines]'"
        ) from error
    vectors: Any = TfidfVectorizer(sublinear_tf=True)
    vectors.fit([str(side) for pair in data.train for side in (pair.chosen, pair.rejected)])
    sides = [
        vectors.transform([str(getattr(pair, side)) for pair in data.train])
        for side in ("chosen", "rejected")
    ]
    sign = np.where(np.arange(len(data.train)) % 2, -1.0, 1.0)  # it wants to see both classes
    difference = (sides[0] - sides[1]).multiply(sign[:, None]).tocsr()
    fitted = LogisticRegression(fit_intercept=False, max_iter=1000).fit(difference, sign)
    return lambda texts: vectors.transform(texts) @ fitted.coef_[0]
