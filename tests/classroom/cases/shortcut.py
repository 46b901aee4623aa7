"""Solutions and wrong answers of the appendix "What the shortcut needs"."""

import torch


def first_share(p, mu, agreement, lean=lambda a: 2 * a - 1, power=2):
    prefix, word = lean(agreement) * (p @ p), mu @ mu
    return word**power / (word**power + prefix**power)


def opening_push(p, chosen, rejected, sign=1, denominator=1):
    push = torch.zeros_like(p)
    push[chosen] += 1
    push[rejected] -= 1
    return sign * (push - denominator * (p[chosen] - p[rejected]))


def overwritten(p, chosen, rejected):
    push = torch.zeros_like(p)
    push[chosen] = 1
    push[rejected] = -1
    return push - (p[chosen] - p[rejected])


def chosen_alone(p, chosen, rejected):
    surprise = torch.nn.functional.one_hot(torch.tensor(chosen), len(p)) - p
    return surprise - p @ surprise


CASES = {
    "first_share": (
        first_share,
        [
            lambda *x: 1 - first_share(*x),
            lambda *x: first_share(*x, lean=lambda a: 1),
            lambda *x: first_share(*x, lean=lambda a: a),
            lambda *x: first_share(*x, lean=lambda a: (2 * a - 1) ** 0.5),
            lambda *x: first_share(*x, power=1),
            lambda p, m, a: m @ m / (m @ m + (2 * a - 1) ** 2 * (p @ p)),
            lambda p, m, a: p / m,
        ],
    ),
    "opening_push": (
        opening_push,
        [
            lambda *x: opening_push(*x, denominator=0),
            lambda *x: opening_push(*x, sign=-1),
            lambda *x: opening_push(*x, denominator=-1),
            chosen_alone,
            lambda p, a, b: p * opening_push(p, a, b),
            overwritten,
            lambda p, a, b: p,
        ],
    ),
}
