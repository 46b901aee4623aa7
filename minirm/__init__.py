"""Explicit and implicit reward models, their trainer, and what tells them apart.

The heart is small: ``rewards`` has the reward functions, ``losses`` the loss they share.
"""

from minirm import notices  # noqa: F401  # before all others

# isort: split

from minirm import dynamics
from minirm.losses import bradley_terry_loss
from minirm.metrics import accuracy, normalised_margin, win_rate
from minirm.models.bases import load_base
from minirm.pairs import PreferencePair
from minirm.rewards import ExplicitRM, GenerativeRM, ImplicitRM
from minirm.training.trainer import Trainer

__version__ = "0.1.0"

__all__ = [
    "ExplicitRM",
    "GenerativeRM",
    "ImplicitRM",
    "PreferencePair",
    "Trainer",
    "accuracy",
    "bradley_terry_loss",
    "dynamics",
    "load_base",
    "normalised_margin",
    "win_rate",
]
