"""Solutions and wrong answers of the chapter "The ladder"."""

import torch


def before(states, mask, head):
    return ((states[:, :-1] @ head) * mask[:, 1:]).sum(1)


def calibration(chosen, rejected, bins):
    p = torch.sigmoid(chosen - rejected)
    sure, right = torch.maximum(p, 1 - p), (chosen > rejected).double()
    place = (2 * (sure - 0.5) * bins).long().clamp_max(bins - 1)
    gaps = [(right - sure)[place == b].sum().abs() for b in range(bins)]
    return torch.stack(gaps).sum() / len(p)


def unweighted(chosen, rejected, bins):
    p = torch.sigmoid(chosen - rejected)
    sure, right = torch.maximum(p, 1 - p), (chosen > rejected).double()
    place = (2 * (sure - 0.5) * bins).long().clamp_max(bins - 1)
    gaps = [(right - sure)[place == b].mean().abs() for b in place.unique()]
    return torch.stack(gaps).mean()


def agreement(foretold, trained):
    def share(guess):
        return ((guess * trained > 0).double() + 0.5 * (guess * trained == 0)).mean()

    return torch.stack([share(foretold), share(torch.ones_like(trained))])


def equal_signs(foretold, trained):
    ones = torch.ones_like(trained)
    return torch.stack([(g.sign() == trained.sign()).double().mean() for g in (foretold, ones)])


CASES = {
    "states_before": (
        before,
        [
            lambda s, m, u: ((s @ u) * m).sum(1),
            lambda s, m, u: before(s, m, u) / m.sum(1),
            lambda s, m, u: ((s[:, 1:] @ u) * m[:, :-1]).sum(1),
            lambda s, m, u: ((s[:, :-1] @ u) * (m[:, 1:] & m[:, :-1])).sum(1),
            lambda s, m, u: (s @ u).sum(1),
        ],
    ),
    "calibration": (
        calibration,
        [
            lambda a, b, n: (1 - torch.sigmoid(a - b)).square().mean(),
            lambda a, b, n: ((a > b).double() - torch.sigmoid((a - b).abs())).mean(),
            lambda a, b, n: ((a > b).double() - torch.sigmoid((a - b).abs())).abs().mean(),
            unweighted,
        ],
    ),
    "sign_agreement": (
        agreement,
        [
            lambda f, t: torch.stack([(f * t > 0).double().mean(), (t > 0).double().mean()]),
            lambda f, t: torch.stack([(f * t >= 0).double().mean(), (t >= 0).double().mean()]),
            equal_signs,
            lambda f, t: agreement(f, t).flip(0),
        ],
    ),
}
