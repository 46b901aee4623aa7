"""The gate: what a pretrained base has to know before a reward model may be built on it.

A reward model can only read what its base represents: on a base that has not learned that "nope"
means no, an explicit reward model is at chance too. So a base ships only if it passes ``gate``.
"""

from __future__ import annotations

import random

import torch
from torch import Tensor
from transformers import GPTNeoXForCausalLM, PreTrainedTokenizerFast

from minirm.worlds import opinions, persona
from minirm.worlds.language_model import pad, summed_loss
from minirm.worlds.opinions import BARE, NO, PREFIXES, YES, World

MOST_EXCESS_LOSS = 0.1  # nats per token above the grammar's entropy
LEAST_FOLLOWED = 0.8  # share of sampled answers that agree with the fact
LEAST_PROBED = 0.95  # share of unseen answers (all of them; bare ones; phrases) read correctly


def gate(
    model: GPTNeoXForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    facts: bool = True,
    rare: bool = False,
) -> dict[str, float | bool]:
    """Measure a base on its world, on fixed held-out documents and prompts.

    Args:
        model: the base.
        tokenizer: its own.
        facts: whether it was trained in the world in which facts foretell answers.
        rare: whether that world has rare openings.

    Returns:
        ``excess_loss`` (nats per token), the ``probe_*`` shares, with facts also
        ``follows_facts``, and ``passed``: whether all of them keep the limits above. Beside them,
        for information only, ``loss``, ``entropy`` and ``tells_facts_apart``.
    """
    was_training = model.training
    model.eval()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        world = World(facts, rare)
        results = excess_loss(model, tokenizer, world) | probe(model, tokenizer)
        passed = results["excess_loss"] <= MOST_EXCESS_LOSS
        passed &= all(v >= LEAST_PROBED for k, v in results.items() if k.startswith("probe"))
        if facts:
            results |= follows_facts(model, tokenizer, world=world)
            passed &= results["follows_facts"] >= LEAST_FOLLOWED
    model.train(was_training)
    return results | {"passed": bool(passed)}


def excess_loss(
    model: GPTNeoXForCausalLM, tokenizer: PreTrainedTokenizerFast, world: World, n: int = 512
) -> dict[str, float]:
    """The model's loss minus the grammar's entropy, both on the same ``n`` documents.

    All in nats per token. The difference estimates a Kullback-Leibler divergence; taking both
    on the same documents cancels most of the sampling noise.
    """
    rng = random.Random(10**6)
    documents = sorted(
        (world.document(rng) for _ in range(n)), key=lambda d: len(d.prompt + d.consequence)
    )
    rows = opinions.encode(documents, tokenizer)
    tokens = sum(len(row) - 1 for row in rows)
    loss = sum(summed_loss(model, rows[i : i + 64]).item() for i in range(0, n, 64)) / tokens
    entropy = -sum(d.log_prob for d in documents) / tokens
    return {"loss": loss, "entropy": entropy, "excess_loss": loss - entropy}


def follows_facts(
    model: GPTNeoXForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    n: int = 256,
    world: World = World(),  # noqa: B008  # frozen
) -> dict[str, float]:
    """Share of sampled answers (temperature 1) whose polarity is the one that the fact decides.

    A text that is no answer of ``world`` counts as not following. ``tells_facts_apart`` is the
    share among the prompts (a fifth) in which the fact about something else points the other way:
    a model that goes by any fact it has read is at one half there, and still near 0.87 overall.
    """
    rng = random.Random(10**6 + 1)
    drawn = (World().document(rng) for _ in range(20 * n))
    told = [d for d in drawn if d.prompt.startswith(("I like", "I hate"))][:n]
    responses = sample(model, tokenizer, [d.prompt for d in told])
    right = [world.meaning(r) == d.polarity for r, d in zip(responses, told, strict=True)]
    apart = [
        ok
        for ok, d in zip(right, told, strict=True)
        if "I like to" in d.prompt and "I hate to" in d.prompt
    ]
    return {
        "follows_facts": sum(right) / len(right),
        "tells_facts_apart": sum(apart) / len(apart),
    }


