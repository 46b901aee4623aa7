"""The engine of the lab computes what the library computes, in Chromium, from a file, offline.

Guaranteed: its tokenizer, its random draws, its rewards, their gradients and ten steps of training
are Python's, on weights that are rounded to half precision on both sides, as the page carries them.
How long a verdict and a step take is printed, not asserted: ``pytest -s``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from minirm import ExplicitRM, ImplicitRM, PreferencePair, Trainer
from minirm.batches import pair_rows
from minirm.encoding import encode
from minirm.pairs import EncodedPair
from minirm.worlds import opinions, persona

pytestmark = pytest.mark.needs("playwright", "chromium", "anywidget", "matplotlib")

REWARDS = ("explicit", "explicit, mean", "implicit", "implicit, no reference")
BETA, SEED = 0.01, 3


def model(reward: str, base: tuple[Any, Any], beta: float = BETA) -> Any:
    if reward.startswith("explicit"):
        pooling = "mean" if reward.endswith("mean") else "last"
        return ExplicitRM(*base, pooling=pooling, seed=SEED)
    return ImplicitRM(
        *base, beta=beta, reference=None if reward.endswith("no reference") else "base"
    )


def flat(reward: Any, kind: Callable[[Tensor], Tensor | None]) -> np.ndarray:
    """Weights or gradients in the order of the engine: body, unembedding, head; 0 where none is."""
    from minirm.figures import lab

    network = reward.model
    head = getattr(network, "score", None)
    body = lab.weights(network) if head is None else lab.weights(network, unembedding=False)
    vocabulary, width = network.config.vocab_size, network.config.hidden_size
    unread = [] if head is None else [torch.zeros(vocabulary * width)]
    last = torch.zeros(width) if head is None else kind(head.weight)
    found = [*(kind(weight) for weight in body), *unread, last]
    return torch.cat([part.detach().flatten() for part in found]).numpy()


def as_lists(pairs: list[PreferencePair]) -> list[tuple[Any, ...]]:
    return [(p.prompt, p.chosen, p.rejected) for p in pairs]


# ---------------------------------------------------------------------- rewards, gradients, steps


def strings() -> list[tuple[str, str]]:
    """200 prompts and responses: the world's own, spelt in bytes, without a prompt, long."""
    rng = random.Random("lab")
    questions = persona.world_questions(SEED)
    own = [
        (rng.choice(questions.test), opinions.answer(rng.choice(persona.OPENINGS), phrase))
        for phrase in (*opinions.YES, *opinions.NO) * 3
    ]
    letters = "abcxyz é漢🙂\n\t.,!?0"
    spelt = [
        ("".join(rng.choices(letters, k=rng.randrange(12))), "".join(rng.choices(letters, k=9)))
        for _ in range(54)
    ]
    bare = [("", opinions.answer(prefix, "nope")) for prefix in (*opinions.PREFIXES, "My")[:40]]
    long = [(questions.test[i] * (i + 1), "yes, " * 5 + "no") for i in range(10)]
    return own + spelt + bare + long


@pytest.mark.parametrize("reward", REWARDS)
def test_scores_are_pythons(ask: Callable[..., Any], base: tuple[Any, Any], reward: str) -> None:
    texts = strings()
    assert len(texts) == 200
    longest = max(len(encode(base[1], *text)) for text in texts)
    assert longest > 150
    judge = model(reward, base, beta=1.0)
    script = """([texts, reward, seed]) => {
        const judge = new Judge(world.shape, base, {reward, beta: 1, seed});
        if (reward === "implicit")  // away from its start, where it is 0 everywhere
            judge.flat.forEach((w, i) => { judge.flat[i] = w * (1 + 0.01 * Math.sin(i)); });
        return judge.score(texts.map(([a, b]) => tokenizer.encode(a, b)));
    }"""
    if reward == "implicit":
        from minirm.figures import lab

        at = 0
        with torch.no_grad():
            for weight in lab.weights(judge.model):
                turn = torch.arange(at, at + weight.numel(), dtype=torch.float64).sin()
                weight.copy_((weight.double() * (1 + 0.01 * turn.view_as(weight))).float())
                at += weight.numel()
    expected = judge.score(*zip(*texts, strict=True)).tolist()
    found = ask(script, [texts, reward, SEED])
    worst = max(abs(a - b) for a, b in zip(found, expected, strict=True))
    spread = max(expected) - min(expected)
    print(f"\n{reward}: 200 scores over {spread:.3g}, largest difference {worst:.1e}")
    assert spread > 0.1
    assert worst < 1e-4


