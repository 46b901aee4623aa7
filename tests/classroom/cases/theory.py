"""Solutions and wrong answers of two chapters: "Verify without generating", "Tokens never seen"."""

import math

import torch
from torch.nn.functional import logsigmoid


def tilted(c, beta, delta, turn=1.0):
    return torch.sigmoid(c.logit() + turn * delta / beta)


def tilted_by_weights(c, beta, delta, keep=1.0, normalise=True):
    """With an exponential that overflows; ``keep`` scales the weight of incorrect responses."""
    gain = torch.tensor(delta / beta, dtype=c.dtype).exp()
    return c * gain / (keep * (1 - c) + c * gain if normalise else 1)


def odds_sides(policy, reference, correct, beta, least=torch.min, most=torch.max):
    r = beta * (policy - reference)
    odds = [p[correct].logsumexp(0) - p[~correct].logsumexp(0) for p in (policy, reference)]
    return least(r[correct]) - most(r[~correct]), odds[0] - odds[1]


def chance_gain(p, q, correct, beta):
    return p[correct].logsumexp(0) - q[correct].logsumexp(0)


def unembedding_pushes(u, ref, h, a, b, beta, lr, pull=lambda m: torch.sigmoid(-m)):
    m = beta * (((u - ref)[a] - (u - ref)[b]) * h).sum(-1)
    return lr * beta / len(m) * pull(m)[:, None] * h


def new_unembedding(u, ref, h, a, b, beta, lr, factor=1.0, **how):
    push = factor * unembedding_pushes(u, ref, h, a, b, beta, lr, **how)
    return u.index_add(0, a, push).index_add(0, b, -push)


def forgetful_unembedding(u, ref, h, a, b, beta, lr):
    push = unembedding_pushes(u, ref, h, a, b, beta, lr)
    new = u.clone()
    new[a] += push
    new[b] -= push
    return new


def whole_softmax_step(u, ref, h, a, b, beta, lr):
    """Follows the chosen token's log-probability alone."""
    push = unembedding_pushes(u, ref, h, a, b, beta, lr)
    surprise = torch.nn.functional.one_hot(a, len(u)).to(h) - (h @ u.T).softmax(-1)
    return u + surprise.T @ push


def normalised_step(u, d, lr, weigh=lambda m: (logsigmoid(-m) - logsigmoid(-m).max()).exp(), up=1):
    direction = weigh(d @ u) @ d
    return u + up * lr * direction / direction.norm()


CASES = {
    "tilted_probability": (
        tilted,
        [
            lambda c, b, d: tilted_by_weights(c, b, d, normalise=False),
            lambda c, b, d: (c.logit() + d / b).exp(),
            lambda c, b, d: c * math.exp(d / b) / (1 + c * math.exp(d / b)),
            lambda c, b, d: tilted(c, 1.0, d),
            lambda c, b, d: tilted(c, b, d, turn=-1),
            tilted_by_weights,  # inf / inf at beta = 0.01
            lambda c, b, d: tilted(c, b, d).mean(),
            lambda c, b, d: c,
        ],
    ),
    "odds_bound": (
        odds_sides,
        [
            lambda *x: odds_sides(*x, least=torch.mean, most=torch.mean),
            lambda *x: odds_sides(*x, least=torch.max, most=torch.min),
            lambda *x: (odds_sides(*x)[0] / x[-1], odds_sides(*x)[1]),
            lambda *x: (odds_sides(*x)[0], chance_gain(*x)),
            lambda *x: (odds_sides(*x)[0], odds_sides(*x)[1].exp()),
            lambda *x: odds_sides(*x)[::-1],
            lambda *x: odds_sides(*x)[0],
            lambda *x: (odds_sides(*x)[0], 0.0),
        ],
    ),
    "unembedding_step": (
        new_unembedding,
        [
            lambda *x: new_unembedding(*x, factor=-1),
            lambda *x: new_unembedding(*x, factor=1 / x[-2]),
            lambda *x: new_unembedding(*x, factor=8),
            lambda *x: new_unembedding(*x, pull=torch.sigmoid),
            forgetful_unembedding,
            whole_softmax_step,
        ],
    ),
    "normalised_step": (
        normalised_step,
        [
            lambda u, d, lr: normalised_step(u, d / d.norm(dim=-1, keepdim=True), lr),
            lambda u, d, lr: u + lr * torch.sigmoid(-(d @ u)) @ d / len(d),
            lambda u, d, lr: normalised_step(u, d, lr, weigh=torch.ones_like),
            lambda u, d, lr: normalised_step(u, d, lr, weigh=torch.sigmoid),
            lambda u, d, lr: normalised_step(u, d, lr, up=-1),
            lambda u, d, lr: normalised_step(u, d, lr, weigh=lambda m: torch.sigmoid(-m)),
            lambda u, d, lr: u + lr,
        ],
    ),
}
