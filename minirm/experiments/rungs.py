"""The ladder from EX-RM to IM-RM, one change at a time, on the same data and seeds.

Down the ladder, each rung next to the one before it:

    explicit                 <u, h_last>                           EX-RM
    explicit, mean           mean_k <u, h_k>                       it reads every position
    explicit, sum            sum_k <u, h_k>                        it adds them up
    explicit, states before  sum_k <u, h_{<k}>                     each before its token is known
    vector a token           beta sum_k <U_{y_k}, h_{<k}>          each token has its own u
    implicit, no reference   beta sum_k ln pi(y_k | x, y_<k)       minus the log-partition
    implicit                 beta sum_k ln pi/pi_ref               minus the reference: IM-RM

The last two steps can be taken in the other order: "implicit, no softmax" has the reference and not
the log-partition, so it is "vector a token" minus what that is before training.

Beside it stand the explicit heads that start at zero instead of at random (the start's reward,
with its ranking of the prefixes, is then gone), the generative reward, an implicit one per token,
implicit ones in which only part of the network moves, and implicit ones whose words and whose EOS
are treated apart:

    implicit, softmax on eos alone     the words' logits, ln pi of the EOS
    implicit, softmax on words alone   ln pi of the words, the EOS's logit
    implicit, eos lowered              ln pi of all, LOWERED_BY taken off the EOS's logit first
    implicit, no eos                   ln pi of the words, and the EOS counts nothing
    implicit, no softmax, no eos       the words' logits, and the EOS counts nothing

Each of them is minus the same before training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from torch import nn

from minirm import dynamics
from minirm.encoding import encode
from minirm.experiments import persona as experiment
from minirm.experiments.ladder_rewards import (
    EosApart,
    LoweredEos,
    PerTokenImplicit,
    SummedStates,
    VectorPerToken,
)
from minirm.forward import language_model
from minirm.models.adapters import of_rank
from minirm.reward_model import RewardModel
from minirm.rewards import QUESTION, ExplicitRM, GenerativeRM, ImplicitRM
from minirm.worlds import opinions, persona

BETA = experiment.Run.beta
LOWERED_BY = 8.0
"""Nats off the logit of an EOS that is to be no longer certain, in "implicit, eos lowered"."""
LEARNING_RATE: Mapping[str, float] = {
    "implicit, trunk frozen": 1e-4,
    "implicit, unembedding alone": 3e-4,
}
"""Rungs that are trained at another rate than the Persona experiment's, 3e-5.

There every rung ranks all training pairs rightly, but where the trunk is frozen so little moves
that the loss stays near its start (.61 and .67, from .69). Of 3e-5, 1e-4 and 3e-4 these rates bring
the training loss nearest to that of "implicit", on the base seed-0 with seed 0; nothing that is
held out was looked at.
"""

ADAPTED = ("explicit", "explicit, mean", "implicit", "implicit, no reference")
"""Rungs for which adapters may be trained in place of all weights: the experiments' own four."""

New = Callable[..., RewardModel]


def new_model(
    rung: str, base: Any, tokenizer: Any, seed: int, *, lora: int | None = None
) -> RewardModel:
    """An untrained reward model, ready for ``Trainer`` and ``score``.

    Args:
        rung: one of ``RUNGS``.
        base: a causal LM, copied; with adapters it is taken as it is.
        tokenizer: its tokenizer.
        seed: of an explicit head's start.
        lora: the rank of adapters, which are then trained alone (and a head); None trains all.

    Raises:
        KeyError: ``rung`` is not one of ``RUNGS``.
        ModuleNotFoundError: adapters need peft.
        ValueError: adapters are wanted, and the rung is not one of ``ADAPTED``.
    """
    if lora is None:
        return _NEW[rung](base, tokenizer, seed)
    if rung not in ADAPTED:
        raise ValueError(f"adapters can be trained for {', '.join(ADAPTED)}; got {rung!r}")
    return _NEW[rung](base, tokenizer, seed, lora=of_rank(lora), copy=False)


