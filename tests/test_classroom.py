"""Each check passes on its solution and tells wrong answers apart; each hint once."""

from itertools import count

import pytest
import torch
from torch.nn.functional import logsigmoid, softplus

from minirm import classroom
from minirm.classroom import (
    WrongAnswer,
    checking,
    collapse,
    preferences,
    small_world,
    two_rewards,
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


def by_prompt(reduce_chosen, reduce_rejected):
    return lambda c, r: pairings(reduce_chosen(c)[None], reduce_rejected(r)[None])


CASES = {
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
    for module in (collapse, preferences, small_world, two_rewards):
        monkeypatch.setattr(module, "generator", lambda: torch.Generator().manual_seed(next(seeds)))


def check(name, function):
    getattr(classroom, f"check_{name}")(function)


def hint(name, function):
    with pytest.raises(WrongAnswer) as caught:
        check(name, function)
    return str(caught.value)


def test_every_check_has_a_case():
    exported = {n for n in classroom.__all__ if n.startswith("check_")}
    assert exported >= {f"check_{name}" for name in NAMES}


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


def test_predictions_stand_beside_what_was_measured(capsys):
    classroom.compare_predictions({"a": None, "b": 0.5}, {"a": 0.731, "b": 4.0})
    a, b = capsys.readouterr().out.splitlines()[1:]
    assert a.split() == ["a", "-", "0.73"]
    assert b.split() == ["b", "0.50", "4"]
    with pytest.raises(ValueError, match="'c'"):
        classroom.compare_predictions({"a": 1}, {"a": 1, "c": 2})
