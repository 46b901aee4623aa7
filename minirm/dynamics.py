"""What one step of gradient descent on one comparison does to another reward.

In closed form where the hidden states h stay fixed and only the last matrix moves (the head u of
EX-RM, the unembedding U of the others), as in arXiv 2507.07981, section 4; and by taking the step.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from minirm.batches import pair_rows
from minirm.forward import hidden_states, language_model
from minirm.models.probes import has_linear_head
from minirm.pairs import PreferencePair, Text, encode_pairs
from minirm.reward_model import RewardModel
from minirm.rewards import ExplicitRM, GenerativeRM, ImplicitRM

Parameters = Literal["last", "trunk", "all"]
"""What moves: the head or the unembedding alone, everything but that, or all of it."""

Rule = Literal["sgd", "adam"]
"""Whose first step: along minus the gradient, or AdamW's, all but its sign, weight by weight."""


def rho(p: Tensor, y: Tensor, q: Tensor, v: Tensor) -> Tensor:
    """How a step that makes the tokens v likelier acts on the tokens y, before <h, h'>.

    rho[k, l] = 1[y_k = v_l] - q_l(y_k) - p_k(v_l) + <p_k, q_l> = <e(y_k) - p_k, e(v_l) - q_l>,
    Eq. (5): the agreement of two surprises. In [0, 2] where the tokens match, else in [-2, 1].

    Args:
        p: [K, V], the probabilities with which y was predicted.
        y: [K] long, tokens of the response that is watched.
        q: [L, V], the probabilities with which v was predicted.
        v: [L] long, tokens of the response that is trained.

    Returns:
        [K, L].

    Raises:
        ValueError: the shapes do not go together.

    Two synonyms between which both contexts are undecided repel each other:

    >>> even = torch.tensor([[0.5, 0.5]])
    >>> rho(even, torch.tensor([0]), even, torch.tensor([1]))
    tensor([[-0.5000]])
    """
    if p.ndim != 2 or q.ndim != 2 or p.shape[1] != q.shape[1]:
        raise ValueError(f"p and q must be [K, V] and [L, V], got {[*p.shape]} and {[*q.shape]}")
    if y.shape != p.shape[:1] or v.shape != q.shape[:1]:
        raise ValueError(
            f"y and v must have one token for each row of p and q, {[*p.shape[:1]]} and "
            f"{[*q.shape[:1]]}, got {[*y.shape]} and {[*v.shape]}"
        )
    match = (y[:, None] == v).to(p.dtype)
    return match - q[:, y].T - p[:, v] + p @ q.T


@dataclass(frozen=True)
class Coupling:
    """How the K tokens of one response hang on the L tokens of a trained one."""

    rho: Tensor  # [K, L]
    kernel: Tensor  # [K, L]: <h, h'> of the states that predict the two tokens

    @property
    def push(self) -> Tensor:
        """d ln pi of token k when ln pi of token l is raised through U, rho * kernel, [K, L]."""
        return self.rho * self.kernel


def coupling(
    model: ImplicitRM, prompt: Text, response: Text, trained_prompt: Text, trained: Text
) -> Coupling:
    """The tables behind ``predicted_change``: ``response`` (rows) against ``trained`` (columns).

    Args:
        model: whose policy predicts both.
        prompt: what ``response`` answers.
        response: the answer that is watched, of K tokens.
        trained_prompt: what ``trained`` answers.
        trained: one side of a comparison, of L tokens.

    Raises:
        ValueError: as ``predicted_change``.
    """
    return _couple(*_read(model, [prompt, trained_prompt], [response, trained]))


