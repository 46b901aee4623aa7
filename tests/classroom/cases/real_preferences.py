"""Solutions and wrong answers of the chapter "Real preferences"."""

import torch


def differences(rewards, lengths):
    return rewards[:, 0] - rewards[:, 1], lengths[:, 0] - lengths[:, 1]


def length_slope(rewards, lengths):
    margin, longer = differences(rewards, lengths)
    return (margin @ longer) / (longer @ longer)


def with_intercept(x, y):
    return ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()


def correlation(rewards, lengths):
    margin, longer = differences(rewards, lengths)
    return (margin @ longer) / (margin.norm() * longer.norm())


def parts(rewards):
    centred = rewards - rewards.mean((1, 2), keepdim=True)
    instruction, answer = centred.mean(2, keepdim=True), centred.mean(1, keepdim=True)
    return centred, instruction, answer, centred - instruction - answer


def squared(part, of):
    return (part.expand_as(of) ** 2).sum() / (of**2).sum()


def prompt_share(rewards):
    centred, *_, both = parts(rewards)
    return squared(both, centred)


def by_pair(rewards):
    centred, *_, both = parts(rewards)
    return ((both**2).sum((1, 2)) / (centred**2).sum((1, 2))).mean()


def pooled_mean(rewards):
    *_, both = parts(rewards)
    return squared(both, rewards - rewards.mean())


CASES = {
    "length_slope": (
        length_slope,
        [
            lambda r, n: with_intercept(*reversed(differences(r, n))),
            lambda r, n: with_intercept(n.flatten(), r.flatten()),
            lambda r, n: (differences(r, n)[0] / differences(r, n)[1]).mean(),
            lambda r, n: 1 / length_slope(r, n),
            lambda r, n: length_slope(n, r),
            correlation,
            lambda r, n: differences(r, n)[0],
        ],
    ),
    "prompt_share": (
        prompt_share,
        [
            lambda r: squared(parts(r)[2], parts(r)[0]),
            lambda r: squared(parts(r)[1], parts(r)[0]),
            lambda r: squared(parts(r)[1] + parts(r)[3], parts(r)[0]),
            by_pair,
            pooled_mean,
            lambda r: torch.stack([prompt_share(r)] * 2),
        ],
    ),
}
