"""Checks of the chapter "Two reward models, one language model"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from minirm.classroom.checking import (
    Draw,
    WrongAnswer,
    expect_right,
    expect_tensor,
    is_close,
    normal,
    passed,
)


def check_explicit_rewards(rewards: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """Whether the learner's rewards are <u, h> at each sequence's last real token.

    Args:
        rewards: of hidden [B, T, D], lengths [B] and head [D]; returns [B].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(*inputs: Tensor) -> Tensor:
        return expect_tensor(rewards(*inputs), (4,), "your rewards", meaning="one per sequence")

    expect_right(
        ask,
        _explicit,
        otherwise="Which state has seen the whole response, and nothing after it?",
    )
    passed("One state a response, and no padding among them.")


def _explicit(by: torch.Generator) -> Draw:
    hidden, head = normal(4, 9, 5, by=by), normal(5, by=by)
    lengths = torch.randperm(5, generator=by)[:4] + 3  # all different, all shorter than T - 1
    per_token = hidden @ head  # [B, T]
    row = torch.arange(4)
    real = torch.arange(9) < lengths[:, None]
    mistakes = {
        "You read the last column, which is padding wherever a sequence is shorter than the "
        "longest.": per_token[:, -1],
        "One place too far: counting starts at 0, so you read the padding after the last token.": (
            per_token[row, lengths]
        ),
        "One place too early: you read the state before the final token. (A well-known padding "
        "bug has the same effect.)": per_token[row, lengths - 2],
        'You averaged over the sequence. That is the ablation pooling="mean"; here one state is '
        "read.": (per_token * real).sum(1) / lengths,
        "You averaged over all columns, padding included; here one state is read.": (
            per_token.mean(1)
        ),
        "You added up over the sequence; here one state is read.": (per_token * real).sum(1),
        "You read the first token, whose state has seen nothing of the response.": per_token[:, 0],
    }
    return Draw((hidden, lengths, head), per_token[row, lengths - 1], mistakes)


def check_implicit_reward(
    reward: Callable[[Tensor, Tensor, Tensor, int, float], Tensor],
) -> None:
    """Whether the learner's reward is beta times the log-ratio of the response.

    Args:
        reward: of policy_logits [T, V], reference_logits [T, V], ids [T], n_prompt and beta;
            returns [].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(*inputs: Any) -> Tensor:
        return expect_tensor(reward(*inputs), (), "your reward", meaning="one for the response")

    expect_right(
        ask,
        _implicit,
        otherwise="Check which logits predict which token, on a response of one token.",
    )
    passed("Every token of the response, EOS included, has its say.")


def _implicit(by: torch.Generator) -> Draw:
    vocabulary, n_prompt, n_response, beta = 6, 3, 4, 0.1
    policy, reference = (normal(n_prompt + n_response, vocabulary, by=by) for _ in range(2))
    ids = torch.randint(vocabulary, (n_prompt + n_response,), generator=by)

    def shares(first: int, last: int, back: int = 1, normalised: bool = True) -> Tensor:
        """Policy and reference, [2, N]: tokens first..last-1 read ``back`` places before."""
        both = torch.stack([policy, reference])
        both = both.log_softmax(-1) if normalised else both
        return both[:, torch.arange(first, last) - back, ids[first:last]]

    end = n_prompt + n_response
    ours, theirs = shares(n_prompt, end)
    right = beta * (ours - theirs).sum()

    def ratio(pair: Tensor) -> Tensor:
        return beta * (pair[0] - pair[1]).sum()

    mistakes = {
        "You averaged over the tokens. The probability of a response is a product over its tokens, "
        "so what happens to their logarithms?": right / n_response,
        "The final token is left out. The response ends in its EOS, whose probability belongs to "
        "it.": ratio(shares(n_prompt, end - 1)),
        "The first token of the response is left out. It too was predicted: from the prompt.": (
            ratio(shares(n_prompt + 1, end))
        ),
        "You read each token's probability at its own place. What the model says there is about "
        "the next token.": ratio(shares(n_prompt, end, back=0)),
        "The prompt's tokens are counted as well. The reward is of the response, given the "
        "prompt.": ratio(shares(1, end)),
        "These are logits, not log-probabilities: nothing makes them comparable between the two "
        "models.": ratio(shares(n_prompt, end, normalised=False)),
        "The wrong way round: a response that the trained model likes more than the reference "
        "does should be rewarded.": -right,
        "Where is the reference? This is the ablation reference=None.": beta * ours.sum(),
        "Where is beta? This is the log-ratio in nats.": right / beta,
        "You divided by beta.": right / beta**2,
        "You took a ratio of logarithms; wanted is the logarithm of a ratio.": (
            beta * ours.sum() / theirs.sum()
        ),
        "A difference of probabilities; wanted is a difference of their logarithms.": (
            beta * (ours.exp() - theirs.exp()).sum()
        ),
    }
    return Draw((policy, reference, ids, n_prompt, beta), right, mistakes)


def check_optimal_policy(policy: Callable[[Tensor, Tensor, float], Tensor]) -> None:
    """Whether the learner has the optimum of the KL-regularised goal, at a small beta too.

    Args:
        policy: of reference [K], rewards [K] and beta; returns probabilities [K].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(*inputs: Any) -> Tensor:
        return expect_tensor(
            policy(*inputs), (5,), "your policy", meaning="one probability a response"
        )

    draw, *_ = expect_right(
        ask,
        _policy,
        otherwise="Do the probabilities add up to 1, and are they the reference's where all "
        "rewards are equal?",
    )
    reference, rewards, _ = draw.inputs
    extreme = rewards + 20.0  # at beta = 0.01 the factors themselves are far beyond any float
    right = (reference.log() + extreme / 0.01).softmax(0)
    if not is_close(ask(reference.clone(), extreme.clone(), 0.01), right):
        raise WrongAnswer(
            "Right at beta = 0.5, but at beta = 0.01 and rewards near 20 an exponential overflows. "
            "Stay with logarithms for as long as you can."
        )
    passed("It holds at the paper's beta = 0.01 too.")