def sample(
    model: GPTNeoXForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    prompts: list[str],
    longest: int = 12,
) -> list[str]:
    """One answer to each prompt at temperature 1, up to ``<eos>`` or ``longest`` tokens."""
    rows = tokenizer(prompts)["input_ids"]
    starts = [len(row) for row in rows]
    for _ in range(longest):
        logits = model(input_ids=pad(rows, 0), use_cache=False).logits
        last = logits[range(len(rows)), [len(row) - 1 for row in rows]]
        for row, token in zip(rows, torch.multinomial(last.softmax(-1), 1).tolist(), strict=True):
            if row[-1] != tokenizer.eos_token_id:
                row += token
    said = (row[start:] for row, start in zip(rows, starts, strict=True))
    return tokenizer.batch_decode(list(said), skip_special_tokens=True)


def probe(model: GPTNeoXForCausalLM, tokenizer: PreTrainedTokenizerFast) -> dict[str, float]:
    """Can polarity be read off the state at the answer's ``<eos>`` by a line through few answers?

    A ridge regression sees the four phrases after the four prefixes that the paper trains on, in
    the paper's pairing. It is then asked about the other 28 phrases, after every prefix of the
    world and bare. Shares that were read correctly: ``probe_answers`` (all), ``probe_bare``, and
    ``probe_phrases`` (phrases of which at least 95 % of the answers were).
    """
    rng = random.Random(10**6 + 2)
    verbs = opinions.POSITIVE_VERBS  # as in the paper's experiment
    train = [
        (_prompt(rng, verbs), response, polarity)
        for polarity, wording in ((True, persona.CHOSEN), (False, persona.REJECTED))
        for response in wording.responses()
        for _ in range(20)
    ]
    unseen = [(p, True) for p in YES if p not in persona.CHOSEN.phrases]
    unseen += [(p, False) for p in NO if p not in persona.REJECTED.phrases]
    asked = [
        (phrase, prefix, polarity)
        for phrase, polarity in unseen
        for prefix in (*PREFIXES, *[BARE] * 8)
    ]
    test = [
        (_prompt(rng, opinions.VERBS, rng.randrange(3)), opinions.answer(prefix, phrase), polarity)
        for phrase, prefix, polarity in asked
    ]
    direction, offset = _ridge(*_states(model, tokenizer, train))
    states, signs = _states(model, tokenizer, test)
    right = ((states @ direction + offset) * signs > 0).tolist()
    by_phrase: dict[str, list[bool]] = {}
    for (phrase, _, _), ok in zip(asked, right, strict=True):
        by_phrase.setdefault(phrase, []).append(ok)
    bare = [ok for (_, prefix, _), ok in zip(asked, right, strict=True) if prefix == BARE]
    read = [sum(oks) / len(oks) >= 0.95 for oks in by_phrase.values()]
    return {
        "probe_answers": sum(right) / len(right),
        "probe_bare": sum(bare) / len(bare),
        "probe_phrases": sum(read) / len(read),
    }


def _prompt(rng: random.Random, verbs: tuple[str, ...], form: int = 0) -> str:
    adverb, verb = rng.choice(opinions.ADVERBS), rng.choice(verbs)
    return opinions.question(adverb, verb, rng.choice(opinions.OBJECTS), form)


def _states(
    model: GPTNeoXForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    answers: list[tuple[str, str, bool]],
) -> tuple[Tensor, Tensor]:
    """Last hidden states [N, D] at each answer's <eos>, and polarities [N] as +1 or -1."""
    prompts = tokenizer([prompt for prompt, _, _ in answers])["input_ids"]
    said = tokenizer([answer for _, answer, _ in answers], add_special_tokens=False)["input_ids"]
    rows = [p + a + [tokenizer.eos_token_id] for p, a in zip(prompts, said, strict=True)]
    states = []
    for i in range(0, len(rows), 128):
        batch = rows[i : i + 128]
        hidden = model.base_model(input_ids=pad(batch, 0), use_cache=False).last_hidden_state
        states.append(hidden[range(len(batch)), [len(row) - 1 for row in batch]])
    return torch.cat(states), torch.tensor([1.0 if yes else -1.0 for _, _, yes in answers])


def _ridge(x: Tensor, y: Tensor, penalty: float = 0.1) -> tuple[Tensor, Tensor]:
    """Direction [D] and offset [] of the ridge regression of y [N] on x [N, D]."""
    centre = x.mean(0)
    x = x - centre
    # Relative to the variance, so that the scale of the states does not matter.
    scale = penalty * x.square().mean() * len(x)
    direction = torch.linalg.solve(x.T @ x + scale * torch.eye(x.shape[1]), x.T @ (y - y.mean()))
    return direction, y.mean() - centre @ direction