@pytest.mark.parametrize("reward", REWARDS)
def test_gradients_are_pythons(
    ask: Callable[..., Any], base: tuple[Any, Any], pairs: list[PreferencePair], reward: str
) -> None:
    some, judge = pairs[:8], model(reward, base)
    encoded = [
        EncodedPair(judge.encode(p.prompt, p.chosen), judge.encode(p.prompt, p.rejected))
        for p in some
    ]
    losses, _ = judge(pair_rows(encoded, 0))
    losses.mean().backward()
    expected = flat(judge, lambda weight: weight.grad)
    loss, found = ask(
        """([pairs, reward, beta, seed]) => {
            const judge = new Judge(world.shape, base, {reward, beta, seed});
            const {loss} = judge.differentiate(encoded(pairs));
            return [loss, [...judge.gradient]];
        }""",
        [as_lists(some), reward, BETA, SEED],
    )
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    print(f"\n{reward}: gradient differs by {error:.1e} of its length")
    assert loss == pytest.approx(losses.mean().item(), abs=1e-6)
    assert error < 1e-4


@pytest.mark.parametrize("reward", REWARDS)
def test_ten_steps_of_training_are_the_trainers(
    ask: Callable[..., Any], base: tuple[Any, Any], pairs: list[PreferencePair], reward: str
) -> None:
    judge = model(reward, base)
    start = flat(judge, lambda weight: weight.detach().clone())
    trainer = Trainer(
        judge, pairs, lr=3e-5, epochs=1, batch_size=8, seed=SEED, log_every=1, progress=False
    )
    history = trainer.fit()
    moved = flat(judge, lambda weight: weight.detach()) - start
    losses, found = ask(
        """([pairs, reward, beta, seed]) => {
            const judge = new Judge(world.shape, base, {reward, beta, seed, lr: 3e-5});
            const all = encoded(pairs), start = judge.flat.slice();
            const losses = epochBatches(all.map(costOf), 8, seed, 0)
                .map(batch => judge.step(batch.map(i => all[i])).loss);
            return [losses, [...judge.flat.map((w, i) => w - start[i])]];
        }""",
        [as_lists(pairs), reward, BETA, SEED],
    )
    assert losses == pytest.approx([record["loss"] for record in history], abs=1e-4)
    assert len(losses) == 10
    away = np.abs(found - moved)
    relative = np.linalg.norm(found - moved) / np.linalg.norm(moved)
    print(f"\n{reward}: after ten steps weights differ by at most {away.max():.1e}, and the way "
          f"that they went by {relative:.1e} of its length")  # fmt: skip
    assert np.abs(moved).max() > 1e-4
    assert away.max() < 1e-3
    assert relative < 0.02


def test_what_the_page_says_of_a_judge_is_what_the_library_says(
    ask: Callable[..., Any], base: tuple[Any, Any]
) -> None:
    from minirm.experiments import grids

    questions = persona.world_questions(SEED).test[:3]
    grid = grids.reward_grid(model("implicit, no reference", base), questions)
    expected = grids.described(grid)
    found = ask(
        """([questions, beta]) => {
            const judge = new Judge(world.shape, base, {reward: "implicit, no reference", beta});
            const texts = gridTexts(world, questions, (a, b) => tokenizer.encode(a, b));
            return described(world, texts.map(some => scoreGrid(judge, some)));
        }""",
        [questions, BETA],
    )
    assert found == pytest.approx({name: expected[name] for name in found}, abs=1e-4)
    assert {"paraphrase", "swapped", "bare", "meaning", "opening"} <= found.keys()


def test_how_long_it_takes(ask: Callable[..., Any], pairs: list[PreferencePair]) -> None:
    times = ask(
        """([pairs, question]) => {
            const all = encoded(pairs), times = {};
            for (const reward of ["explicit", "implicit"]) {
                const judge = new Judge(world.shape, base, {reward});
                const mean = (n, act) => {
                    act();
                    const start = performance.now();
                    for (let i = 0; i < n; i++) act();
                    return (performance.now() - start) / n;
                };
                const verdict = () => judge.score(
                    [tokenizer.encode(question, "My response would be certainly")]);
                times[reward] = [mean(10, verdict), mean(4, () => judge.step(all))];
            }
            return times;
        }""",
        [as_lists(pairs[:8]), pairs[0].prompt],
    )
    for reward, (verdict, step) in times.items():
        print(f"\n{reward}: {verdict:.0f} ms a verdict, {step / 1000:.2f} s a step of eight pairs")
    assert times.keys() == {"explicit", "implicit"}