def predicted_change(
    model: RewardModel, pair: PreferencePair, prompt: Text, response: Text, lr: float
) -> float:
    """Change of r(prompt, response) when the last layer takes one step of size ``lr`` on ``pair``.

    Bradley-Terry for EX-RM and IM-RM, with g = sigma(-(r+ - r-)); cross-entropy for EX-GRM. h, h+
    and h- are the states of the response asked about and of the pair's two sides.

        EX-RM    lr g <h, h+ - h->                                       exact
        IM-RM    lr beta^2 g sum_kl (rho+ <h_k, h+_l>) - (rho- <h_k, h-_l>)  up to O(lr^2)
        EX-GRM   lr p / 2 (rho(Yes, Yes) <h, h+> + rho(Yes, No) <h, h->)     up to O(lr^2)

    Args:
        model: at the start of the step; it is not changed.
        pair: what is trained.
        prompt: of the answer that is watched.
        response: the answer that is watched.
        lr: the step's size, times which the gradient is subtracted.

    Raises:
        ValueError: the unembedding is tied to the input embeddings, so that moving it moves h
            (see ``untied``), or the logits are not U h.
    """
    prompts, responses = [prompt, pair.prompt, pair.prompt], [response, pair.chosen, pair.rejected]
    _, chosen, rejected = model.score(prompts, responses).tolist()
    g = torch.sigmoid(torch.tensor(rejected - chosen, dtype=torch.float64)).item()
    if isinstance(model, ExplicitRM):
        h, up, down = model.features(prompts, responses)
        return lr * g * (h @ (up - down)).item()
    h, up, down = _read(model, prompts, responses)
    if isinstance(model, GenerativeRM):
        down = *down[:2], torch.full_like(down[2], model.no_id)
        p = h[1][0, model.yes_id].item()
        return lr * p / 2 * (_couple(h, up).push + _couple(h, down).push).item()
    change = _couple(h, up).push.sum() - _couple(h, down).push.sum()
    assert isinstance(model, ImplicitRM)  # the third and last kind
    return lr * model.beta**2 * g * change.item()


def actual_change(
    model: RewardModel, pair: PreferencePair, prompt: Text, response: Text, lr: float, *,
    parameters: Parameters = "last",
) -> float:  # fmt: skip
    """The same change, measured: the step is taken by autograd, and taken back.

    Args:
        model: at the start of the step, and again afterwards.
        pair: what is trained.
        prompt: of the answer that is watched.
        response: the answer that is watched.
        lr: the step's size.
        parameters: what moves, "last", "trunk" or "all".

    Raises:
        ValueError: as ``one_step``.
    """
    before = model.score([prompt], [response])
    with one_step(model, [pair], lr, parameters=parameters):
        return (model.score([prompt], [response]) - before).item()


@contextmanager
def one_step(
    model: RewardModel, pairs: Sequence[PreferencePair], lr: float, *,
    parameters: Parameters = "last", rule: Rule = "sgd",
) -> Iterator[None]:  # fmt: skip
    """Inside, ``model`` has taken one step; afterwards its weights are the old ones, bit for bit.

    Args:
        model: takes the step.
        pairs: as for ``step_direction``, and so are ``parameters``, ``rule`` and the errors.
        lr: the step's size.
        parameters: what moves.
        rule: whose step.
    """
    with moved(model, step_direction(model, pairs, parameters=parameters, rule=rule), lr):
        yield


