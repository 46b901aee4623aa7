"""Solutions and wrong answers of the chapter "Read the benchmark before the model"."""

import numpy as np
import torch


def share(training, test):
    return torch.isin(test, training).double().mean()


def sums(right, item):
    off = right - right.mean()
    return torch.zeros(int(item.max()) + 1, dtype=off.dtype).index_add_(0, item, off)


def error(right, item):
    groups = len(torch.unique(item))
    return (groups / (groups - 1) * (sums(right, item) ** 2).sum()).sqrt() / len(right)


def means(right, item):
    return torch.stack([right[item == i].mean() for i in torch.unique(item)])


CASES = {
    "shortcut": (
        lambda answer: np.bool_(not answer.startswith("the sum")),
        [
            lambda answer: answer.startswith("the sum"),
            lambda answer: len(answer.split()),
            lambda answer: answer.count("the sum is 6"),
            lambda answer: sum(map(int, filter(str.isdigit, answer))),
            lambda answer: answer,
        ],
    ),
    "shared_prompts": (
        share,
        [
            lambda training, test: share(test, training),
            lambda training, test: share(training, torch.unique(test)),
            lambda training, test: 1 - share(training, test),
            lambda training, test: torch.isin(test, training).sum(),
            lambda training, test: torch.isin(test, training).double().sum() / len(training),
            lambda training, test: (training[: len(test)] == test).double().mean(),
        ],
    ),
    "cluster_error": (
        error,
        [
            lambda right, item: right.std() / len(right) ** 0.5,
            lambda right, item: (right.mean() * (1 - right.mean()) / len(right)).sqrt(),
            lambda right, item: means(right, item).std() / len(torch.unique(item)) ** 0.5,
            lambda right, item: (sums(right, item) ** 2).sum().sqrt() / len(right),
            lambda right, item: (sums(right, item) ** 2).sum().sqrt(),
            lambda right, item: error(right, item) ** 2,
        ],
    ),
}
