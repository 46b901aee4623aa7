"""Each check passes on its solution and tells wrong answers apart; each hint once."""

from itertools import count

import pytest
import torch
from cases import CASES

from minirm import classroom
from minirm.classroom import WrongAnswer, checking, hamiltonian

NAMES = sorted(CASES)


@pytest.fixture(autouse=True)
def repeatable(monkeypatch):
    """A new draw for each check, and the same draws in each run of the tests."""
    seeds = count()
    for module in (checking, hamiltonian):
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
    for _ in range(2 if name == "fooling" else 20):  # a model judges that one
        check(name, CASES[name][0])


@pytest.mark.parametrize("name", NAMES)
def test_every_wrong_answer_has_its_own_hint_on_every_draw(name):
    hints = [hint(name, wrong) for wrong in CASES[name][1]]
    assert len(hints) >= 3
    assert len(set(hints)) == len(hints), "\n".join(sorted(hints))
    for _ in range(3):
        assert [hint(name, wrong) for wrong in CASES[name][1]] == hints


def two(by):
    """Two mistakes that differ on one draw of two."""
    right = checking.normal(by=by)
    differ = torch.randint(2, (), generator=by)
    return checking.Draw((right,), right, {"a": right + 1, "b": right + 1 + differ})


def test_draws_tell_mistakes_apart():
    for _ in range(200):
        draws = checking.decisive(two)
        assert any(d.mistakes["a"] != d.mistakes["b"] for d in draws)


def test_a_number_that_is_right_by_accident_is_not_enough():
    """Where one draw of three is like a mistake, it is not that mistake."""

    def half(x):
        seen.append(x)
        return x if len(seen) == 1 else x + (1 if len(seen) == 2 else 3)

    seen = []
    with pytest.raises(WrongAnswer, match=r"the values are not\. Look"):
        checking.expect_right(half, two, otherwise="Look.")


@pytest.mark.parametrize(
    ("hint", "shift"), [("'a' from 'b'", 0), ("the right answer from 'b'", -1)]
)
def test_hints_that_mean_the_same_are_an_error(hint, shift):
    def same(by):
        right = checking.normal(by=by)
        return checking.Draw((), right, {"a": right + 1, "b": right + 1 + shift})

    with pytest.raises(RuntimeError, match=f"no draw tells {hint}"):
        checking.decisive(same)


def test_a_sampler_is_judged_by_all_its_orders():
    """The first cycle that a blind one meets may be the hidden one; its hint is the same."""
    blind, *_ = CASES["negative_sampler"][1]
    for _ in range(100):
        assert hint("negative_sampler", blind).startswith("By accident, that is a cycle")
    assert "got NoneType" in hint("negative_sampler", lambda *_: None)


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
