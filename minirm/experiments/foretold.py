"""How far one step foretells a whole training: first-order theory against the outcome.

Watched are answers in every held-out opening and phrase. The theory sets out from the untrained
model: the change of a reward is its gradient times the change of the weights, which is taken to be
the first step on all training pairs as often as there are steps. The step is Adam's, which is the
one that is really taken, or plain gradient descent's; and, because a wrong direction is one
failure and a bent way is another, also the displacement that training ends with.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import pearsonr, spearmanr
from torch import Tensor

from minirm import dynamics
from minirm.batches import shared_rows
from minirm.encoding import Encoded
from minirm.experiments import persona as experiment
from minirm.experiments import runner
from minirm.experiments.designs import DESIGNS
from minirm.experiments.results import Row
from minirm.first_order import slopes
from minirm.metrics import opening_accuracies
from minirm.models.bases import COMMON, load_base
from minirm.pairs import PreferencePair
from minirm.reward_model import RewardModel
from minirm.rewards import ExplicitRM, ImplicitRM
from minirm.training.trainer import Trainer
from minirm.worlds import opinions, persona

STEPS = ("sgd", "adam", "path")
"""The change of the weights: plain gradient descent's, Adam's, and that of the whole training."""
PARTS = ("last", "trunk", "all")
"""The head or the unembedding, all weights but that, and both."""
REWARDS = ("explicit", "implicit")
DESIGNS_ASKED = ("paper", "one prefix", "all prefixes")
PHRASES = (*persona.YES, *persona.NO)
RIGHT = [phrase in persona.YES for phrase in PHRASES]
PROMPTS = 10
LIKELIER = "likelier opening"

Direction = Mapping[str, Tensor]
Kind = tuple[str, str]
"""A step and a part of the weights."""


@dataclass(frozen=True)
class Run:
    """One training run, with the persona experiment's rate, epochs and batches.

    Args:
        base: a language model, as for ``load_base``.
        design: a key of ``DESIGNS``.
        reward: one of ``REWARDS``.
        seed: draws the questions, the wordings, the head's start and the batch order.
    """

    base: str = "seed-0"
    design: str = "paper"
    reward: str = "implicit"
    seed: int = 0


@dataclass(frozen=True)
class Foretold:
    """What was foretold of P openings and what came.

    The two columns of a change are the mean over right and over wrong phrases, and over prompts.

    Args:
        predicted: by (step, part), the change of the rewards by first-order theory, [P, 2].
        cosine: by (step, part), between the change of the weights and that of the whole training.
        trained: the change that training made, [P, 2].
        rewards: the trained rewards of N prompts and W phrases, [N, P, W].
        openings: ln pi_ref of each opening, the mean over prompts, in nats, [P].
    """

    predicted: Mapping[Kind, Tensor]
    cosine: Mapping[Kind, float]
    trained: Tensor
    rewards: Tensor
    openings: Tensor


def runs(
    seeds: int, bases: Sequence[str] = COMMON, designs: Sequence[str] = DESIGNS_ASKED
) -> list[Run]:
    """Every reward in every design on every base, one seed after another."""
    return runner.grid(Run, seed=range(seeds), base=bases, design=designs, reward=REWARDS)


def untrained(run: Run) -> tuple[RewardModel, list[PreferencePair], tuple[str, ...]]:
    """The reward model before training, its training pairs, and the prompts that are asked."""
    questions = persona.world_questions(run.seed)
    base, tokenizer = load_base(run.base)
    if run.reward == "explicit":
        model: RewardModel = ExplicitRM(base, tokenizer, seed=run.seed, copy=False)
    else:
        model = ImplicitRM(base, tokenizer, beta=experiment.Run.beta, copy=False)
    pairs = DESIGNS[run.design].training_pairs(questions.train, run.seed)
    return model, pairs, questions.test[:PROMPTS]


def train(model: RewardModel, pairs: Sequence[PreferencePair], seed: int) -> int:
    """Train in place, as the persona experiment does; returns the number of steps."""
    how = {name: getattr(experiment.Run, name) for name in ("lr", "epochs", "batch_size")}
    trainer = Trainer(model, pairs, **how, seed=seed, progress=False)
    trainer.fit()
    return trainer.total_steps


def directions(
    start: RewardModel, trained: RewardModel, pairs: Sequence[PreferencePair], steps: int
) -> dict[Kind, Direction]:
    """The three changes of the weights, each in its two parts: by (step, "last" or "trunk").

    Adam's first step is taken ``steps`` times, at the learning rate of the training. The plain
    gradient step, which knows of no such rate, is made as long as that.

    Args:
        start: the model before training.
        trained: the same model after training.
        pairs: what it was trained on.
        steps: how many steps the training took.
    """
    after, head = dict(trained.named_parameters()), dynamics.last_layer(start)
    last = {name for name, weight in start.named_parameters() if weight is head}
    adam = dynamics.step_direction(start, pairs, rule="adam")
    sgd = dynamics.step_direction(start, pairs, rule="sgd")
    ways: dict[str, Direction] = {
        "sgd": _scaled(sgd, experiment.Run.lr * steps * _length(adam) / _length(sgd)),
        "adam": _scaled(adam, experiment.Run.lr * steps),
        "path": {
            name: after[name].detach() - weight.detach()
            for name, weight in start.named_parameters()
            if name in adam
        },
    }
    return {
        (step, part): {name: d for name, d in way.items() if (name in last) == (part == "last")}
        for step, way in ways.items()
        for part in ("last", "trunk")
    }


def foretell(run: Run) -> Foretold:
    """Foretell, train, and compare: a few seconds on one core."""
    model, pairs, prompts = untrained(run)
    start = copy.deepcopy(model)
    sequences = [
        start.encode(prompt, opinions.answer(opening, phrase))
        for prompt in prompts
        for opening in persona.OPENINGS
        for phrase in PHRASES
    ]
    shape = (len(prompts), len(persona.OPENINGS), len(PHRASES))
    before = model.score_encoded(sequences).double().reshape(shape)
    steps = train(model, pairs, run.seed)
    rewards = model.score_encoded(sequences).double().reshape(shape)
    ways = directions(start, model, pairs, steps)
    by_opening = [sequences[i : i + len(PHRASES)] for i in range(0, len(sequences), len(PHRASES))]
    changes = torch.stack(
        [_slopes(start, by_opening[p :: shape[1]], [*ways.values()]) for p in range(shape[1])]
    )
    predicted = dict(zip(ways, changes.unbind(-1), strict=True))
    for step in STEPS:
        predicted[step, "all"] = predicted[step, "last"] + predicted[step, "trunk"]
    return Foretold(
        predicted={(step, part): predicted[step, part] for step in STEPS for part in PARTS},
        cosine={(step, part): _cosine(ways, step, part) for step in STEPS for part in PARTS},
        trained=_by_meaning(rewards - before).mean(0),
        rewards=rewards,
        openings=_openings(run.base, prompts),
    )


def pair_margins(means: Tensor) -> np.ndarray:
    """Mean margin of every ordered pair of two different openings.

    Args:
        means: [P, 2], of the rewards of right and of wrong phrases, or of their changes.

    Returns:
        [P (P - 1)]: right phrases after one opening minus wrong ones after another, the first
        opening varying slowest. The paper's own pair comes first.
    """
    return _off_diagonal((means[:, :1] - means[:, 1]).numpy())


def measure(run: Run) -> list[dict[str, Any]]:
    """One row a step and part of the weights, and one for the openings' likelihood alone."""
    found = foretell(run)
    outcome = pair_margins(found.trained)
    accuracies = _off_diagonal(opening_accuracies(found.rewards, RIGHT))
    came = {"right": float(np.mean(outcome > 0)), "accuracy": float(accuracies.mean())}
    came |= {"paper accuracy": float(accuracies[0]), "paper trained": float(outcome[0])}
    guesses = {kind: (pair_margins(v), found.cosine[kind]) for kind, v in found.predicted.items()}
    likely = _off_diagonal((found.openings[:, None] - found.openings).numpy())
    return [
        {**asdict(run), "step": step, "part": part, "cosine": cosine}
        | _agreement(guess, outcome)
        | came
        for (step, part), (guess, cosine) in (guesses | {(LIKELIER, None): (likely, None)}).items()
    ]