def learning_rate(rung: str) -> float:
    """At which ``rung`` is trained: the Persona experiment's unless ``LEARNING_RATE`` has it."""
    return LEARNING_RATE.get(rung, experiment.Run.lr)


def usual_length(tokenizer: Any) -> float:
    """Tokens of a training response of the paper's design, EOS included, on average."""
    texts = persona.CHOSEN.responses() + persona.REJECTED.responses()
    lengths = [len(encode(tokenizer, "? ", text).response) for text in texts]
    return sum(lengths) / len(lengths)


def _explicit(
    base: Any, tokenizer: Any, seed: int, *, zero: bool = False, kind: Any = ExplicitRM, **how: Any
) -> RewardModel:
    model = kind(base, tokenizer, seed=seed, **how)
    if zero:
        nn.init.zeros_(language_model(model.model).score.weight)
    return model


def _implicit(
    base: Any, tokenizer: Any, seed: int, *, kind: Any = ImplicitRM, **how: Any
) -> RewardModel:
    return kind(base, tokenizer, beta=BETA, **how)


def _per_token(base: Any, tokenizer: Any, seed: int) -> RewardModel:
    """A response of the usual length has the reward that "implicit" gives it."""
    return PerTokenImplicit(base, tokenizer, beta=BETA * usual_length(tokenizer))


def _partly_frozen(
    base: Any, tokenizer: Any, seed: int, *, trunk: bool, embedding: bool, unembedding: bool
) -> RewardModel:
    """An implicit reward in which only what is True moves; the trunk is what lies between."""
    model = ImplicitRM(dynamics.untied(base), tokenizer, beta=BETA, copy=False)
    network = language_model(model.model)
    network.requires_grad_(trunk)
    network.get_input_embeddings().requires_grad_(embedding)
    network.get_output_embeddings().requires_grad_(unembedding)
    return model


def _generative(base: Any, tokenizer: Any, seed: int) -> RewardModel:
    """Asked in the small world's own words where the tokenizer is the small world's."""
    question = QUESTION
    if tokenizer.get_vocab() == _world_vocabulary():
        question = f"{{prompt}}{{response}}{tokenizer.eos_token}{opinions.CHECK}"
    return GenerativeRM(base, tokenizer, question=question)


@cache
def _world_vocabulary() -> dict[str, int]:
    return opinions.build_tokenizer().get_vocab()


_NEW: Mapping[str, New] = {
    "explicit": _explicit,
    "explicit, zero head": partial(_explicit, zero=True),
    "explicit, mean": partial(_explicit, pooling="mean"),
    "explicit, mean, zero head": partial(_explicit, pooling="mean", zero=True),
    "explicit, sum": partial(_explicit, kind=SummedStates, at="token"),
    "explicit, states before": partial(_explicit, kind=SummedStates, at="before"),
    "vector a token": partial(_implicit, kind=VectorPerToken),
    "implicit, no reference": partial(_implicit, reference=None),
    "implicit": _implicit,
    "implicit, no softmax": partial(_implicit, kind=VectorPerToken, reference="base"),
    "generative": _generative,
    "implicit, per token": _per_token,
    "implicit, unembedding frozen": partial(
        _partly_frozen, trunk=True, embedding=True, unembedding=False
    ),
    "implicit, trunk frozen": partial(
        _partly_frozen, trunk=False, embedding=True, unembedding=True
    ),
    "implicit, unembedding alone": partial(
        _partly_frozen, trunk=False, embedding=False, unembedding=True
    ),
    "implicit, softmax on eos alone": partial(
        _implicit, kind=EosApart, words="logit", eos="logprob"
    ),
    "implicit, softmax on words alone": partial(
        _implicit, kind=EosApart, words="logprob", eos="logit"
    ),
    "implicit, eos lowered": partial(_implicit, kind=LoweredEos, by=LOWERED_BY),
    "implicit, no eos": partial(_implicit, kind=EosApart, words="logprob", eos="nothing"),
    "implicit, no softmax, no eos": partial(_implicit, kind=EosApart, words="logit", eos="nothing"),
}

RUNGS: tuple[str, ...] = tuple(_NEW)
"""The ladder's seven rungs with the zero heads among them, then what stands beside it."""
