"""What the policy inside an implicit reward says about Hamiltonian cycles, and how likely.

Samples with a verdict, the exact probability of a right answer, and a policy that can say nothing
but orders of the vertices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median as median_of
from typing import Any

import torch
from scipy.stats import binomtest
from torch import Tensor
from torch.nn.functional import one_hot

from minirm.batches import Rows
from minirm.forward import response_logits
from minirm.logprobs import pick_logprobs
from minirm.metrics import bootstrap_interval
from minirm.pairs import Encoded
from minirm.reward_model import RewardModel
from minirm.rewards import ImplicitRM
from minirm.worlds import hamiltonian as world
from minirm.worlds.hamiltonian import Puzzle

N_EXACT = 200  # graphs: sums over all cycles

Figure = dict[str, Any]  # value, low, high, cases


class OrdersRM(ImplicitRM):
    """An implicit reward whose policy and reference can only say each vertex once, then stop.

    The softmax is taken over what is still allowed. It scores well-formed responses only.

    Raises:
        ValueError: a vertex is not the same single token wherever it stands.
    """

    def __init__(self, base: Any, tokenizer: Any, **options: Any) -> None:
        ids = tokenizer("1 1", add_special_tokens=False)["input_ids"]
        if len(ids) != 2 or ids[0] != ids[1]:
            raise ValueError(f"a vertex must be one token, this tokenizer reads '1 1' as {ids}")
        super().__init__(base, tokenizer, **options)

    def token_logprobs(self, model: Any, rows: Rows) -> Tensor:
        logits = response_logits(model, rows, linear_head=self._linear_head)
        said = one_hot(rows.target, logits.shape[-1]).view(rows.n_sequences, -1, logits.shape[-1])
        before = (said.cumsum(1) - said).flatten(0, 1)
        vertices = _vertices(self.tokenizer)
        allowed = torch.zeros_like(logits, dtype=torch.bool)
        allowed[:, vertices] = before[:, vertices] == 0
        allowed[:, self.tokenizer.eos_token_id] = ~allowed.any(-1)
        return pick_logprobs(logits.masked_fill(~allowed, -math.inf), rows.target)


def scores(model: RewardModel, puzzles: Sequence[Puzzle]) -> tuple[Tensor, Tensor]:
    """Rewards of the hidden cycle and of the wrong order of each puzzle, in the model's unit.

    Returns:
        Two tensors [B].
    """
    prompts = [p.pair.prompt for p in puzzles]
    answers = [p.pair.chosen for p in puzzles] + [p.pair.rejected for p in puzzles]
    correct, wrong = model.score(prompts * 2, answers).double().chunk(2)
    return correct, wrong


def moves(model: ImplicitRM, puzzles: Sequence[Puzzle]) -> tuple[Tensor, Tensor]:
    """Change of ln pi since the start, in nats, of right and of wrong answers.

    Returns:
        Two tensors [B].
    """
    correct, wrong = scores(model, puzzles)
    return correct / model.beta, wrong / model.beta


def correct_mass(model: ImplicitRM, puzzles: Sequence[Puzzle]) -> list[float]:
    """P(correct | x) of each puzzle: pi summed over all cycles and their 2n readings.

    Exact where an order has one spelling in tokens (as in the tiny world), else a lower bound.
    """
    sequences, owner = [], []
    for i, puzzle in enumerate(puzzles):
        start = model.encode(puzzle.pair.prompt, puzzle.pair.chosen).prompt
        texts = [world.response(r) for c in world.cycles(puzzle.graph) for r in world.readings(c)]
        for ids in model.tokenizer(texts, add_special_tokens=False)["input_ids"]:
            sequences.append(Encoded(start, (*ids, model.tokenizer.eos_token_id)))
            owner.append(i)
    # With beta = 1 and no reference, the reward is ln pi(y|x) itself.
    policy = type(model)(model.model, model.tokenizer, beta=1.0, reference=None, copy=False)
    probability = policy.score_encoded(sequences, batch_size=512).double().exp()
    masses = torch.zeros(len(puzzles)).double()
    return masses.index_add(0, torch.tensor(owner), probability).tolist()


@dataclass(frozen=True)
class Sample:
    """What a policy said to one prompt, as it was drawn and as text, and the verdict."""

    puzzle: Puzzle
    tokens: Encoded
    text: str
    verdict: world.Verdict


@torch.no_grad()
def sample(model: ImplicitRM, puzzles: Sequence[Puzzle], *, seed: int = 0) -> list[Sample]:
    """One sample a prompt at temperature 1; what is longer than a right answer is cut there.

    Args:
        model: its policy speaks.
        puzzles: their prompts are put to it.
        seed: of the draws; torch's own generator is left as it is.
    """
    tokenizer, eos, device = model.tokenizer, model.tokenizer.eos_token_id, model.device
    encoded = [model.encode(p.pair.prompt, p.pair.chosen) for p in puzzles]
    options: dict[str, Any] = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    options |= {"pad_token_id": model.pad_token_id}
    options |= {"max_new_tokens": max(len(e.response) for e in encoded)}
    vertices = set(_vertices(tokenizer)) if isinstance(model, OrdersRM) else set()
    samples = []
    with torch.random.fork_rng(devices=None if device.type == "cuda" else []):
        torch.manual_seed(seed)
        for first in range(0, len(puzzles), 250):
            prompts = [e.prompt for e in encoded[first : first + 250]]
            width = max(map(len, prompts))
            ids = [[model.pad_token_id] * (width - len(p)) + [*p] for p in prompts]
            starts = torch.tensor([width - len(p) for p in prompts])
            mask = (torch.arange(width) >= starts[:, None]).long()
            if vertices:
                options["prefix_allowed_tokens_fn"] = lambda _, row, start=width: (
                    sorted(vertices.difference(row[start:].tolist())) or [eos]
                )
            inputs = {"inputs": torch.tensor(ids, device=device), "attention_mask": mask.to(device)}
            said = model.model.generate(**inputs, **options)[:, width:].tolist()
            for puzzle, prompt, row in zip(puzzles[first:], prompts, said, strict=False):
                end = row.index(eos) if eos in row else len(row)
                text = tokenizer.decode(row[:end])
                verdict = world.verify(puzzle.graph, text)
                if end == len(row):
                    verdict = world.Verdict("it does not end", False)
                samples.append(
                    Sample(puzzle, Encoded(prompt, tuple(row[: end + 1])), text, verdict)
                )
    return samples


def against(model: RewardModel, samples: Sequence[Sample]) -> list[bool]:
    """For each wrong sample: does the reward rank the cycle hidden in its graph above it?"""
    cycles = [model.encode(s.puzzle.pair.prompt, s.puzzle.pair.chosen) for s in samples]
    chosen, rejected = model.score_encoded([*cycles, *(s.tokens for s in samples)]).chunk(2)
    return (chosen > rejected).tolist()


def generating(model: ImplicitRM, samples: Sequence[Sample]) -> dict[str, Figure]:
    """What the policy says, and how far it is from where it started (KL: as far as it was cut)."""
    puzzles = [s.puzzle for s in samples]
    correct, wrong = moves(model, puzzles)
    said = model.score_encoded([s.tokens for s in samples]) / model.beta
    mass = correct_mass(model, puzzles[:N_EXACT])
    median = {"value": median_of(mass), "low": None, "high": None, "cases": len(mass)}
    return {
        "samples, correct": share([s.verdict.correct for s in samples]),
        "samples, well-formed": share([s.verdict.well_formed for s in samples]),
        "P(correct)": mean(mass),
        "P(correct), median graph": median,
        "KL": mean(said.tolist()),
        "change, correct": mean(correct.tolist()),
        "change, wrong": mean(wrong.tolist()),
    }


def blind(puzzles: Sequence[Puzzle]) -> dict[str, Figure]:
    """P(correct) of an order drawn blindly, and of a self-avoiding random walk along edges."""
    graphs = [puzzle.graph for puzzle in puzzles[:N_EXACT]]
    n = len(graphs[0])
    found = [(graph, world.cycles(graph)) for graph in graphs]
    walks = [sum(world.walk_probability(graph, c) for c in cycles) for graph, cycles in found]
    return {
        "P(correct), random order": mean([2 * n * len(c) / math.factorial(n) for _, c in found]),
        "P(correct), random walk": mean(walks),
    }


def share(hits: Sequence[bool]) -> Figure:
    """A share of prompts, each with one answer, and its exact (Clopper-Pearson) interval."""
    k, n = sum(hits), len(hits)
    low, high = map(float, binomtest(k, n).proportion_ci(method="exact"))
    return {"value": k / n, "low": low, "high": high, "cases": n}


def mean(values: Sequence[float]) -> Figure:
    """A mean over graphs and its bootstrap interval."""
    low, high = bootstrap_interval(values)
    return {"value": sum(values) / len(values), "low": low, "high": high, "cases": len(values)}


def _vertices(tokenizer: Any) -> list[int]:
    """The token of each vertex in the tiny world."""
    return sorted(i for word, i in tokenizer.get_vocab().items() if word.isdecimal())
