"""Solutions and wrong answers of the chapter "The paraphrase collapse"."""

import torch


def pairings(chosen, rejected):
    a, b = chosen[:, None], rejected[None]
    return ((a > b) + 0.5 * (a == b)).mean()


def by_prompt(reduce_chosen, reduce_rejected):
    return lambda c, r: pairings(reduce_chosen(c)[None], reduce_rejected(r)[None])


def squares(rewards, right, centred=True):
    c = rewards - rewards.mean() if centred else rewards
    row, column = c.mean(1, keepdim=True), c.mean(0, keepdim=True)
    side = torch.where(right, column[:, right].mean(), column[:, ~right].mean())
    parts = (side, column - side, row, c - row - column + c.mean())
    return [(part.expand_as(c) ** 2).mean() for part in parts]


def shares(rewards, right):
    parts = squares(rewards, right)
    return [part / sum(parts) for part in parts]


CASES = {
    "grid_accuracy": (
        pairings,
        [
            lambda c, r: (c[:, None] > r[None]).double().mean(),
            lambda c, r: (c[:, None] >= r[None]).double().mean(),
            lambda c, r: 1 - pairings(c, r),
            lambda c, r: pairings(c.flatten()[:, None], r.flatten()[:, None]),
            by_prompt(lambda c: c.mean(0), lambda r: r.mean(0)),
            by_prompt(lambda c: c.max(0).values, lambda r: r.max(0).values),
            by_prompt(lambda c: c.min(0).values, lambda r: r.max(0).values),
            lambda c, r: (c[:, None] > r[None]).double().mean(2),
            lambda c, r: None,
        ],
    ),
    "share_by_part": (
        lambda r, n: (r[:n].sum(), r[n:-1].sum(), r[-1]),
        [
            lambda r, n: (r[:n].sum(), r[n:].sum(), r[-1]),
            lambda r, n: (r[:n].mean(), r[n:-1].mean(), r[-1]),
            lambda r, n: (r[: n + 1].sum(), r[n + 1 : -1].sum(), r[-1]),
            lambda r, n: (r[n:-1].sum(), r[:n].sum(), r[-1]),
            lambda r, n: (r[:n].sum(), r[n:].sum()),
            lambda r, n: (r[:n], r[n:-1].sum(), r[-1]),
            lambda r, n: (r[:n].sum(), r[n:-2].sum(), r[-1]),
        ],
    ),
    "meaning_share": (
        shares,
        [
            squares,
            lambda r, s: [p / sum(squares(r, s, False)) for p in squares(r, s, False)],
            lambda r, s: [p.sqrt() / sum(q.sqrt() for q in squares(r, s)) for p in squares(r, s)],
            lambda r, s: [shares(r, s)[i] for i in (0, 2, 1, 3)],
            lambda r, s: shares(r, s)[:3],
            lambda r, s: shares(r.T, s),
        ],
    ),
}
