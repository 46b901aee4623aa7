"""Checks of the chapter "The ladder"."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from minirm.classroom.checking import Draw, expect_right, expect_tensor, normal, passed

BINS = 5


def check_states_before(rewards: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """Whether the learner sums the head over the states before the response's tokens.

    Args:
        rewards: of states [B, T, D], a mask [B, T] that is True at response tokens, and a head [D];
            returns [B].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(states: Tensor, mask: Tensor, head: Tensor) -> Tensor:
        answer = rewards(states, mask, head)
        return expect_tensor(answer, (len(states),), "your rewards", meaning="one a row")

    expect_right(ask, _rows, otherwise="For a token at place t, read the state at place t - 1.")
    passed("The head now reads what an implicit reward reads: each state before its token.")


def _rows(by: torch.Generator) -> Draw:
    states, head = normal(3, 9, 4, by=by), normal(4, by=by)
    starts = torch.tensor([2, 3, 4])[torch.randperm(3, generator=by), None]
    ends = starts + torch.tensor([2, 3, 4])[torch.randperm(3, generator=by), None]
    place = torch.arange(9)
    mask = (place >= starts) & (place < ends)
    values = states @ head  # [B, T]
    before = mask.roll(-1, 1)  # True where the next token is one of the response

    def total(where: Tensor) -> Tensor:
        return (values * where).sum(1)

    mistakes = {
        "You read each state at its own token, which it has seen already.": total(mask),
        "You read the states one place after the tokens.": total(mask.roll(1, 1)),
        "That is the mean over the response. Here the states add up.": total(before) / mask.sum(1),
        "You read the prompt's earlier states too.": total(place < ends - 1),
        "The first response token is missing: the prompt's last state comes before it.": total(
            before & mask
        ),
        "That is one state a row. Every response token has one before it.": total(
            place == ends - 2
        ),
    }
    return Draw((states, mask, head), total(before), mistakes)


def check_calibration(error: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    """Whether the learner's expected calibration error is the weighted mean of the bins' gaps.

    Args:
        error: of rewards of the right answers [B], of the wrong ones [B] and a number of bins;
            returns [].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(chosen: Tensor, rejected: Tensor, bins: int) -> Tensor:
        answer = error(chosen, rejected, bins)
        return expect_tensor(answer, (), "your error", meaning="over everything")

    expect_right(
        ask, _comparisons, otherwise="Bin by bin: its share, times |accuracy - mean confidence|."
    )
    passed("And note what it cannot see: a confidence of one half is wrong by one half either way.")


def _comparisons(by: torch.Generator) -> Draw:
    chosen, rejected = normal(60, by=by, scale=1.5), normal(60, by=by, scale=1.5)
    chosen[0], rejected[0] = -25.0, 25.0  # wrong, with a confidence of exactly one
    p = torch.sigmoid(chosen - rejected)
    right = (chosen > rejected).double()
    sure = torch.maximum(p, 1 - p)
    gaps, filled = _gaps(sure, right, (0.5, 1.0))
    whole, _ = _gaps(sure, right, (0.0, 1.0))
    unsure, _ = _gaps(sure[1:], right[1:], (0.5, 1.0))
    without = unsure.abs().sum() * (len(sure) - 1)
    mistakes = {
        "A confidence of exactly one falls out of your bins.": without / len(sure),
        "You leave out comparisons with a confidence of exactly one.": without / (len(sure) - 1),
        "That is the Brier score: a mean square, without bins.": ((1 - p) ** 2).mean(),
        "You leave out the absolute value, so that bins above and below cancel.": gaps.sum(),
        "You take the absolute value of every comparison, which measures no frequency.": (
            (right - sure).abs().mean()
        ),
        "Every bin weighs the same in yours, however few comparisons it holds.": (
            (gaps / filled.clamp_min(1e-9)).abs().sum() / (filled > 0).sum()
        ),
        "Your bins go from 0 to 1. The confidence in the one ranked first begins at one half.": (
            whole.abs().sum()
        ),
    }
    return Draw((chosen, rejected, BINS), gaps.abs().sum(), mistakes)


def _gaps(sure: Tensor, right: Tensor, ends: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """By bin: its share of the comparisons times (accuracy - confidence), and the share."""
    low, high = ends
    place = ((sure - low) / (high - low) * BINS).long().clamp_max(BINS - 1)
    zeros = torch.zeros(BINS, dtype=torch.float64)
    gaps = zeros.index_add(0, place, right - sure) / len(sure)
    return gaps, zeros.index_add(0, place, torch.ones_like(sure)) / len(sure)


def check_sign_agreement(agreement: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Whether the learner counts signs with ties as halves, and sets a baseline beside the count.

    Args:
        agreement: of foretold [M] and trained [M] margins; returns [2]: the share of signs that
            were foretold, and what somebody reaches who foretells + for all.

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(foretold: Tensor, trained: Tensor) -> Tensor:
        answer = agreement(foretold, trained)
        return expect_tensor(answer, (2,), "your shares", meaning="theory and baseline")

    expect_right(ask, _margins, otherwise="A product above zero is a sign foretold; zero is half.")
    passed("A theory is worth what it has above the better of its baselines.")


def _margins(by: torch.Generator) -> Draw:
    foretold = torch.randint(-2, 3, (40,), generator=by).double()
    trained = torch.randint(-1, 4, (40,), generator=by).double()
    ones = torch.ones_like(trained)

    def both(count: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        return torch.stack([count(foretold, trained), count(ones, trained)])

    def half(a: Tensor, b: Tensor) -> Tensor:
        return ((a * b > 0).double() + 0.5 * (a * b == 0)).mean()

    mistakes = {
        "A tie counts nothing in yours; here it counts one half.": both(
            lambda a, b: (a * b > 0).double().mean()
        ),
        "A tie counts as foretold in yours; here it counts one half.": both(
            lambda a, b: (a * b >= 0).double().mean()
        ),
        "You ask whether sign(foretold) equals sign(trained): then a tie on one side is a miss, "
        "and one on both a hit.": both(lambda a, b: (a.sign() == b.sign()).double().mean()),
        "Your baseline foretells the sign that theory foretells most: it should be + for all.": (
            torch.stack([half(foretold, trained), half(foretold.sum().sign() * ones, trained)])
        ),
        "Your baseline is asked about the theory. Ask it about what came.": torch.stack(
            [half(foretold, trained), half(ones, foretold)]
        ),
        "The two shares are the wrong way round.": both(half).flip(0),
    }
    return Draw((foretold, trained), both(half), mistakes)
