"""The book's exercises: one check each, and the reader's predictions.

A check takes the learner's function and tries it on fresh random inputs. It prints one line where
all is well and raises ``WrongAnswer`` with a hint where it is not.
"""

from minirm.classroom.checking import WrongAnswer, attempt
from minirm.classroom.collapse import check_grid_accuracy, check_share_by_part
from minirm.classroom.predictions import compare_predictions
from minirm.classroom.preferences import (
    check_bradley_terry,
    check_normalised_margin,
    check_reward_gradients,
)
from minirm.classroom.small_world import check_choice_entropy, check_mean_probe
from minirm.classroom.two_rewards import (
    check_explicit_rewards,
    check_generative_rewards,
    check_implicit_reward,
    check_optimal_policy,
)

__all__ = [
    "WrongAnswer",
    "attempt",
    "check_bradley_terry",
    "check_choice_entropy",
    "check_explicit_rewards",
    "check_generative_rewards",
    "check_grid_accuracy",
    "check_implicit_reward",
    "check_mean_probe",
    "check_normalised_margin",
    "check_optimal_policy",
    "check_reward_gradients",
    "check_share_by_part",
    "compare_predictions",
]
