"""Solutions and wrong answers of the chapter "A real language model"."""

import torch


def additive(openings, phrases, right, apart=True, sign=1):
    gap = phrases[right][:, None] - phrases[~right]
    wins = sign * (openings[:, None, None, None] - openings[:, None, None] + gap) > 0
    table = wins.double().mean((2, 3))
    return table[~torch.eye(len(openings), dtype=torch.bool)].mean() if apart else table.mean()


def one_order(openings, phrases, right):
    gap = phrases[right][:, None] - phrases[~right]
    first, second = torch.combinations(openings).T
    return (first[:, None, None] - second[:, None, None] + gap > 0).double().mean()


def on_means(openings, phrases, right):
    gap = (phrases[right].mean() - phrases[~right].mean()).expand(2)
    return additive(openings, gap * torch.tensor([1, 0]), torch.tensor([True, False]))


def ties(weights, lower=0x8000, mask=0xFFFF):
    return ((weights.view(torch.int32) & mask) == lower).double().mean()


CASES = {
    "additive_accuracy": (
        additive,
        [
            lambda *x: additive(*x, apart=False),
            lambda *x: additive(*x, sign=-1),
            lambda o, p, r: (p[r][:, None] > p[~r]).double().mean(),
            one_order,
            on_means,
            lambda o, p, r: o + p.mean(),
        ],
    ),
    "rounding_ties": (
        ties,
        [
            lambda w: (w.bfloat16().float() != w).double().mean(),
            lambda w: ties(w, lower=0),
            lambda w: ((w.view(torch.int32) & 0x8000) != 0).double().mean(),
            lambda w: ties(w, lower=0x1000, mask=0x1FFF),
            lambda w: len(w) * ties(w),
            lambda w: torch.stack([ties(w), ties(w)]),
        ],
    ),
}
