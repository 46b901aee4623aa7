"""The shortcut: what a reward that sums over positions gives to a prefix that is new.

``Cues`` are answers [prefix, word] whose features add up; ``prefix_gap`` and ``share_of_meaning``
follow a head on them from the first step to the limit. ``TwoTokens`` is one comparison of answers
of two tokens for the rewards that go by tokens. The hidden states are fixed throughout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from minirm.theory.hulls import nearest_weights


@dataclass(frozen=True)
class Cues:
    """Answers [prefix, word] whose features are the prefix's plus the word's, summed positions.

    In training the words of ``chosen`` win over those of ``rejected``; the prefixes foretell which
    side an answer is on, in as many of the pairs as they are in agreement with it.
    """

    before_chosen: Tensor  # [A, D]: P(a) of the prefixes that belong to chosen words
    before_rejected: Tensor  # [B, D]: P(a) of those that belong to rejected ones
    chosen: Tensor  # [C, D]: M(w)
    rejected: Tensor  # [E, D]: M(w)

    @property
    def prefix(self) -> Tensor:
        """p, the mean difference of the two kinds of prefix, [D]."""
        return self.before_chosen.mean(0) - self.before_rejected.mean(0)

    @property
    def word(self) -> Tensor:
        """mu, the mean difference of chosen and rejected words, [D]."""
        return self.chosen.mean(0) - self.rejected.mean(0)

    def pairs(self, *, exchanged: bool = False) -> Tensor:
        """Features of chosen minus rejected for every choice of prefixes and words: [A B C E, D].

        Args:
            exchanged: the chosen words have the prefixes of the rejected ones, and the other way.
        """
        prefixes = self.before_chosen[:, None] - self.before_rejected  # [A, B, D]
        words = self.chosen[:, None] - self.rejected  # [C, E, D]
        sign = -1 if exchanged else 1
        return (sign * prefixes[:, :, None, None] + words).flatten(0, 3)

    def first_step(self, agreement: float) -> Tensor:
        """u after one step from u = 0 on Bradley-Terry, times 2 / lr: (2 agreement - 1) p + mu.

        Args:
            agreement: of prefix and label, a share of the answers.
        """
        return (2 * agreement - 1) * self.prefix + self.word

    def max_margin(self) -> Tensor:
        """u* of ``pairs()`` in closed form, [D], if prefixes and words are orthogonal.

        (v + w) / (|v|^2 + |w|^2): v is the shortest difference between the hulls of the two kinds
        of prefix, w that between the hulls of the words.
        """
        v = shortest_difference(self.before_chosen, self.before_rejected)
        w = shortest_difference(self.chosen, self.rejected)
        return (v + w) / (v @ v + w @ w)


def shortest_difference(ones: Tensor, others: Tensor) -> Tensor:
    """v, the shortest vector from the convex hull of ``others`` to that of ``ones``: [D].

    Zeros, but for rounding, where the two hulls meet. v / |v|^2 is the max-margin direction of all
    the differences.

    Args:
        ones: [K, D].
        others: [L, D].
    """
    points = (ones[:, None] - others).flatten(0, 1)
    return nearest_weights(points).to(points) @ points


def kinds(agreement: Tensor, *, independent: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """Shares of the pairs whose prefixes agree with the labels, are of one kind, are exchanged.

    Args:
        agreement: of prefix and label, of any shape.
        independent: each answer draws its prefix for itself; else both sides are exchanged
            together, and none of the pairs has prefixes of one kind.
    """
    if not independent:
        return agreement, torch.zeros_like(agreement), 1 - agreement
    return agreement**2, 2 * agreement * (1 - agreement), (1 - agreement) ** 2


def prefix_gap(
    agreement: Tensor, ratio: float, word_gap: float, *, independent: bool = True
) -> Tensor:
    """s, by how much the reward prefers a trained prefix to the other kind: agreement's shape.

    Gradient flow from u = 0 with one prefix and one word a side, p and mu orthogonal. The clock is
    t, the gap that the words have reached:
    ds/dt = ratio^2 (q+ sigma(-t-s) - q- sigma(s-t)) / (q+ sigma(-t-s) + q0 sigma(-t)
    + q- sigma(s-t)). By Runge and Kutta's classic rule.

    Args:
        agreement: of prefix and label.
        ratio: |p| / |mu|, the size of the prefix's cue over that of the word's.
        word_gap: t where it ends, in nats.
        independent: as ``kinds``.
    """
    agree, same, swap = kinds(agreement, independent=independent)

    def slope(s: Tensor, t: float) -> Tensor:
        up, down = agree * torch.sigmoid(-t - s), swap * torch.sigmoid(s - t)
        return ratio**2 * (up - down) / (up + down + same * torch.sigmoid(s.new_tensor(-t)))

    s = torch.zeros_like(agreement)
    n = math.ceil(8 * (1 + ratio**2) * word_gap)
    for k in range(n):
        t, dt = k * word_gap / n, word_gap / n
        a = slope(s, t)
        b = slope(s + dt / 2 * a, t + dt / 2)
        c = slope(s + dt / 2 * b, t + dt / 2)
        d = slope(s + dt * c, t + dt)
        s = s + dt / 6 * (a + 2 * b + 2 * c + d)
    return s


def share_of_meaning(
    agreement: Tensor, ratio: float, word_gap: float = 0.0, *, independent: bool = True
) -> Tensor:
    """Share of meaning in the rewards of the trained prefixes and words: agreement's shape.

    t^2 / (t^2 + s^2) along ``prefix_gap``; at its start, which is the first step,
    1 / (1 + (2 agreement - 1)^2 ratio^4).

    Args:
        agreement: of prefix and label.
        ratio: |p| / |mu|.
        word_gap: t, how far the words have come apart, in nats; 0 for the first step, infinity for
            the limit.
        independent: as ``kinds``.
    """
    if word_gap == 0:
        return 1 / (1 + ((2 * agreement - 1) * ratio**2) ** 2)
    if word_gap == math.inf:
        always = 1 / (1 + torch.full_like(agreement, ratio) ** 4)
        return torch.where(agreement == 1, always, torch.ones_like(agreement))
    s = prefix_gap(agreement, ratio, word_gap, independent=independent)
    return word_gap**2 / (word_gap**2 + s**2)


@dataclass(frozen=True)
class TwoTokens:
    """One comparison of two answers of two tokens each, through fixed hidden states."""

    chosen: tuple[int, int]
    rejected: tuple[int, int]
    prompt: Tensor  # [D]: the state that predicts the first tokens
    after_chosen: Tensor  # [D]: the state that predicts the chosen second token
    after_rejected: Tensor  # [D]: the same as after_chosen where the first token is shared

    def logprobs(self, unembedding: Tensor) -> tuple[Tensor, Tensor]:
        """ln pi of the chosen and of the rejected answer under U, [V, D]."""
        return (
            _answer(unembedding, self.prompt, self.after_chosen, self.chosen),
            _answer(unembedding, self.prompt, self.after_rejected, self.rejected),
        )

    def direction(self, unembedding: Tensor) -> Tensor:
        """Where a step moves U, per lr beta sigma(-m): surprises times states, [V, D]."""
        places = (
            (1, self.chosen[0], self.prompt),
            (1, self.chosen[1], self.after_chosen),
            (-1, self.rejected[0], self.prompt),
            (-1, self.rejected[1], self.after_rejected),
        )
        total = torch.zeros_like(unembedding)
        for sign, token, state in places:
            surprise = -(unembedding @ state).softmax(-1)
            surprise[token] += 1
            total += sign * torch.outer(surprise, state)
        return total

    def push(self, unembedding: Tensor, state: Tensor) -> Tensor:
        """Change of ln pi of every token at ``state`` by a step, per lr beta sigma(-m): [V].

        To first order; of the difference of two tokens it is exact.

        Args:
            unembedding: [V, D], U before the step.
            state: [D], which predicts the tokens.
        """
        change = self.direction(unembedding) @ state
        return change - (unembedding @ state).softmax(-1) @ change


def _answer(unembedding: Tensor, first: Tensor, second: Tensor, tokens: tuple[int, int]) -> Tensor:
    one, two = ((unembedding @ state).log_softmax(-1) for state in (first, second))
    return one[tokens[0]] + two[tokens[1]]
