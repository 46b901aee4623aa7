"""Train the tiny language model of the opinion world, and check that it may be used.

A reward model can only read what its base represents: on a base that has not learned that "nope"
means no, an explicit reward model is at chance too. So a base ships only if it passes ``gate``.
"""

import json
import math
import platform
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

from minirm.progress import progress_bar, quiet_transformers
from minirm.worlds import opinions, persona
from minirm.worlds.opinions import BARE, NO, PREFIXES, YES, World

STEPS = 1000
BATCH = 48
PEAK_LR = 4e-3
WARMUP = 100
ROUGH_SHARE = 0.03  # documents with some words spelt in bytes
IGNORED = -100  # cross_entropy skips this label


# ------------------------------------------------------------------------------------ training


def new_model(vocabulary: int, seed: int, hidden_size: int = 96) -> GPTNeoXForCausalLM:
    """An untrained model, of about 0.42 M parameters in the world of opinions.

    torch's global generator is left alone.
    """
    config = GPTNeoXConfig(
        vocab_size=vocabulary,
        hidden_size=hidden_size,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=4 * hidden_size,
        max_position_embeddings=256,
        # One sublayer after the other: six steps of composition from three layers, where the
        # parallel form gives three.
        use_parallel_residual=False,
        # All of a head's dimensions turn with position: facts are read by looking a fixed few
        # words back, and a head of 24 dimensions has few to spare.
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10_000.0,
            "partial_rotary_factor": 1.0,
        },
        tie_word_embeddings=False,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GPTNeoXForCausalLM(config)


def spellings(tokenizer: PreTrainedTokenizerFast) -> dict[int, list[int]]:
    """The byte tokens that spell each token of the vocabulary, specials left out."""
    vocab = tokenizer.get_vocab()
    return {
        i: [vocab[symbol] for symbol in token]
        # By id: get_vocab() comes in another order each time, which random choices would inherit.
        for token, i in sorted(vocab.items(), key=lambda item: item[1])
        if i not in tokenizer.all_special_ids
    }


def roughen(ids: list[int], spelt: dict[int, list[int]], rng: random.Random) -> list[int]:
    """Spell one piece in ten in bytes and put one unknown word of random bytes somewhere.

    The world's own text never uses the byte tokens, and an embedding that was never trained is
    noise. This trains all of them, and teaches that a strange word leaves the rest in force.
    """
    rough = [t for i in ids for t in (spelt[i] if i in spelt and rng.random() < 0.1 else [i])]
    alphabet = [i for i, symbols in spelt.items() if len(symbols) == 1]
    at = rng.randint(1, len(rough) - 1)  # after <bos>, before the last <eos>
    return rough[:at] + rng.choices(alphabet, k=rng.randint(1, 8)) + rough[at:]


def pad(rows: list[list[int]], value: int) -> Tensor:
    """Rows of ids as one tensor [B, T], filled up on the right."""
    longest = max(map(len, rows))
    return torch.tensor([row + [value] * (longest - len(row)) for row in rows])


def summed_loss(
    model: GPTNeoXForCausalLM, rows: list[list[int]], given: Sequence[int] | None = None
) -> Tensor:
    """The negative log-likelihood (nats) of all tokens after each row's first, a scalar.

    ``given``: how many tokens of each row are only read, where that is more than the first.
    """
    # Padding stands on the right and attention is causal, so no mask is needed.
    logits = model(input_ids=pad(rows, 0), use_cache=False).logits[:, :-1]
    read = given or [1] * len(rows)
    learned = [[IGNORED] * k + row[k:] for row, k in zip(rows, read, strict=True)]
    labels = pad(learned, IGNORED)[:, 1:]
    return cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread, then restore the number.

    The order in which floating-point sums are taken depends on the number of threads, so one
    machine repeats its own bits only if that number is fixed; one is what every machine has.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train(
    model: GPTNeoXForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    world: World,
    seed: int,
    steps: int,
    batch_size: int = BATCH,
    peak_lr: float = PEAK_LR,
) -> list[float]:
    """Train ``model`` in place on fresh documents; the loss of every step (nats per token)."""
    rng = random.Random(seed)
    spelt = spellings(tokenizer)

    def draw() -> list[tuple[list[int], int]]:
        documents = [world.document(rng) for _ in range(batch_size)]
        return [
            (roughen(row, spelt, rng) if rng.random() < ROUGH_SHARE else row, 1)
            for row in opinions.encode(documents, tokenizer)
        ]

    return fit(model, draw, steps, peak_lr)


