"""Checks of the chapter "Two failures under one number"."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from minirm.classroom.checking import Draw, expect_right, expect_tensor, passed


def check_word_counts(weights: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Whether the learner's word weights are the logarithms of the ratios of counts.

    Args:
        weights: of chosen [N, V] and rejected [N, V], True where an answer holds a word; returns
            [V].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(chosen: Tensor, rejected: Tensor) -> Tensor:
        answer = weights(chosen, rejected)
        return expect_tensor(answer, (chosen.shape[1],), "your weights", meaning="one a word")

    expect_right(ask, _counted, otherwise="ln((chosen + 1) / (rejected + 1)), word by word.")
    passed("A judge that cannot read, and gets every training pair right.")


def _counted(by: torch.Generator) -> Draw:
    chosen = torch.rand(12, 7, generator=by) < 0.6
    rejected = torch.rand(12, 7, generator=by) < 0.3
    chosen[:, 0], rejected[:, 0] = True, False  # a word of one side
    chosen[:, 1], rejected[:, 1] = False, False  # a word of neither
    c, r = chosen.double().sum(0), rejected.double().sum(0)
    right = torch.log((c + 1) / (r + 1))
    mistakes = {
        "That is the other way round: a word of chosen answers has a positive weight.": -right,
        "These are ratios, not their logarithms: they would not add up over words.": right.exp(),
        "These are differences of counts. Take the logarithm of their ratio.": c - r,
        "You divide by the number of answers before you add 1, so that the 1 is as much as all "
        "answers together.": torch.log((c / 12 + 1) / (r / 12 + 1)),
    }
    return Draw((chosen, rejected), right, mistakes)


def check_counterbalance(balanced: Callable[[Tensor], Tensor]) -> None:
    """Whether the learner adds to every comparison the one with the openings exchanged.

    Args:
        balanced: of pairs [N, 4] (opening and phrase of the chosen, then of the rejected answer);
            returns [2 N, 4], in any order.

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(pairs: Tensor) -> Tensor:
        answer = balanced(pairs)
        answer = expect_tensor(
            answer, (2 * len(pairs), 4), "your pairs", meaning="all, and as many"
        )
        return _sorted(answer)

    expect_right(ask, _exchanged, otherwise="Keep all pairs, and exchange two columns in a copy.")
    passed("Every opening now stands before right and before wrong answers equally often.")


def _exchanged(by: torch.Generator) -> Draw:
    openings = torch.randint(0, 4, (9, 2), generator=by)
    openings[:, 1] += 4  # the two sides have openings of their own, as in the paper's pairs
    phrases = torch.randint(10, 13, (9, 2), generator=by)
    phrases[:, 1] += 3
    pairs = torch.stack([openings[:, 0], phrases[:, 0], openings[:, 1], phrases[:, 1]], dim=1)
    pairs = pairs.double()

    def with_copy(columns: list[int]) -> Tensor:
        return _sorted(torch.cat([pairs, pairs[:, columns]]))

    mistakes = {
        "You exchange the whole answers, and teach that wrong is right.": with_copy([2, 3, 0, 1]),
        "You exchange the phrases: then the wrong phrase is the chosen one.": with_copy(
            [0, 3, 2, 1]
        ),
        "Your copies are the same pairs again: the openings are not exchanged.": with_copy(
            [0, 1, 2, 3]
        ),
        "You give the chosen answer the rejected one's opening, but not the other way round.": (
            with_copy([2, 1, 2, 3])
        ),
        "You give the rejected answer the chosen one's opening, but not the other way round.": (
            with_copy([0, 1, 0, 3])
        ),
    }
    return Draw((pairs,), with_copy([2, 1, 0, 3]), mistakes)


def _sorted(rows: Tensor) -> Tensor:
    """The rows in one order, whatever order they came in."""
    keys = (rows * torch.tensor([1e6, 1e4, 1e2, 1.0], dtype=rows.dtype)).sum(1)
    return rows[keys.argsort(stable=True)].double()
