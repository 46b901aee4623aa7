"""Solutions and wrong answers of the chapter "Two reward models, one language model"."""

import torch


def at(hidden, places, head):
    return hidden[torch.arange(len(hidden)), places] @ head


def log_ratios(policy, reference, ids, n, start=None, stop=None, back=1):
    start, stop = n if start is None else start, len(ids) if stop is None else stop
    places, targets = torch.arange(start, stop) - back, ids[start:stop]
    return (policy.log_softmax(-1) - reference.log_softmax(-1))[places, targets]


def tilt(reference, rewards, beta):
    return (reference.log() + rewards / beta).softmax(0)


def tilted_naively(reference, rewards, beta):
    weights = reference * (rewards / beta).exp()
    return weights / weights.sum()


CASES = {
    "explicit_rewards": (
        lambda hidden, lengths, head: at(hidden, lengths - 1, head),
        [
            lambda hidden, lengths, head: hidden[:, -1] @ head,
            lambda hidden, lengths, head: at(hidden, lengths, head),
            lambda hidden, lengths, head: at(hidden, lengths - 2, head),
            lambda hidden, lengths, head: hidden[:, 0] @ head,
            lambda hidden, lengths, head: (hidden @ head).mean(1),
            lambda hidden, lengths, head: torch.stack(
                [(h[:n] @ head).mean() for h, n in zip(hidden, lengths, strict=True)]
            ),
            lambda hidden, lengths, head: torch.stack(
                [(h[:n] @ head).sum() for h, n in zip(hidden, lengths, strict=True)]
            ),
            lambda hidden, lengths, head: hidden @ head,
            lambda hidden, lengths, head: -at(hidden, lengths - 1, head),
        ],
    ),
    "implicit_reward": (
        lambda p, q, ids, n, beta: beta * log_ratios(p, q, ids, n).sum(),
        [
            lambda p, q, ids, n, beta: beta * log_ratios(p, q, ids, n).mean(),
            lambda p, q, ids, n, beta: beta * log_ratios(p, q, ids, n, stop=-1 + len(ids)).sum(),
            lambda p, q, ids, n, beta: beta * log_ratios(p, q, ids, n, start=n + 1).sum(),
            lambda p, q, ids, n, beta: beta * log_ratios(p, q, ids, n, back=0).sum(),
            lambda p, q, ids, n, beta: beta * log_ratios(p, q, ids, n, start=1).sum(),
            lambda p, q, ids, n, beta: beta * (p - q)[torch.arange(n, len(ids)) - 1, ids[n:]].sum(),
            lambda p, q, ids, n, beta: -beta * log_ratios(p, q, ids, n).sum(),
            lambda p, q, ids, n, beta: (
                beta * p.log_softmax(-1)[torch.arange(n, len(ids)) - 1, ids[n:]].sum()
            ),
            lambda p, q, ids, n, beta: log_ratios(p, q, ids, n).sum(),
            lambda p, q, ids, n, beta: log_ratios(p, q, ids, n).sum() / beta,
            lambda p, q, ids, n, beta: beta * log_ratios(p, q, ids, n),
            lambda p, q, ids, n, beta: beta * log_ratios(p, q, ids, n).prod(),
        ],
    ),
    "optimal_policy": (
        tilt,
        [
            lambda reference, rewards, beta: reference * (rewards / beta).exp(),
            lambda reference, rewards, beta: (rewards / beta).softmax(0),
            lambda reference, rewards, beta: tilt(reference, rewards, 1 / beta),
            lambda reference, rewards, beta: tilt(reference, rewards, 1.0),
            lambda reference, rewards, beta: tilt(reference, -rewards, beta),
            lambda reference, rewards, beta: (reference + rewards / beta).softmax(0),
            tilted_naively,
            lambda reference, rewards, beta: tilt(reference, rewards, beta)[:-1],
            lambda reference, rewards, beta: reference,
        ],
    ),
    "generative_rewards": (
        lambda logits, yes, no: logits.softmax(-1)[:, yes],
        [
            lambda logits, yes, no: logits[:, yes],
            lambda logits, yes, no: logits.log_softmax(-1)[:, yes],
            lambda logits, yes, no: logits[:, [yes, no]].softmax(-1)[:, 0],
            lambda logits, yes, no: logits.softmax(-1)[:, no],
            lambda logits, yes, no: logits.softmax(-1)[:, yes] - logits.softmax(-1)[:, no],
            lambda logits, yes, no: logits[:, yes] - logits[:, no],
            lambda logits, yes, no: logits[:, yes].sigmoid(),
            lambda logits, yes, no: logits.softmax(0)[:, yes],
            lambda logits, yes, no: logits.softmax(-1),
            lambda logits, yes, no: logits.softmax(-1)[:, 0] * 0 + 0.5,
        ],
    ),
}
