"""What a trained reward says of the held-out answers of the Persona questions, in one pass.

Every opening with every held-out phrase, for every prompt: from this grid come the paper's
comparison, its controls, the distribution over pairs of openings, and the share of meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import torch

from minirm import metrics
from minirm.reward_model import RewardModel
from minirm.worlds import opinions, persona
from minirm.worlds.persona import CONDITIONS, FRESH, NO, OPENINGS, YES

ALL_OPENINGS = (*OPENINGS, *FRESH, opinions.BARE)
PHRASES = (*YES, *NO)
RIGHT = (True,) * len(YES) + (False,) * len(NO)  # to these questions, yes is the right answer
BINS = 20

Sides = tuple[np.ndarray, np.ndarray]


def reward_grid(
    model: RewardModel, prompts: Sequence[str], openings: Sequence[str] = ALL_OPENINGS,
    phrases: Sequence[str] = PHRASES, *, chat: bool = False, batch_size: int = 64,
) -> np.ndarray:  # fmt: skip
    """Rewards of every opening with every phrase: [prompts, openings, phrases].

    Args:
        model: any reward.
        prompts: each ends in the space that separates it from its answer.
        openings: prefixes, "" for none.
        phrases: the paper's four held-out ones, or others.
        chat: put prompt and answer into turns of a conversation.
        batch_size: answers at once.
    """
    asked, answered = [], []
    for prompt, opening, phrase in product(prompts, openings, phrases):
        turn = persona.as_turns(prompt, opinions.answer(opening, phrase), chat=chat)
        asked.append(turn[0])
        answered.append(turn[1])
    with torch.no_grad():
        rewards = model.score(asked, answered, batch_size=batch_size)
    return metrics.to_array(rewards).reshape(len(prompts), len(openings), len(phrases))


def sides(grid: np.ndarray, condition: str, openings: Sequence[str] = ALL_OPENINGS) -> Sides:
    """The comparisons of one condition: rewards of the right and of the wrong answers, [B], [B].

    Args:
        grid: [N, P, W], as ``reward_grid`` gives it.
        condition: a key of ``persona.CONDITIONS``.
        openings: the P openings.
    """
    right: list[np.ndarray] = []
    wrong: list[np.ndarray] = []
    says = np.array(RIGHT)
    for a, b in CONDITIONS[condition]:
        yes = grid[:, openings.index(a)][:, says, None]  # [N, Y, 1]
        no = grid[:, openings.index(b)][:, None, ~says]  # [N, 1, M]
        for side, values in ((right, yes), (wrong, no)):
            side.append(np.broadcast_to(values, np.broadcast_shapes(yes.shape, no.shape)).ravel())
    return np.concatenate(right), np.concatenate(wrong)


def figures_of_merit(right: Any, wrong: Any) -> dict[str, float]:
    """Accuracy, margins and calibration of comparisons, by name.

    Args:
        right: [B], rewards of the right answers.
        wrong: [B], those of the wrong ones.

    Returns:
        "accuracy", "margin" (mean, signed, in units of reward), "size" (the normalised margin,
        which is blind to sign), "calibration" (expected error) and "Brier".
    """
    return {
        "accuracy": metrics.accuracy(right, wrong),
        "margin": float(np.mean(metrics.to_array(right) - metrics.to_array(wrong))),
        "size": metrics.normalised_margin(right, wrong),
        "calibration": metrics.calibration_error(right, wrong),
        "Brier": metrics.brier_score(right, wrong),
    }


def described(grid: np.ndarray) -> dict[str, Any]:
    """All that a row says of a grid over ``ALL_OPENINGS``.

    Returns:
        for each condition its ``figures_of_merit`` (the accuracy under the condition's own name,
        the others after it, "paraphrase margin"); over the twenty ``persona.OPENINGS`` the four
        shares of ``metrics.meaning_share`` with "low", "high", "gap" and "right"; and over their
        ordered pairs the mean "accuracy", and how many lie in each twentieth of [0, 1],
        "histogram".
    """
    row: dict[str, Any] = {}
    for condition in CONDITIONS:
        merits = figures_of_merit(*sides(grid, condition))
        row |= {_column(condition, name): value for name, value in merits.items()}
    return row | _shares(grid[:, : len(OPENINGS)])


def _shares(grid: np.ndarray) -> dict[str, Any]:
    share = metrics.meaning_share(grid, RIGHT)
    accuracies = metrics.opening_accuracies(grid, RIGHT)
    apart = accuracies[~np.eye(len(accuracies), dtype=bool)]
    counts, _ = np.histogram(apart, bins=BINS, range=(0, 1))
    return {
        "meaning": share.meaning,
        "words": share.words,
        "opening": share.opening,
        "interaction": share.interaction,
        "low": share.interval[0],
        "high": share.interval[1],
        "gap": share.gap,
        "right": share.right,
        "accuracy": float(apart.mean()),
        "histogram": counts.tolist(),
    }


def _column(condition: str, name: str) -> str:
    return condition if name == "accuracy" else f"{condition} {name}"
