"""Dropout, which no reward model here uses."""

from __future__ import annotations

from typing import Any

from torch import nn


def without_dropout(model: Any) -> Any:
    """Turn dropout off for good: with it a policy differs from its own reference at step 0."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for holder in (module, getattr(module, "config", module)):
            for name, value in vars(holder).items():  # rates used by functions: OPT's, Falcon's
                if "drop" in name and isinstance(value, float):
                    setattr(holder, name, 0.0)
    return model