def table(rows: Sequence[Row]) -> str:
    """Agreement, correlation and size by step and part: seeds averaged, t intervals over bases."""
    named = [{**row, "foretold by": f"{row['step']} {row['part'] or ''}".strip()} for row in rows]
    values = ("signs", "pearson", "r2", "scale", "paper sign", "right", "accuracy")
    by = ("design", "reward")
    return runner.table(named, by=by, line="foretold by", values=values, unit="base")


def _agreement(guess: np.ndarray, outcome: np.ndarray) -> dict[str, float]:
    """How a guess of the margins fits those that came, in sign and in size.

    "scale" is the least-squares factor from guess to outcome, without an offset, and "r2" what
    the guess times that factor explains beyond the mean outcome: below 0 where the mean does
    better.
    """
    scale = float(guess @ outcome / (guess @ guess))
    left = np.square(outcome - scale * guess).sum()
    return {
        "signs": float(np.mean(np.sign(guess) == np.sign(outcome))),
        "pearson": float(pearsonr(guess, outcome)[0]),
        "spearman": float(spearmanr(guess, outcome)[0]),
        "r2": float(1 - left / np.square(outcome - outcome.mean()).sum()),
        "scale": scale,
        "paper foretold": float(guess[0]),
        "paper sign": float(np.sign(guess[0]) == np.sign(outcome[0])),
    }


