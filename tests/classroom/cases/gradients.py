"""Solutions and wrong answers of the two chapters on one step of gradient descent."""

import torch


def explicit_step(weight=lambda m: torch.sigmoid(-m), sides=(1, 1)):
    def function(h, up, down, u, lr):
        return lr * weight(u @ (up - down)) * (h @ (sides[0] * up - sides[1] * down))

    return function


def rho(p, y, q, v, terms=(1, 1, 1, 1)):
    values = float(y == v), -q[y], -p[v], p @ q
    return sum(a * b for a, b in zip(terms, values, strict=True))


def mismatch_mean(p, q, v, scale=lambda p, v: 1 / (1 - p[v])):
    return -p[v] * rho(p, v, q, v) * scale(p, v)


CASES = {
    "explicit_step": (
        explicit_step(),
        [
            explicit_step(lambda m: -torch.sigmoid(-m)),
            explicit_step(torch.sigmoid),
            explicit_step(torch.ones_like),
            lambda h, up, down, u, lr: explicit_step()(h, up, down, u, 1),
            lambda h, up, down, u, lr: u @ h + explicit_step()(h, up, down, u, lr),
            explicit_step(sides=(1, 0)),
            lambda h, up, down, u, lr: lr * (up - down),
        ],
    ),
    "rho": (
        rho,
        [
            lambda p, y, q, v: rho(q, y, p, v),
            lambda p, y, q, v: rho(p, y, q, v, (1, 1, 1, -1)),
            lambda p, y, q, v: rho(p, y, q, v, (1, 1, 1, 0)),
            lambda p, y, q, v: rho(p, y, q, v, (0, 1, 1, 1)),
            lambda p, y, q, v: rho(p, y, q, v, (1, -1, -1, 1)),
            lambda p, y, q, v: p * q,
        ],
    ),
    "mismatch_mean": (
        mismatch_mean,
        [
            lambda p, q, v: mismatch_mean(p, q, v, lambda p, v: 1),
            lambda p, q, v: -mismatch_mean(p, q, v),
            lambda p, q, v: rho(p, v, q, v) * 0,
            lambda p, q, v: sum(rho(p, a, q, v) for a in range(6) if a != v) / 5,
            lambda p, q, v: p,
        ],
    ),
    "positive_mismatch": (
        lambda: ([0.1, 0.1, 0.8], [0.1, 0.1, 0.8]),
        [
            lambda: ([0.5, 0.5], [0.5, 0.5]),
            lambda: ([0.3, 0.3, 0.4], [0.3, 0.3, 0.4]),
            lambda: ([0.2, 0.2, 0.6], [0.25, 0.15, 0.6]),
            lambda: ([0.1, 0.1, 0.9], [0.1, 0.1, 0.8]),
            lambda: ([0.1, 0.1, 0.8], [-0.1, 0.1, 1.0]),
            lambda: ([0.1, 0.9], [0.1, 0.1, 0.8]),
            lambda: None,
        ],
    ),
}
