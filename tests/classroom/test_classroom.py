"""Each check passes on its solution and tells wrong answers apart; each hint once."""

import itertools
import math
from itertools import count

import pytest
import torch
from torch.nn.functional import logsigmoid, softplus

from minirm import classroom
from minirm.classroom import (
    WrongAnswer,
    checking,
)

# ------------------------------------------------------- solutions and wrong answers, by check


def at(hidden, places, head):
    return hidden[torch.arange(len(hidden)), places] @ head


def log_ratios(policy, reference, ids, n, start=None, stop=None, back=1):
    start, stop = n if start is None else start, len(ids) if stop is None else stop
    places, targets = torch.arange(start, stop) - back, ids[start:stop]
    return (policy.log_softmax(-1) - reference.log_softmax(-1))[places, targets]


def tilt(reference, rewards, beta):
    return (reference.log() + rewards / beta).softmax(0)


def gradients(weight):
    def function(chosen, rejected):
        w = weight(chosen - rejected)
        return -w, w

    return function


def tilted_naively(reference, rewards, beta):
    weights = reference * (rewards / beta).exp()
    return weights / weights.sum()


def mean_probe(yes, no, new):
    direction = yes.mean(0) - no.mean(0)
    return (new - (yes.mean(0) + no.mean(0)) / 2) @ direction > 0


def entropy(weights, log=torch.log):
    p = weights[weights > 0] / weights.sum()
    return -(p * log(p)).sum()


def pairings(chosen, rejected):
    a, b = chosen[:, None], rejected[None]
    return ((a > b) + 0.5 * (a == b)).mean()


def explicit_step(weight=lambda m: torch.sigmoid(-m), sides=(1, 1)):
    def function(h, up, down, u, lr):
        return lr * weight(u @ (up - down)) * (h @ (sides[0] * up - sides[1] * down))

    return function


def rho(p, y, q, v, terms=(1, 1, 1, 1)):
    values = float(y == v), -q[y], -p[v], p @ q
    return sum(a * b for a, b in zip(terms, values, strict=True))


def mismatch_mean(p, q, v, scale=lambda p, v: 1 / (1 - p[v])):
    return -p[v] * rho(p, v, q, v) * scale(p, v)


def by_prompt(reduce_chosen, reduce_rejected):
    return lambda c, r: pairings(reduce_chosen(c)[None], reduce_rejected(r)[None])


def is_cycle(n, joined, order):
    if sorted(order) != list(range(n)):
        return False
    return all(joined(order[i - 1], order[i]) for i in range(n))


def wrong_order(graph, cycle, rng):
    while True:
        order = rng.sample(sorted(graph), len(graph))
        if not all(graph.has_edge(order[i - 1], order[i]) for i in range(len(order))):
            return order


def block_mask(n, answers, see_prompt=True, causal=True, apart=True):
    sizes = torch.tensor([n, *answers])
    s = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
    allowed = torch.ones(len(s), len(s), dtype=torch.bool)
    if apart:
        allowed = (s[:, None] == s) | ((s == 0) & see_prompt)
    return allowed.tril() if causal else allowed


def restarted(n, answers):
    return torch.cat([torch.arange(n), *(torch.arange(n, n + k) for k in answers)])


def tilted(c, beta, delta, turn=1.0):
    return torch.sigmoid(c.logit() + turn * delta / beta)


def tilted_by_weights(c, beta, delta, keep=1.0, normalise=True):
    """With an exponential that overflows; ``keep`` scales the weight of incorrect responses."""
    gain = torch.tensor(delta / beta, dtype=c.dtype).exp()
    return c * gain / (keep * (1 - c) + c * gain if normalise else 1)


def odds_sides(policy, reference, correct, beta, least=torch.min, most=torch.max):
    r = beta * (policy - reference)
    odds = [p[correct].logsumexp(0) - p[~correct].logsumexp(0) for p in (policy, reference)]
    return least(r[correct]) - most(r[~correct]), odds[0] - odds[1]


def chance_gain(p, q, correct, beta):
    return p[correct].logsumexp(0) - q[correct].logsumexp(0)


def unembedding_pushes(u, ref, h, a, b, beta, lr, pull=lambda m: torch.sigmoid(-m)):
    m = beta * (((u - ref)[a] - (u - ref)[b]) * h).sum(-1)
    return lr * beta / len(m) * pull(m)[:, None] * h