def step_direction(
    model: RewardModel, pairs: Sequence[PreferencePair], *,
    parameters: Parameters = "all", rule: Rule = "sgd",
) -> dict[str, Tensor]:  # fmt: skip
    """Where the first step on the mean loss of ``pairs`` goes, for a learning rate of 1.

    With the gradient g, "sgd" gives -g. In AdamW's first step the corrected moments are g and
    g^2, so "adam" gives -g / (|g| + 1e-8).

    Args:
        model: at the start of the step; it is not changed.
        pairs: what is trained, all in one batch.
        parameters: what moves, "last", "trunk" or "all".
        rule: "sgd" or "adam".

    Returns:
        a tensor for each weight that moves, by its name in ``model``.

    Raises:
        ValueError: ``parameters`` or ``rule`` is unknown, no weight of these is trained, or
            "last" is asked of a model whose last layer is tied to its input embeddings.
    """
    for value, kind in ((parameters, Parameters), (rule, Rule)):
        if value not in (known := get_args(kind)):
            raise ValueError(f"expected one of {known}, got {value!r}")
    weights = {name: w for name, w in model.named_parameters() if w.requires_grad}
    if parameters != "all":
        last, whole = last_layer(model), parameters == "last"
        weights = {name: w for name, w in weights.items() if (w is last) == whole}
    if not weights:
        raise ValueError(f"no weight of {parameters!r} is trained: all of them are frozen")
    encoded, _ = encode_pairs(pairs, model.encode, max_length=model.max_length)
    losses, _ = model(pair_rows(encoded, model.pad_token_id).to(model.device))
    gradients = torch.autograd.grad(losses.mean(), [*weights.values()], allow_unused=True)
    found = {n: g for n, g in zip(weights, gradients, strict=True) if g is not None}
    return {n: -g if rule == "sgd" else -g / (g.abs() + 1e-8) for n, g in found.items()}


@contextmanager
def moved(model: RewardModel, direction: Mapping[str, Tensor], size: float) -> Iterator[None]:
    """Inside, the weights have gone ``size`` times ``direction``; afterwards they are back.

    Args:
        model: whose weights.
        direction: a tensor for each weight that moves, by its name in ``model``.
        size: how far, in lengths of ``direction``.
    """
    weights = dict(model.named_parameters())
    saved = {name: weights[name].detach().clone() for name in direction}
    try:
        with torch.no_grad():
            for name, way in direction.items():
                weights[name].add_(size * way)
        yield
    finally:
        with torch.no_grad():
            for name, value in saved.items():
                weights[name].copy_(value)


def last_layer(model: RewardModel) -> nn.Parameter:
    """The matrix that the theory moves: the head u, [1, D], or the unembedding U, [V, D].

    Raises:
        ValueError: it is tied to the input embeddings, or there is more to the logits than U h.
    """
    network = language_model(model.model)
    if isinstance(model, ExplicitRM):
        return network.score.weight
    weight = network.get_output_embeddings().weight
    if weight is network.get_input_embeddings().weight:
        raise ValueError(
            f"{type(network).__name__} ties its unembedding to its input embeddings: a step on "
            "the one moves the hidden states through the other, and the formulas take them as "
            "fixed; build the reward model on dynamics.untied(base)"
        )
    if not has_linear_head(network):
        raise ValueError(
            f"{type(network).__name__} does more to its logits than U h (a soft cap, a scale), "
            "which the formulas leave out"
        )
    return weight


def untied(base: Any) -> Any:
    """A copy of a causal LM whose unembedding is a matrix of its own, with the same values."""
    base = copy.deepcopy(base)
    head = base.get_output_embeddings()
    head.weight = nn.Parameter(head.weight.detach().clone())
    base.config.tie_word_embeddings = False
    return base


_Reading = tuple[Tensor, Tensor, Tensor]
"""Where a response of K tokens is predicted: states [K, D], probabilities [K, V], tokens [K]."""


@torch.no_grad()
def _read(model: RewardModel, prompts: Sequence[Text], responses: Sequence[Text]) -> list[_Reading]:
    last_layer(model)  # raises where U does not stand alone behind the states
    sequences = [model.encode(x, y) for x, y in zip(prompts, responses, strict=True)]
    rows, lengths = model.rows(sequences), [len(s.response) for s in sequences]
    states = hidden_states(model.model, rows).flatten(0, 1)[rows.source]
    probs = language_model(model.model).get_output_embeddings()(states).softmax(-1)
    parts = (values.split(lengths) for values in (states, probs, rows.target))
    return list(zip(*parts, strict=True))


def _couple(a: _Reading, b: _Reading) -> Coupling:
    (h, p, y), (h_trained, q, v) = a, b
    return Coupling(rho(p, y, q, v), h @ h_trained.T)