def fit(
    model: GPTNeoXForCausalLM,
    draw: Callable[[], list[tuple[list[int], int]]],
    steps: int,
    peak_lr: float,
) -> list[float]:
    """Train ``model`` in place; the loss of every step (nats per token).

    ``draw`` gives one step's rows, each with the number of its first tokens that are only read.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=peak_lr, betas=(0.9, 0.98), weight_decay=0.01
    )
    losses: list[float] = []
    model.train()
    bar = progress_bar(range(steps), desc="pretrain")
    for step in bar:
        for group in optimizer.param_groups:
            group["lr"] = peak_lr * min((step + 1) / WARMUP, _cosine(step / steps))
        # Short and long rows go through the model apart, which saves a quarter of the padding
        # and leaves the gradient of the batch as it is.
        rows = sorted(draw(), key=lambda row: len(row[0]))
        tokens = sum(len(row) - given for row, given in rows)
        total = 0.0
        optimizer.zero_grad()
        for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
            loss = summed_loss(model, *map(list, zip(*half, strict=True))) / tokens
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(total)
        bar.set_postfix(loss=f"{total:.3f}", refresh=False)
    model.eval()
    return losses


def _cosine(done: float) -> float:
    """From 1 down to 0.02 while ``done`` goes from 0 to 1."""
    return 0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2


def pretrain(
    output: str | Path,
    seed: int = 0,
    facts: bool = True,
    steps: int = STEPS,
) -> dict[str, Any]:
    """Train a base language model and write it to the folder ``output``.

    The folder then opens in ``AutoModelForCausalLM`` and ``AutoTokenizer``, and holds
    ``pretraining.json``: the returned record of the command, the versions, the final loss and the
    gate's results. Start, order of documents and spelling all derive from ``seed``: on one
    machine, the same arguments give the same bits.

    Raises:
        ValueError: ``steps`` is less than 1.
        FileExistsError: ``output`` exists and is not an empty folder.
    """
    output = Path(output)
    if steps < 1:
        raise ValueError(f"expected at least 1 step, got {steps}")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise FileExistsError(f"expected a new or empty folder, got {str(output)!r}")
    tokenizer = opinions.build_tokenizer()
    with one_thread():
        model = new_model(len(tokenizer), seed)
        losses = train(model, tokenizer, World(facts), seed, steps)
        results = gate(model, tokenizer, facts)
    record = {
        "command": f"minirm pretrain {output.name} --seed {seed} --steps {steps}"
        + ("" if facts else " --no-facts"),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "machine": platform.machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "seed": seed,
        "facts": facts,
        "steps": steps,
        "batch_size": BATCH,
        "peak_lr": PEAK_LR,
        "parameters": sum(p.numel() for p in model.parameters()),
        "final_loss": sum(losses[-50:]) / len(losses[-50:]),
        "gate": results,
    }
    output.mkdir(parents=True, exist_ok=True)
    with quiet_transformers():
        model.save_pretrained(output)
    (output / "model.safetensors").chmod(0o644)  # written for its owner alone, shipped to all
    tokenizer.save_pretrained(output)
    (output / "pretraining.json").write_text(json.dumps(record, indent=2) + "\n")
    return record


# ------------------------------------------------------------------------------------ the gate

MOST_EXCESS_LOSS = 0.1  # nats per token above the grammar's entropy
LEAST_FOLLOWED = 0.8  # share of sampled answers that agree with the fact
LEAST_PROBED = 0.95  # share of unseen answers (all of them; bare ones; phrases) read correctly


def gate(
    model: GPTNeoXForCausalLM, tokenizer: PreTrainedTokenizerFast, facts: bool = True
) -> dict[str, float | bool]:
    """Measure a base on its world, on fixed held-out documents and prompts.

    Returns ``excess_loss`` (nats per token), the ``probe_*`` shares, with facts also
    ``follows_facts``, and ``passed``: whether all of them keep the limits above. Beside them, for
    information only, ``loss``, ``entropy`` and ``tells_facts_apart``.
    """
    was_training = model.training
    model.eval()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        results = excess_loss(model, tokenizer, World(facts)) | probe(model, tokenizer)
        passed = results["excess_loss"] <= MOST_EXCESS_LOSS
        passed &= all(v >= LEAST_PROBED for k, v in results.items() if k.startswith("probe"))
        if facts:
            results |= follows_facts(model, tokenizer)
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
    model: GPTNeoXForCausalLM, tokenizer: PreTrainedTokenizerFast, n: int = 256
) -> dict[str, float]:
    """Share of sampled answers (temperature 1) whose polarity is the one that the fact decides.

    A text that is no answer of the world counts as not following. ``tells_facts_apart`` is the
    share among the prompts (a fifth) in which the fact about something else points the other way:
    a model that goes by any fact it has read is at one half there, and still near 0.87 overall.
    """
    rng = random.Random(10**6 + 1)
    drawn = (World().document(rng) for _ in range(20 * n))
    told = [d for d in drawn if d.prompt.startswith(("I like", "I hate"))][:n]
    meaning = opinions.answers()
    responses = sample(model, tokenizer, [d.prompt for d in told])
    right = [meaning.get(r) == d.polarity for r, d in zip(responses, told, strict=True)]
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
