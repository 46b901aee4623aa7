"""The book's exercises: one check each, and the reader's predictions.

A check takes the learner's function and tries it on fresh random inputs. It prints one line where
all is well and raises ``WrongAnswer`` with a hint where it is not.
"""

from minirm.classroom.answers_alone import (
    check_cluster_error,
    check_shared_prompts,
    check_shortcut,
)
from minirm.classroom.checking import WrongAnswer, attempt
from minirm.classroom.collapse import (
    check_grid_accuracy,
    check_meaning_share,
    check_share_by_part,
)
from minirm.classroom.gradients import (
    check_explicit_step,
    check_mismatch_mean,
    check_positive_mismatch,
    check_rho,
)
from minirm.classroom.hamiltonian import (
    check_fooling,
    check_negative_sampler,
    check_silent_judge,
    check_verifier,
)
from minirm.classroom.ladder import (
    check_calibration,
    check_sign_agreement,
    check_states_before,
)
from minirm.classroom.predictions import compare_predictions, record_predictions
from minirm.classroom.preferences import (
    check_bradley_terry,
    check_normalised_margin,
    check_reward_gradients,
)
from minirm.classroom.real_model import check_additive_accuracy, check_rounding_ties
from minirm.classroom.real_preferences import check_length_slope, check_prompt_share
from minirm.classroom.shortcut import check_first_share, check_opening_push
from minirm.classroom.small_world import check_choice_entropy, check_mean_probe
from minirm.classroom.theory import (
    check_normalised_step,
    check_odds_bound,
    check_tilted_probability,
    check_unembedding_step,
)
from minirm.classroom.trainer import check_block_mask, check_restarted_positions
from minirm.classroom.two_failures import check_counterbalance, check_word_counts
from minirm.classroom.two_rewards import (
    check_explicit_rewards,
    check_generative_rewards,
    check_implicit_reward,
    check_optimal_policy,
)

__all__ = [
    "WrongAnswer",
    "attempt",
    "check_additive_accuracy",
    "check_block_mask",
    "check_bradley_terry",
    "check_calibration",
    "check_choice_entropy",
    "check_cluster_error",
    "check_counterbalance",
    "check_explicit_rewards",
    "check_explicit_step",
    "check_first_share",
    "check_fooling",
    "check_generative_rewards",
    "check_grid_accuracy",
    "check_implicit_reward",
    "check_length_slope",
    "check_mean_probe",
    "check_meaning_share",
    "check_mismatch_mean",
    "check_negative_sampler",
    "check_normalised_margin",
    "check_normalised_step",
    "check_odds_bound",
    "check_opening_push",
    "check_optimal_policy",
    "check_positive_mismatch",
    "check_prompt_share",
    "check_restarted_positions",
    "check_reward_gradients",
    "check_rho",
    "check_rounding_ties",
    "check_share_by_part",
    "check_shared_prompts",
    "check_shortcut",
    "check_sign_agreement",
    "check_silent_judge",
    "check_states_before",
    "check_tilted_probability",
    "check_unembedding_step",
    "check_verifier",
    "check_word_counts",
    "compare_predictions",
    "record_predictions",
]
