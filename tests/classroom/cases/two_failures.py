"""Solutions and wrong answers of the chapter "Two failures under one number"."""

import torch


def weights(chosen, rejected):
    return torch.log((chosen.double().sum(0) + 1) / (rejected.double().sum(0) + 1))


def both(pairs, columns):
    return torch.cat([pairs, pairs[:, columns]])


CASES = {
    "word_counts": (
        weights,
        [
            lambda c, r: -weights(c, r),
            lambda c, r: weights(c, r).exp(),
            lambda c, r: c.double().sum(0) - r.double().sum(0),
            lambda c, r: torch.log((c.double().mean(0) + 1) / (r.double().mean(0) + 1)),
            lambda c, r: torch.log(c.double().sum(0) / r.double().sum(0)),
            lambda c, r: weights(c, r).sum(),
        ],
    ),
    "counterbalance": (
        lambda p: both(p, [2, 1, 0, 3]),
        [
            lambda p: both(p, [2, 3, 0, 1]),
            lambda p: both(p, [0, 3, 2, 1]),
            lambda p: both(p, [0, 1, 2, 3]),
            lambda p: both(p, [2, 1, 2, 3]),
            lambda p: both(p, [0, 1, 0, 3]),
            lambda p: p[:, [2, 1, 0, 3]],
        ],
    ),
}
