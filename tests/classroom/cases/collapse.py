"""Solutions and wrong answers of the chapter "The paraphrase collapse"."""


def pairings(chosen, rejected):
    a, b = chosen[:, None], rejected[None]
    return ((a > b) + 0.5 * (a == b)).mean()


def by_prompt(reduce_chosen, reduce_rejected):
    return lambda c, r: pairings(reduce_chosen(c)[None], reduce_rejected(r)[None])


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
}
