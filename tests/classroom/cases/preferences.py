"""Solutions and wrong answers of the chapter "Preferences"."""

import torch
from torch.nn.functional import logsigmoid, softplus


def gradients(weight):
    def function(chosen, rejected):
        w = weight(chosen - rejected)
        return -w, w

    return function


CASES = {
    "bradley_terry": (
        lambda c, r: softplus(r - c).mean(),
        [
            lambda c, r: -logsigmoid(r - c).mean(),
            lambda c, r: logsigmoid(c - r).mean(),
            lambda c, r: (r - c).sigmoid().mean(),
            lambda c, r: (c - r).sigmoid().mean(),
            lambda c, r: -(c - r).sigmoid().mean(),
            lambda c, r: -logsigmoid(c - r).sum(),
            lambda c, r: -logsigmoid((c - r).mean()),
            lambda c, r: -(c - r).sigmoid().log().mean(),  # inf at -1e4
            lambda c, r: -logsigmoid(c - r),
            lambda c, r: None,
            lambda c, r: "0.69",
            lambda c, r: torch.relu(1 - (c - r)).mean(),
        ],
    ),
    "reward_gradients": (
        gradients(lambda m: torch.sigmoid(-m) / len(m)),
        [
            gradients(lambda m: -torch.sigmoid(-m) / len(m)),
            gradients(lambda m: torch.sigmoid(-m)),
            gradients(lambda m: torch.sigmoid(m) / len(m)),
            gradients(lambda m: torch.sigmoid(m) * torch.sigmoid(-m) / len(m)),
            gradients(lambda m: torch.ones_like(m) / len(m)),
            lambda c, r: (-torch.sigmoid(r - c) / len(c),) * 2,
            lambda c, r: -torch.sigmoid(r - c) / len(c),
            lambda c, r: (torch.sigmoid(r - c).mean(), torch.sigmoid(r - c)),
            lambda c, r: None,
            gradients(lambda m: -m),
        ],
    ),
    "normalised_margin": (
        lambda c, r: (c - r).abs().mean() / torch.cat([c, r]).std(),
        [
            lambda c, r: (c - r).mean() / torch.cat([c, r]).std(),
            lambda c, r: (c - r).abs().mean() / (c - r).std(),
            lambda c, r: (c - r).abs().mean() / (c - r).abs().std(),
            lambda c, r: (c - r).abs().mean() / c.std(),
            lambda c, r: (c - r).abs().mean() / r.std(),
            lambda c, r: (c - r).abs().mean() / ((c.std() + r.std()) / 2),
            lambda c, r: (c - r).abs().mean() / torch.cat([c, r]).std(correction=0),
            lambda c, r: (c - r).abs().mean() / torch.cat([c, r]).var(),
            lambda c, r: (c - r).abs().mean(),
            lambda c, r: (c - r).abs() / torch.cat([c, r]).std(),
            lambda c, r: (c - r).abs().median() / torch.cat([c, r]).std(),
        ],
    ),
}