def new_unembedding(u, ref, h, a, b, beta, lr, factor=1.0, **how):
    push = factor * unembedding_pushes(u, ref, h, a, b, beta, lr, **how)
    return u.index_add(0, a, push).index_add(0, b, -push)


def forgetful_unembedding(u, ref, h, a, b, beta, lr):
    push = unembedding_pushes(u, ref, h, a, b, beta, lr)
    new = u.clone()
    new[a] += push
    new[b] -= push
    return new


def whole_softmax_step(u, ref, h, a, b, beta, lr):
    """Follows the chosen token's log-probability alone."""
    push = unembedding_pushes(u, ref, h, a, b, beta, lr)
    surprise = torch.nn.functional.one_hot(a, len(u)).to(h) - (h @ u.T).softmax(-1)
    return u + surprise.T @ push


def normalised_step(u, d, lr, weigh=lambda m: (logsigmoid(-m) - logsigmoid(-m).max()).exp(), up=1):
    direction = weigh(d @ u) @ d
    return u + up * lr * direction / direction.norm()


CASES = {
    "verifier": (
        is_cycle,
        [
            lambda n, joined, order: False,
            lambda n, joined, order: (
                set(order) == set(range(n)) and all(map(joined, order, order[1:]))
            ),
            lambda n, joined, order: all(joined(order[i - 1], order[i]) for i in range(len(order))),
            lambda n, joined, order: (
                len(order) == n and all(joined(order[i - 1], order[i]) for i in range(n))
            ),
            lambda n, joined, order: sorted(order) == list(range(n)),
            lambda n, joined, order: (
                [joined(a, b) for a in order for b in order] and is_cycle(n, joined, order)
            ),
            lambda n, joined, order: float(is_cycle(n, joined, order)),
        ],
    ),
    "negative_sampler": (
        wrong_order,
        [
            lambda graph, cycle, rng: rng.sample(sorted(graph), len(graph)),
            lambda graph, cycle, rng: cycle[::-1],
            lambda graph, cycle, rng: wrong_order(graph, cycle, rng)[:-1],
            lambda graph, cycle, rng: " ".join(map(str, wrong_order(graph, cycle, rng))),
            lambda graph, cycle, rng: next(
                order
                for order in itertools.permutations(graph)
                if not all(graph.has_edge(order[i - 1], order[i]) for i in range(6))
            ),
        ],
    ),
    "fooling": (
        lambda graph, cycle, rng: " ".join(map(str, cycle[:-1])),
        [
            lambda graph, cycle, rng: " ".join(map(str, cycle[::-1])),
            lambda graph, cycle, rng: " ".join(map(str, wrong_order(graph, cycle, rng))),
            lambda graph, cycle, rng: "Walk: " + " ".join(map(str, cycle)),
            lambda graph, cycle, rng: cycle[:-1],
            lambda graph, cycle, rng: "",
            lambda graph, cycle, rng: "no cycle",
        ],
    ),
    "explicit_step": (
        explicit_step(),
        [
            explicit_step(lambda m: -torch.sigmoid(-m)),
            explicit_step(torch.sigmoid),
            explicit_step(torch.ones_like),
            lambda h, up, down, u, lr: explicit_step()(h, up, down, u, 1),
            lambda h, up, down, u, lr: u @ h + explicit_step()(h, up, down, u, lr),
            explicit_step(sides=(1, 0)),
            lambda h, up, down, u, lr: lr * (up - down),
        ],
    ),
    "rho": (
        rho,
        [
            lambda p, y, q, v: rho(q, y, p, v),
            lambda p, y, q, v: rho(p, y, q, v, (1, 1, 1, -1)),
            lambda p, y, q, v: rho(p, y, q, v, (1, 1, 1, 0)),
            lambda p, y, q, v: rho(p, y, q, v, (0, 1, 1, 1)),
            lambda p, y, q, v: rho(p, y, q, v, (1, -1, -1, 1)),
            lambda p, y, q, v: p * q,
        ],
    ),
    "mismatch_mean": (
        mismatch_mean,
        [
            lambda p, q, v: mismatch_mean(p, q, v, lambda p, v: 1),
            lambda p, q, v: -mismatch_mean(p, q, v),
            lambda p, q, v: rho(p, v, q, v) * 0,
            lambda p, q, v: sum(rho(p, a, q, v) for a in range(6) if a != v) / 5,
            lambda p, q, v: p,
        ],
    ),
    "positive_mismatch": (
        lambda: ([0.1, 0.1, 0.8], [0.1, 0.1, 0.8]),
        [
            lambda: ([0.5, 0.5], [0.5, 0.5]),
            lambda: ([0.3, 0.3, 0.4], [0.3, 0.3, 0.4]),
            lambda: ([0.2, 0.2, 0.6], [0.25, 0.15, 0.6]),
            lambda: ([0.1, 0.1, 0.9], [0.1, 0.1, 0.8]),
            lambda: ([0.1, 0.1, 0.8], [-0.1, 0.1, 1.0]),
            lambda: ([0.1, 0.9], [0.1, 0.1, 0.8]),
            lambda: None,
        ],
    ),
    "block_mask": (
        block_mask,
        [
            lambda n, a: block_mask(n, a, apart=False),
            lambda n, a: block_mask(n, a, causal=False),
            lambda n, a: block_mask(n, a).T,
            lambda n, a: block_mask(n, a, see_prompt=False),
            lambda n, a: block_mask(n, a).tril(-1),
            lambda n, a: ~block_mask(n, a),
            lambda n, a: torch.zeros(n + sum(a), n + sum(a)),
            lambda n, a: block_mask(n, a)[n:],
            lambda n, a: None,
        ],
    ),
    "restarted_positions": (
        restarted,
        [
            lambda n, a: torch.arange(n + sum(a)),
            lambda n, a: torch.cat([torch.arange(k) for k in (n, *a)]),
            lambda n, a: restarted(n, a) + (torch.arange(n + sum(a)) >= n),
            lambda n, a: restarted(n, a) - (torch.arange(n + sum(a)) >= n).long(),
            lambda n, a: restarted(n, a) + 1,
            lambda n, a: restarted(n, a).flip(0),
            lambda n, a: restarted(n, a)[n:],
        ],
    ),
    "tilted_probability": (
        tilted,
        [
            lambda c, b, d: tilted_by_weights(c, b, d, normalise=False),
            lambda c, b, d: (c.logit() + d / b).exp(),
            lambda c, b, d: c * math.exp(d / b) / (1 + c * math.exp(d / b)),
            lambda c, b, d: tilted(c, 1.0, d),
            lambda c, b, d: tilted(c, b, d, turn=-1),
            tilted_by_weights,  # inf / inf at beta = 0.01
            lambda c, b, d: tilted(c, b, d).mean(),
            lambda c, b, d: c,
        ],
    ),
    "odds_bound": (
        odds_sides,
        [
            lambda *x: odds_sides(*x, least=torch.mean, most=torch.mean),
            lambda *x: odds_sides(*x, least=torch.max, most=torch.min),
            lambda *x: (odds_sides(*x)[0] / x[-1], odds_sides(*x)[1]),
            lambda *x: (odds_sides(*x)[0], chance_gain(*x)),
            lambda *x: (odds_sides(*x)[0], odds_sides(*x)[1].exp()),
            lambda *x: odds_sides(*x)[::-1],
            lambda *x: odds_sides(*x)[0],
            lambda *x: (odds_sides(*x)[0], 0.0),
        ],
    ),
    "unembedding_step": (
        new_unembedding,
        [
            lambda *x: new_unembedding(*x, factor=-1),
            lambda *x: new_unembedding(*x, factor=1 / x[-2]),
            lambda *x: new_unembedding(*x, factor=8),
            lambda *x: new_unembedding(*x, pull=torch.sigmoid),
            forgetful_unembedding,
            whole_softmax_step,
        ],
    ),
    "normalised_step": (
        normalised_step,
        [
            lambda u, d, lr: normalised_step(u, d / d.norm(dim=-1, keepdim=True), lr),
            lambda u, d, lr: u + lr * torch.sigmoid(-(d @ u)) @ d / len(d),
            lambda u, d, lr: normalised_step(u, d, lr, weigh=torch.ones_like),
            lambda u, d, lr: normalised_step(u, d, lr, weigh=torch.sigmoid),
            lambda u, d, lr: normalised_step(u, d, lr, up=-1),
            lambda u, d, lr: normalised_step(u, d, lr, weigh=lambda m: torch.sigmoid(-m)),
            lambda u, d, lr: u + lr,
        ],
    ),
    "mean_probe": (
        mean_probe,
        [
            lambda yes, no, new: ~mean_probe(yes, no, new),
            lambda yes, no, new: new @ (yes.mean(0) - no.mean(0)) > 0,
            lambda yes, no, new: (
                (new - torch.cat([yes, no]).mean(0)) @ (yes.mean(0) - no.mean(0)) > 0
            ),
            lambda yes, no, new: (new - new.mean(0)) @ (yes.mean(0) - no.mean(0)) > 0,
            lambda yes, no, new: new @ (yes.mean(0) - no.mean(0)),
            lambda yes, no, new: new > yes.mean(0),
            lambda yes, no, new: torch.arange(len(new)) % 2 == 0,
        ],
    ),
    "choice_entropy": (
        entropy,
        [
            lambda w: -entropy(w),
            lambda w: entropy(w, torch.log2),
            lambda w: -(w[w > 0] * w[w > 0].log()).sum(),
            lambda w: -(w[w > 0] / w.sum()).log().mean(),
            lambda w: torch.tensor(float((w > 0).sum())).log(),
            lambda w: -(w / w.sum()).max().log(),
            lambda w: -(w / w.sum() * (w / w.sum()).log()).sum(),  # 0 * -inf
            lambda w: -(w / w.sum()) * (w / w.sum()).log(),
        ],
    ),
    "grid_accuracy": (
        pairings,
        [
            lambda c, r: (c[:, None] > r[None]).double().mean(),
            lambda c, r: (c[:, None] >= r[None]).double().mean(),
            lambda c, r: 1 - pairings(c, r),
            lambda c, r: pairings(c.flatten()[:, None], r.flatten()[:, None]),
            by_prompt(lambda c: c.mean(0), lambda r: r.mean(0)),
            by_prompt(lambda c: c.max(0).values, lambda r: r.max(0).values),
            by_prompt(lambda c: c.min(0).values, lambda r: r.max(0).values),
            lambda c, r: (c[:, None] > r[None]).double().mean(2),
            lambda c, r: None,
        ],
    ),
    "share_by_part": (
        lambda r, n: (r[:n].sum(), r[n:-1].sum(), r[-1]),
        [
            lambda r, n: (r[:n].sum(), r[n:].sum(), r[-1]),
            lambda r, n: (r[:n].mean(), r[n:-1].mean(), r[-1]),
            lambda r, n: (r[: n + 1].sum(), r[n + 1 : -1].sum(), r[-1]),
            lambda r, n: (r[n:-1].sum(), r[:n].sum(), r[-1]),
            lambda r, n: (r[:n].sum(), r[n:].sum()),
            lambda r, n: (r[:n], r[n:-1].sum(), r[-1]),
            lambda r, n: (r[:n].sum(), r[n:-2].sum(), r[-1]),
        ],
    ),
    "bradley_terry": (
        lambda c, r: softplus(r - c).mean(),
        [
            lambda c, r: -logsigmoid(r - c).mean(),
            lambda c, r: logsigmoid(c - r).mean(),
            lambda c, r: (r - c).sigmoid().mean(),
            lambda c, r: (c - r).sigmoid().mean(),
            lambda c, r: -(c - r).sigmoid().mean(),
            lambda c, r: -logsigmoid(c - r).sum(),
            lambda c, r: -logsigmoid((c - r).mean()),
            lambda c, r: -(c - r).sigmoid().log().mean(),  # inf at -1e4
            lambda c, r: -logsigmoid(c - r),
            lambda c, r: None,
            lambda c, r: "0.69",
            lambda c, r: torch.relu(1 - (c - r)).mean(),
        ],
    ),
    "reward_gradients": (
        gradients(lambda m: torch.sigmoid(-m) / len(m)),
        [
            gradients(lambda m: -torch.sigmoid(-m) / len(m)),
            gradients(lambda m: torch.sigmoid(-m)),
            gradients(lambda m: torch.sigmoid(m) / len(m)),
            gradients(lambda m: torch.sigmoid(m) * torch.sigmoid(-m) / len(m)),
            gradients(lambda m: torch.ones_like(m) / len(m)),
            lambda c, r: (-torch.sigmoid(r - c) / len(c),) * 2,
            lambda c, r: -torch.sigmoid(r - c) / len(c),
            lambda c, r: (torch.sigmoid(r - c).mean(), torch.sigmoid(r - c)),
            lambda c, r: None,
            gradients(lambda m: -m),
        ],
    ),
    "normalised_margin": (
        lambda c, r: (c - r).abs().mean() / torch.cat([c, r]).std(),
        [
            lambda c, r: (c - r).mean() / torch.cat([c, r]).std(),
            lambda c, r: (c - r).abs().mean() / (c - r).std(),
            lambda c, r: (c - r).abs().mean() / (c - r).abs().std(),
            lambda c, r: (c - r).abs().mean() / c.std(),
            lambda c, r: (c - r).abs().mean() / r.std(),
            lambda c, r: (c - r).abs().mean() / ((c.std() + r.std()) / 2),
            lambda c, r: (c - r).abs().mean() / torch.cat([c, r]).std(correction=0),
            lambda c, r: (c - r).abs().mean() / torch.cat([c, r]).var(),
            lambda c, r: (c - r).abs().mean(),
            lambda c, r: (c - r).abs() / torch.cat([c, r]).std(),
            lambda c, r: (c - r).abs().median() / torch.cat([c, r]).std(),
        ],
    ),
    "explicit_rewards": (
        lambda hidden, lengths, head: at(hidden, lengths - 1, head),
        [
            lambda hidden, lengths, head: hidden[:, -1] @ head,
            lambda hidden, lengths, head: at(hidden, lengths, head),
            lambda hidden, lengths, head: at(hidden, lengths - 2, head),
            lambda hidden, lengths, head: hidden[:, 0] @ head,
            lambda hidden, lengths, head: (hidden @ head).mean(1),
            lambda hidden, lengths, head: torch.stack(
                [(h[:n] @ head).mean() for h, n in zip(hidden, lengths, strict=True)]
            ),
            lambda hidden, lengths, head: torch.stack(
                [(h[:n] @ head).sum() for h, n in zip(hidden, lengths, strict=True)]
            ),
            lambda hidden, lengths, head: hidden @ head,
            lambda hidden, lengths, head: -at(hidden, lengths - 1, head),
        ],
    ),
    "implicit_reward": (
        lambda p, q, ids, n, beta: beta * log_ratios(p, q, ids, n).sum(),
        [
            lambda p, q, ids, n, beta: beta * log_ratios(p, q, ids, n).mean(),
            lambda p, q, ids, n, beta: beta * log_ratios(p, q, ids, n, stop=-1 + len(ids)).sum(),
            lambda p, q, ids, n, beta: beta * log_ratios(p, q, ids, n, start=n + 1).sum(),
            lambda p, q, ids, n, beta: beta * log_ratios(p, q, ids, n, back=0).sum(),
            lambda p, q, ids, n, beta: beta * log_ratios(p, q, ids, n, start=1).sum(),
            lambda p, q, ids, n, beta: beta * (p - q)[torch.arange(n, len(ids)) - 1, ids[n:]].sum(),
            lambda p, q, ids, n, beta: -beta * log_ratios(p, q, ids, n).sum(),
            lambda p, q, ids, n, beta: (
                beta * p.log_softmax(-1)[torch.arange(n, len(ids)) - 1, ids[n:]].sum()
            ),
            lambda p, q, ids, n, beta: log_ratios(p, q, ids, n).sum(),
            lambda p, q, ids, n, beta: log_ratios(p, q, ids, n).sum() / beta,
            lambda p, q, ids, n, beta: beta * log_ratios(p, q, ids, n),
            lambda p, q, ids, n, beta: beta * log_ratios(p, q, ids, n).prod(),
        ],
    ),
    "optimal_policy": (
        tilt,
        [
            lambda reference, rewards, beta: reference * (rewards / beta).exp(),
            lambda reference, rewards, beta: (rewards / beta).softmax(0),
            lambda reference, rewards, beta: tilt(reference, rewards, 1 / beta),
            lambda reference, rewards, beta: tilt(reference, rewards, 1.0),
            lambda reference, rewards, beta: tilt(reference, -rewards, beta),
            lambda reference, rewards, beta: (reference + rewards / beta).softmax(0),
            tilted_naively,
            lambda reference, rewards, beta: tilt(reference, rewards, beta)[:-1],
            lambda reference, rewards, beta: reference,
        ],
    ),
    "generative_rewards": (
        lambda logits, yes, no: logits.softmax(-1)[:, yes],
        [
            lambda logits, yes, no: logits[:, yes],
            lambda logits, yes, no: logits.log_softmax(-1)[:, yes],
            lambda logits, yes, no: logits[:, [yes, no]].softmax(-1)[:, 0],
            lambda logits, yes, no: logits.softmax(-1)[:, no],
            lambda logits, yes, no: logits.softmax(-1)[:, yes] - logits.softmax(-1)[:, no],
            lambda logits, yes, no: logits[:, yes] - logits[:, no],
            lambda logits, yes, no: logits[:, yes].sigmoid(),
            lambda logits, yes, no: logits.softmax(0)[:, yes],
            lambda logits, yes, no: logits.softmax(-1),
            lambda logits, yes, no: logits.softmax(-1)[:, 0] * 0 + 0.5,
        ],
    ),
}
NAMES = sorted(CASES)


