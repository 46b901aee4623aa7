"""Solutions and wrong answers of the chapter "Real preferences"."""

import torch


def differences(rewards, lengths):
    return rewards[:, 0] - rewards[:, 1], lengths[:, 0] - lengths[:, 1]


def length_out(rewards, lengths):
    margin, longer = differences(rewards, lengths)
    return margin - (margin @ longer) / (longer @ longer) * longer


def slope(x, y):
    return ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()


def with_intercept(rewards, lengths, subtract=True):
    margin, longer = differences(rewards, lengths)
    b = slope(longer, margin)
    return margin - b * longer - (margin.mean() - b * longer.mean() if subtract else 0)


def pooled(rewards, lengths):
    margin, longer = differences(rewards, lengths)
    return margin - slope(lengths.flatten(), rewards.flatten()) * longer


def per_token(rewards, lengths):
    return (rewards / lengths)[:, 0] - (rewards / lengths)[:, 1]


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
    "length_out": (
        length_out,
        [
            lambda r, n: r[:, 0] - r[:, 1],
            with_intercept,
            lambda r, n: with_intercept(r, n, subtract=False),
            pooled,
            per_token,
            lambda r, n: length_out(r, n)[1:],
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
