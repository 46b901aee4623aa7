"""The numbers of the last few steps, and what happens where one of them is not finite.

No step is taken with a loss, a margin or a gradient that is NaN or infinite: AdamW would carry it
into every weight and into its moments, and there is no way back from there. The run ends, and the
weights are those before that step.

When is it noticed? On a CPU, before the step. On a GPU to look at every step would make the host
wait for the device: there the numbers stay on it until somebody reads them, and meanwhile a flag,
which the fused AdamW reads on the device, makes it leave out every step from the first bad one on.

With fp16 a gradient overflows now and then, because that is how the largest loss scale is found.
Its scaler leaves such a step out by itself, and so the gradient's norm says nothing; and as it
wants AdamW's flag for itself, and waits for the device anyway, the host looks at every step.
"""

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


def looks_at_every_step(device: torch.device, scaled: bool) -> bool:
    """Whether the host reads a step's numbers before the optimizer steps."""
    return device.type != "cuda" or scaled


class Monitor:
    """Loss, accuracy and margin since the last record, and whether all of it was finite.

    Args:
        device: where the numbers are.
        scaled: whether a loss scale is at work (fp16).
        advice: what to do about numbers that are not finite; ends the message.

    Attributes:
        broken: 0, and 1 from the first number on that is not finite: a scalar on the device.
        totals: [4], sums of loss, wins, margins and pairs; None right after a record.
    """

    def __init__(self, device: torch.device, *, scaled: bool = False, advice: str = "") -> None:
        self.broken = torch.zeros((), device=device)
        self.totals: Tensor | None = None
        self._unread: list[tuple[int, list[int], Tensor, Tensor]] = []
        self._scaled, self._advice = scaled, advice
        self._at_once = looks_at_every_step(device, scaled)

    def watch(
        self, step: int, batch: list[int], numbers: Tensor, norm: Tensor, optimizer: Any
    ) -> None:
        """Take in a step's numbers before the optimizer steps, so that a bad step is not taken.

        Args:
            step: its number.
            batch: B indices, the rows of its pairs.
            numbers: [3, B], loss, win and margin of each pair.
            norm: the gradient's, a scalar.
            optimizer: a fused AdamW.

        Raises:
            NotFinite: something is not, and the host looks at every step.
        """
        if self._scaled:
            norm = torch.zeros_like(norm)
        self._unread.append((step, batch, numbers, norm))
        finite = numbers.isfinite().all() & norm.isfinite()
        self.broken = torch.maximum(self.broken, (~finite).to(self.broken))
        sums = torch.cat([numbers.sum(1), numbers.new_full((1,), len(batch))])
        self.totals = sums if self.totals is None else self.totals + sums
        if self._at_once:
            self.check()
        else:
            optimizer.found_inf = self.broken

    def check(self) -> None:
        """Read what is unread, waiting for the device.

        Raises:
            NotFinite: about the first step where something was not finite.
        """
        if self.broken.item():
            for step, batch, numbers, norm in self._unread:
                _complain(step, batch, numbers, norm, self._advice)
        self._unread = []

    def mean(self) -> dict[str, float]:
        """Means over the pairs since the last call."""
        assert self.totals is not None, "no step since the last record"
        loss, right, margin, n = self.totals.tolist()
        self.totals = None
        return {"loss": loss / n, "accuracy": right / n, "margin": margin / n}


def _complain(step: int, batch: list[int], numbers: Tensor, norm: Tensor, advice: str) -> None:
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
