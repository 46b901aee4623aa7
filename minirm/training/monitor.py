"""The numbers of the last few steps. They stay on the device until somebody reads them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class NotFinite(FloatingPointError):
    """A loss, a margin or a gradient is NaN or infinite.

    ``step``, ``rows`` and ``margins`` say where.
    """

    def __init__(self, message: str, step: int, rows: list[int], margins: list[float]) -> None:
        super().__init__(message)
        self.step, self.rows, self.margins = step, rows, margins


class Window:
    """Loss, accuracy and margin since the last record, and whether all of it was finite.

    ``broken`` is 0, and 1 from the first number on that is not finite: a scalar on the device, so
    that a fused optimizer can leave the weights alone without the host having looked.
    """

    def __init__(self, device: torch.device | str) -> None:
        self.broken = torch.zeros((), device=device)
        self.totals: Tensor | None = None  # [4]: loss, wins, margins, pairs
        self.unread: list[tuple[int, list[int], Tensor, Tensor]] = []

    def add(self, step: int, batch: list[int], numbers: Tensor, norm: Tensor) -> None:
        """One step: its rows, [3, B] loss, win and margin of each, and the gradient's norm."""
        self.unread.append((step, batch, numbers, norm))
        finite = numbers.isfinite().all() & norm.isfinite()
        self.broken = torch.maximum(self.broken, (~finite).to(self.broken))
        sums = torch.cat([numbers.sum(1), numbers.new_full((1,), len(batch))])
        self.totals = sums if self.totals is None else self.totals + sums

    def check(self, advice: str) -> None:
        """Raise NotFinite, about the first such step, where something was not finite.

        This reads from the device, and so waits for it.
        """
        if self.broken.item():
            for step, batch, numbers, norm in self.unread:
                _complain(step, batch, numbers, norm, advice)
        self.unread = []

    def mean(self) -> dict[str, float]:
        """Means over the pairs since the last call."""
        loss, right, margin, n = self.totals.tolist()
        self.totals = None
        return {"loss": loss / n, "accuracy": right / n, "margin": margin / n}


def _complain(step: int, batch: list[int], numbers: Tensor, norm: Any, advice: str) -> None:
    finite = numbers.isfinite().all(0).tolist()
    # Where the rewards are finite and the gradient is not, no row can be told from another.
    where = [i for i, fine in enumerate(finite) if not fine] or list(range(len(batch)))
    rows, margins = [batch[i] for i in where], [numbers[2, i].item() for i in where]
    if not all(finite):
        what = f"the loss is {numbers[0].mean().item()}"
    elif not norm.isfinite():
        what = f"the gradient's norm is {norm.item()}"
    else:
        return
    message = f"{what} at step {step}, rows {rows}, margins {margins}; {advice}"
    raise NotFinite(message, step, rows, margins)
