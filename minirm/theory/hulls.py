"""The point of a convex hull that is nearest to the origin: what maximum margins come down to."""

from __future__ import annotations

import math

import torch
from scipy.optimize import lsq_linear
from torch import Tensor


def nearest_weights(points: Tensor) -> Tensor:
    """Weights w >= 0 that add up to 1, with w @ points the shortest vector of the hull: [N] double.

    Lawson and Hanson's least-distance problem, by an active set that goes on until the conditions
    of optimality hold. Their own routine (scipy's ``nnls``) ends too early on some sets in which
    points lie on the edges between others.

    Args:
        points: [N, D].
    """
    d = points.detach().double().cpu()
    unit = d / d.norm(dim=-1).max().clamp_min(torch.finfo(d.dtype).tiny)
    rows = torch.cat([unit, d.new_ones(len(d), 1)], -1)  # [N, D + 1]
    target = torch.eye(rows.shape[1], dtype=d.dtype)[-1]
    found = lsq_linear(
        rows.T.numpy(), target.numpy(), (0, math.inf), "bvls", tol=1e-15, max_iter=100 * len(d)
    )
    weight = torch.from_numpy(found.x).clamp_min(0)  # rounding
    return weight / weight.sum()