@pytest.fixture(autouse=True)
def repeatable(monkeypatch):
    """A new draw for each check, and the same draws in each run of the tests."""
    seeds = count()
    for module in vars(classroom).values():
        if hasattr(module, "generator"):
            draw = lambda: torch.Generator().manual_seed(next(seeds))  # noqa: E731
            monkeypatch.setattr(module, "generator", draw)


def check(name, function):
    getattr(classroom, f"check_{name}")(function)


def hint(name, function):
    with pytest.raises(WrongAnswer) as caught:
        check(name, function)
    return str(caught.value)


def test_every_check_has_a_case():
    exported = {n for n in classroom.__all__ if n.startswith("check_")}
    assert exported == {f"check_{name}" for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_solution_passes_with_one_line_and_leaves_the_seed_alone(name, capsys):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    check(name, CASES[name][0])
    assert torch.equal(before, torch.get_rng_state())
    out = capsys.readouterr().out
    assert out.startswith("Right. ")
    assert out.count("\n") == 1


@pytest.mark.parametrize("name", NAMES)
def test_solution_passes_whatever_was_drawn(name):
    for _ in range(20):
        check(name, CASES[name][0])


@pytest.mark.parametrize("name", NAMES)
def test_every_wrong_answer_has_its_own_hint_on_every_draw(name):
    hints = [hint(name, wrong) for wrong in CASES[name][1]]
    assert len(hints) >= 3
    assert len(set(hints)) == len(hints), "\n".join(sorted(hints))
    for _ in range(3):
        assert [hint(name, wrong) for wrong in CASES[name][1]] == hints


@pytest.mark.parametrize("name", NAMES)
def test_stub_fails_only_with_not_implemented(name):
    def stub(*inputs):
        raise NotImplementedError("replace this line")

    with pytest.raises(NotImplementedError, match="replace this line"):
        check(name, stub)


@pytest.mark.parametrize("name", NAMES)
def test_the_learners_own_errors_come_through(name):
    with pytest.raises(ZeroDivisionError):
        check(name, lambda *inputs: 1 / 0)


@pytest.mark.parametrize("name", NAMES)
def test_float32_and_inplace_solutions_pass(name):
    """Inputs are handed over as copies, so a function that changes them harms nobody."""

    def inplace(*inputs):
        short = [x.float() if torch.is_tensor(x) and x.is_floating_point() else x for x in inputs]
        answer = CASES[name][0](*short)
        for value in inputs:
            if isinstance(value, torch.Tensor):
                value.zero_()
        return answer

    check(name, inplace)


def test_traceback_in_a_notebook_is_the_hint_alone():
    assert WrongAnswer("Look again.")._render_traceback_() == ["Not yet. Look again."]


def test_no_two_draws_are_alike():
    assert not torch.equal(*(checking.normal(5, by=checking.generator()) for _ in range(2)))


def test_attempt_lets_a_stub_pass_and_nothing_else(capsys):
    with classroom.attempt():
        raise NotImplementedError
    assert capsys.readouterr().out.startswith("Not written yet")
    with pytest.raises(WrongAnswer), classroom.attempt():
        raise WrongAnswer("Look again.")


def test_predictions_stand_beside_what_was_measured():
    table = classroom.compare_predictions({"a": None, "b<": 0.5}, {"a": 0.731, "b<": 4.0})
    heads, *rows = repr(table).splitlines()
    assert heads.split() == ["you", "said", "it", "was"]
    assert [row.split() for row in rows] == [["a", "–", "0.73"], ["b<", "0.50", "4"]]
    page = table._repr_html_()
    assert '<th scope="row">b&lt;</th><td>0.50</td><td>4</td>' in page
    with pytest.raises(ValueError, match="'c'"):
        classroom.compare_predictions({"a": 1}, {"a": 1, "c": 2})


def test_a_prediction_is_a_number_or_nothing_yet():
    table = classroom.record_predictions({"a": None, "b": 120, "c": float("nan")})
    rows = [row.split() for row in repr(table).splitlines()[1:]]
    assert rows == [["a", "–"], ["b", "120"], ["c", "nan"]]
    for wrong in ("0.5", [0.5]):
        with pytest.raises(ValueError, match=r"'a': expected a number or None, got .*0\.5"):
            classroom.record_predictions({"a": wrong})
