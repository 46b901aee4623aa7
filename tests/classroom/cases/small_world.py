"""Solutions and wrong answers of the chapter "A small world"."""

import torch


def mean_probe(yes, no, new):
    direction = yes.mean(0) - no.mean(0)
    return (new - (yes.mean(0) + no.mean(0)) / 2) @ direction > 0


def entropy(weights, log=torch.log):
    p = weights[weights > 0] / weights.sum()
    return -(p * log(p)).sum()


CASES = {
    "mean_probe": (
        mean_probe,
        [
            lambda yes, no, new: ~mean_probe(yes, no, new),
            lambda yes, no, new: new @ (yes.mean(0) - no.mean(0)) > 0,
            lambda yes, no, new: (
                (new - torch.cat([yes, no]).mean(0)) @ (yes.mean(0) - no.mean(0)) > 0
            ),
            lambda yes, no, new: (new - new.mean(0)) @ (yes.mean(0) - no.mean(0)) > 0,
            lambda yes, no, new: new @ (yes.mean(0) - no.mean(0)),
            lambda yes, no, new: new > yes.mean(0),
            lambda yes, no, new: torch.arange(len(new)) % 2 == 0,
        ],
    ),
    "choice_entropy": (
        entropy,
        [
            lambda w: -entropy(w),
            lambda w: entropy(w, torch.log2),
            lambda w: -(w[w > 0] * w[w > 0].log()).sum(),
            lambda w: -(w[w > 0] / w.sum()).log().mean(),
            lambda w: torch.tensor(float((w > 0).sum())).log(),
            lambda w: -(w / w.sum()).max().log(),
            lambda w: -(w / w.sum() * (w / w.sum()).log()).sum(),  # 0 * -inf
            lambda w: -(w / w.sum()) * (w / w.sum()).log(),
        ],
    ),
}