def _openings(base: str, prompts: Sequence[str]) -> Tensor:
    """ln pi_ref of each opening, the mean over prompts: [P]."""
    model = ImplicitRM(*load_base(base), reference=None, copy=False)
    tail = len(model.encode(prompts[0], PHRASES[0]).response)
    whole = [
        model.encode(prompt, opinions.answer(opening, PHRASES[0]))
        for prompt in prompts
        for opening in persona.OPENINGS
    ]
    parts = [Encoded(s.prompt, s.response[:-tail]) for s in whole]
    return model.map_encoded(model.logprobs, parts).double().reshape(len(prompts), -1).mean(0)


def _slopes(
    start: RewardModel, prompts: Sequence[Sequence[Encoded]], ways: Sequence[Direction]
) -> Tensor:
    """First-order changes of right and of wrong phrases along D directions: [2, D].

    ``prompts`` has, for each prompt, its answers in one opening, one a phrase.
    """
    sequences = [sequence for answers in prompts for sequence in answers]
    rows = start.rows(sequences)
    if start.shares_prompts:
        groups = torch.arange(len(sequences)).reshape(len(prompts), -1).tolist()
        rows = shared_rows(sequences, groups, start.pad_token_id).to(start.device)
    rewards = start.rewards(rows).reshape(len(prompts), -1)
    return slopes(start, _by_meaning(rewards).mean(0), ways)


def _by_meaning(rewards: Tensor) -> Tensor:
    """[..., W] -> [..., 2]: the means of the right and of the wrong phrases."""
    right = torch.tensor(RIGHT)
    return torch.stack([rewards[..., right].mean(-1), rewards[..., ~right].mean(-1)], -1)


def _cosine(ways: Mapping[Kind, Direction], step: str, part: str) -> float:
    """Between a change of the weights and the training's, in one part or in both."""
    parts = ("last", "trunk") if part == "all" else (part,)
    way, path = ({k: v for p in parts for k, v in ways[s, p].items()} for s in (step, "path"))
    inner = sum((way[name] * path[name]).sum().item() for name in way)
    return inner / (_length(way) * _length(path))


def _scaled(direction: Direction, factor: float) -> Direction:
    return {name: factor * way for name, way in direction.items()}


def _length(direction: Direction) -> float:
    return math.hypot(*(way.norm().item() for way in direction.values()))


def _off_diagonal(square: np.ndarray) -> np.ndarray:
    """[P, P] -> [P (P - 1)], row by row, without the diagonal."""
    return square[~np.eye(len(square), dtype=bool)]