def _policy(by: torch.Generator) -> Draw:
    reference, rewards, beta = normal(5, by=by).softmax(0), normal(5, by=by), 0.5
    tilted = reference * (rewards / beta).exp()
    mistakes = {
        "These weights do not add up to 1 yet.": tilted,
        "The reference has vanished: with all rewards equal, the best policy is to stay with it.": (
            (rewards / beta).softmax(0)
        ),
        "Beta pulls the wrong way: a large beta should keep the policy near the reference.": (
            (reference.log() + rewards * beta).softmax(0)
        ),
        "Beta is missing.": (reference.log() + rewards).softmax(0),
        "The sign is turned: responses with a low reward have gained.": (
            (reference.log() - rewards / beta).softmax(0)
        ),
        "You added the exponential to the reference; each probability is multiplied by its own "
        "factor.": (reference + (rewards / beta).exp()) / (1 + (rewards / beta).exp().sum()),
        "The probabilities went into a softmax as they are; a softmax takes logarithms.": (
            (reference + rewards / beta).softmax(0)
        ),
    }
    right = (reference.log() + rewards / beta).softmax(0)
    return Draw((reference, rewards, beta), right, mistakes)


def check_generative_rewards(rewards: Callable[[Tensor, int, int], Tensor]) -> None:
    """Whether the learner's rewards are the probability of one token.

    Args:
        rewards: of logits [B, V] and the token ids yes and no; returns [B].

    Raises:
        WrongAnswer: with a hint.
    """

    def ask(*inputs: Any) -> Tensor:
        return expect_tensor(rewards(*inputs), (5,), "your rewards", meaning="one per question")

    expect_right(ask, _generative, otherwise="Every reward should lie between 0 and 1.")
    passed("A probability among all the words that could come next.")


def _generative(by: torch.Generator) -> Draw:
    logits = normal(5, 8, by=by)
    yes, no = torch.randperm(8, generator=by)[:2].tolist()
    p = logits.softmax(-1)
    mistakes = {
        'This is the logit of "Yes", not its probability: it has no scale of its own.': (
            logits[:, yes]
        ),
        'This is the logarithm of the probability of "Yes".': p[:, yes].log(),
        'You let "Yes" and "No" share all the probability. The reward is the plain probability: '
        "what the model gives to other words counts against it.": (
            p[:, yes] / (p[:, yes] + p[:, no])
        ),
        'This is the probability of "No".': p[:, no],
        'A difference between "Yes" and "No"; the reward looks at "Yes" alone.': (
            p[:, yes] - p[:, no]
        ),
        'This is the log-odds of "Yes" against "No"; the reward is a probability.': (
            logits[:, yes] - logits[:, no]
        ),
        "A sigmoid looks at one logit alone; a next token is chosen among the whole vocabulary.": (
            logits[:, yes].sigmoid()
        ),
        "The softmax runs over the batch, so the questions share the probability; each has its "
        "own.": logits.softmax(0)[:, yes],
    }
    return Draw((logits, yes, no), p[:, yes], mistakes)
