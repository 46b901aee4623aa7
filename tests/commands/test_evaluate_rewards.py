"""How ``minirm evaluate`` gets its rewards: once an answer, kept as they come, ln pi beside."""

import json
import math
import random
import signal
from pathlib import Path

import pytest
import torch
from calling import ROWS, call, write_rows
from tiny import tiny, tokenizer

from minirm import ExplicitRM, ImplicitRM, accuracy, load_base
from minirm.commands import evaluate_rewards
from minirm.commands.evaluate_rewards import check_finite, parts, side_rewards
from minirm.commands.evaluate_table import text_of
from minirm.commands.kept_rewards import KeptRewards, fingerprint
from minirm.encoding import Encoded
from minirm.pairs import EncodedPair, PreferencePair
from minirm.reward_model import RewardModel

RUN = ("evaluate", "rm", "--data", "pairs.jsonl", "--batch-size", 1, "--json")


def shown(capsys, *run):
    assert call(*run) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def counted(monkeypatch):
    """Which answers are run, by what, in order."""
    ran = []
    run = RewardModel.map_encoded

    def seen(self, function, sequences, **how):
        ran.append((function.__name__, list(sequences)))
        return run(self, function, sequences, **how)

    monkeypatch.setattr(RewardModel, "map_encoded", seen)
    return ran


# ----------------------------------------------------------------------------------- ln pi


def trained_implicit():
    torch.manual_seed(0)
    model = ImplicitRM(tiny(), tokenizer(), beta=0.1)
    for weight in model.model.parameters():
        weight.data += 0.05 * torch.randn_like(weight)
    return model


def test_an_implicit_reward_has_the_likelihood_of_its_reference_beside_it(here, capsys, counted):
    model = trained_implicit()
    model.save_pretrained("im")
    found = shown(capsys, "evaluate", "im", *RUN[2:])
    prompts = [row["prompt"] for row in ROWS]
    reference = ImplicitRM(model.reference, tokenizer(), beta=1.0, reference=None)
    sides = [
        reference.score(prompts, [row[side] for row in ROWS]) for side in ("chosen", "rejected")
    ]
    assert found["baselines"]["ln pi_ref"] == accuracy(*sides)
    names = [name for name, _ in counted]
    assert names.count("reference_logprobs") == names.count("rewards") - 2  # mine, above


def test_its_rewards_are_those_of_score(here):
    model = trained_implicit()
    pairs = [
        EncodedPair(*(model.encode(row["prompt"], row[side]) for side in ("chosen", "rejected")))
        for row in ROWS
    ]
    rewards, reference = side_rewards(model, pairs, batch_size=2)
    prompts = [row["prompt"] for row in ROWS]
    for k, side in enumerate(("chosen", "rejected")):
        scores = model.score(prompts, [row[side] for row in ROWS])
        torch.testing.assert_close(rewards[:, k], scores, atol=1e-6, rtol=1e-4)
    assert reference.shape == rewards.shape


def test_an_explicit_one_has_it_where_a_language_model_is_named(here, capsys):
    found = shown(capsys, *RUN)
    assert list(found["baselines"]) == ["longest", "shortest"]
    found = shown(capsys, *RUN, "--likelihood", "base")
    name = "ln pi of base"
    assert list(found["baselines"]) == ["longest", "shortest", name]
    model = ImplicitRM(*load_base("base"), beta=1.0, reference=None)
    prompts = [row["prompt"] for row in ROWS]
    sides = [model.score(prompts, [row[side] for row in ROWS]) for side in ("chosen", "rejected")]
    assert found["baselines"][name] == accuracy(*sides)


def test_a_likelihood_that_reaches_as_much_marks_the_figure(here, capsys):
    ImplicitRM(tiny(), tokenizer()).save_pretrained("fresh")
    rows = [{"prompt": "Q ", "chosen": "yes", "rejected": "yes no nope"}]
    write_rows("pairs.jsonl", rows)
    assert call("evaluate", "fresh", "--data", "pairs.jsonl") == 0
    head, first, *_ = capsys.readouterr().out.splitlines()
    assert "ln pi_ref" in head
    assert first.split()[2] == "0.5000*"  # shortest and ln pi are right, a fresh reward ties


def test_a_baseline_with_a_shorter_context_changes_no_figure_of_the_model(here, capsys):
    long = {"prompt": "Q ", "chosen": "yes " * 20, "rejected": "no", "kind": "long"}
    write_rows("pairs.jsonl", [*ROWS, long])
    tiny(max_position_embeddings=24).save_pretrained("short")
    tokenizer().save_pretrained("short")
    run = (*RUN, "--by", "kind", "--overlong", "drop")
    alone = shown(capsys, *run)
    found = shown(capsys, *run, "--likelihood", "short")
    name, n = "ln pi of short", len(ROWS)
    assert (found["pairs"], found["overlong"], found["baseline_pairs"]) == (n + 1, 0, {name: n})
    assert found["by"]["long"]["baselines"].pop(name) is None
    assert found["by"]["long"].pop("baseline_pairs") == {name: 0}
    write_rows("pairs.jsonl", ROWS)
    own = shown(capsys, *RUN, "--likelihood", "short")["baselines"][name]
    for part in (found, found["by"]["a"], found["by"]["b"]):
        read = part["baselines"].pop(name)
        assert part is not found or read == own
    del found["baseline_pairs"]
    assert found == alone


def test_what_the_baseline_could_not_read_is_said(here, capsys):
    long = {"prompt": "Q ", "chosen": "yes " * 20, "rejected": "no"}
    write_rows("pairs.jsonl", [*ROWS, long])
    tiny(max_position_embeddings=24).save_pretrained("short")
    tokenizer().save_pretrained("short")
    run = (*RUN[:-1], "--likelihood", "short")
    assert call(*run) == 1
    said = capsys.readouterr().err
    assert said.startswith("minirm: --likelihood short: pairs.jsonl, line 9: prompt and response")
    assert call(*run, "--overlong", "drop") == 0
    said = "ln pi of short is measured on the 8 of 9 pairs that its model can read, and marks no "
    assert f"{said}figure of more" in capsys.readouterr().out.splitlines()


def test_a_baseline_of_fewer_pairs_marks_no_figure(here, capsys):
    """It is right about the one pair that it reads, and the others tie or are wrong."""
    ImplicitRM(tiny(), tokenizer()).save_pretrained("fresh")  # all rewards are 0
    base, short = tiny(), tiny(max_position_embeddings=24)
    short.load_state_dict(base.state_dict())
    short.save_pretrained("short")
    tokenizer().save_pretrained("short")
    rows = [
        {"prompt": "Q ", "chosen": "yes", "rejected": "yes no nope"},
        {"prompt": "R ", "chosen": "yes " * 20, "rejected": "no"},
    ]
    write_rows("pairs.jsonl", rows)
    run = ("evaluate", "fresh", "--data", "pairs.jsonl", "--overlong", "drop", "--by", "prompt")
    found = shown(capsys, *run, "--likelihood", "short", "--json")
    assert found["baselines"]["ln pi of short"] == 1
    assert max(v for k, v in found["baselines"].items() if k != "ln pi of short") == 0.5
    table = text_of(found | {"accuracy": 0.75}).splitlines()
    assert table[1].split()[2] == "0.7500"
    assert table[2].split()[2] == "0.5000*"  # of the pair that it reads, it marks the figure


def test_a_benchmark_whose_items_the_baseline_cannot_read_is_scored(here, capsys):
    sides = {"chosen": ["yes"], "rejected": ["no", "nope", "never"], "num_correct": 1}
    rows = [{"prompt": f"Q{i} ", "subset": "Math", "id": str(i), **sides} for i in range(3)]
    rows += [rows[0] | {"prompt": "Q " * 20, "subset": "Focus", "id": "3"}]
    write_rows("pairs.jsonl", rows)
    tiny(max_position_embeddings=24).save_pretrained("short")
    tokenizer().save_pretrained("short")
    run = (*RUN, "--overlong", "drop")
    alone = shown(capsys, *run)["benchmark"]
    found = shown(capsys, *run, "--likelihood", "short")["benchmark"]
    for figures in (figure["baselines"] for figure in found["figures"].values()):
        figures.pop("ln pi of short")
    assert found == alone
    assert call(*run[:-3], *run[-2:], "--likelihood", "short") == 0
    assert "9 of 12 pairs that its model can read" in capsys.readouterr().out


# -------------------------------------------------------------------------- kept, and resumed


@pytest.fixture
def stopped(here, monkeypatch, capsys):
    """The second part of the answers is never scored: a stop."""
    monkeypatch.setattr(evaluate_rewards, "BATCHES", 2)
    once = evaluate_rewards._numbers
    calls = []

    def numbers(*arguments):
        if len(calls) == 1:
            raise KeyboardInterrupt
        calls.append(1)
        return once(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(evaluate_rewards, "_numbers", numbers)
        assert call(*RUN, "--keep", "kept.jsonl") == 1
    said = "minirm: stopped; what was scored until then is in kept.jsonl: go on with --resume\n"
    assert capsys.readouterr().err == said


def test_a_run_that_is_terminated_says_so_too(here, monkeypatch, capsys):
    monkeypatch.setattr(evaluate_rewards, "BATCHES", 2)
    once = evaluate_rewards._numbers

    def numbers(*arguments):
        if Path("kept.jsonl").exists():
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL, "it would kill the tests"
            signal.raise_signal(signal.SIGTERM)
        return once(*arguments)

    monkeypatch.setattr(evaluate_rewards, "_numbers", numbers)
    assert call(*RUN, "--keep", "kept.jsonl") == 1
    said = "minirm: stopped; what was scored until then is in kept.jsonl: go on with --resume\n"
    assert capsys.readouterr().err == said
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_stopped_run_goes_on_and_ends_in_the_same_numbers(stopped, capsys, counted):
    done = len(Path("kept.jsonl").read_text().splitlines())
    assert done >= 2
    whole = shown(capsys, *RUN)
    everything = sum(len(answers) for _, answers in counted)
    counted.clear()
    assert shown(capsys, *RUN, "--keep", "kept.jsonl", "--resume") == whole
    assert sum(len(answers) for _, answers in counted) == everything - done > 0
    counted.clear()
    assert shown(capsys, *RUN, "--keep", "kept.jsonl", "--resume") == whole
    assert not counted


def test_a_line_that_was_cut_off_is_done_again(stopped, capsys):
    kept = Path("kept.jsonl")
    content = kept.read_bytes()
    kept.write_bytes(content + content[:9])
    assert shown(capsys, *RUN, "--keep", kept, "--resume") == shown(capsys, *RUN)
    assert kept.read_bytes().startswith(content)
    assert all(len(json.loads(line)) == 3 for line in kept.read_text().splitlines())


def test_what_another_model_said_is_not_used(stopped, capsys):
    ExplicitRM(tiny(seed=5), tokenizer()).save_pretrained("other")
    run = ("evaluate", "other", *RUN[2:])
    assert shown(capsys, *run, "--keep", "kept.jsonl", "--resume") == shown(capsys, *run)


def test_a_model_is_told_apart_by_every_weight_and_setting():
    model = ExplicitRM(tiny(), tokenizer())
    same = ExplicitRM(tiny(), tokenizer())
    same.load_state_dict(model.state_dict())
    assert fingerprint(same) == fingerprint(model)
    weight = next(same.parameters())
    weight.data[0, 0], weight.data[0, 1] = weight.data[0, 1].clone(), weight.data[0, 0].clone()
    assert fingerprint(same) != fingerprint(model)  # two numbers exchanged, the sum is the same
    base = tiny()
    betas = [ImplicitRM(base, tokenizer(), beta=beta) for beta in (0.1, 0.2)]
    assert fingerprint(betas[0]) != fingerprint(betas[1])


@pytest.mark.parametrize(
    ("more", "status", "complaint"),
    [
        (("--keep", "there.txt"), 1, "holds something already: go on with it by --resume"),
        (("--keep", "there.txt", "--resume"), 1, "line 1: no reward that was kept here"),
        (("--keep", "none/kept.jsonl"), 1, "give a file in a folder that is there"),
        (("--keep", "pairs.jsonl", "--resume"), 1, "is a file that is read here"),
        (("--resume",), 2, "--resume goes on with the file that --keep names"),
    ],
)
def test_a_wrong_place_is_one_line_and_nothing_is_scored(
    more, status, complaint, here, capsys, counted
):
    Path("there.txt").write_text("a note\n")
    before = Path("pairs.jsonl").read_text()
    assert call("evaluate", "rm", "--data", "pairs.jsonl", *more) == status
    assert complaint in capsys.readouterr().err
    assert not counted
    assert Path("there.txt").read_text() == "a note\n"
    assert Path("pairs.jsonl").read_text() == before


@pytest.mark.parametrize(
    "note", ["a note", '["', "[0.1, 0.2]", '["0123456789abcdef", "x', '{"prompt": "Q"}', "\x00"]
)
def test_a_file_of_one_line_that_is_somebody_elses_stays_as_it_is(note, here, capsys, counted):
    Path("there.txt").write_text(note)
    status = call(*RUN, "--keep", "there.txt", "--resume")
    if note == '["':  # so a kept line begins
        assert status == 0
        return
    assert status == 1
    assert "--keep there.txt ends in something that was not kept here" in capsys.readouterr().err
    assert not counted
    assert Path("there.txt").read_text() == note


def test_a_kept_line_may_be_cut_off_anywhere(tmp_path):
    path = tmp_path / "kept.jsonl"
    keep = KeptRewards(path, resume=False)
    sequences = [Encoded((1,), (2,)), Encoded((1,), (3,))]
    keep.add("0123456789abcdef", sequences, [(-1.5e-07, 2.0), (1e30, -0.25)])
    content = path.read_bytes()
    first = content.index(b"\n") + 1
    for end in range(first, len(content)):
        path.write_bytes(content[:end])
        KeptRewards(path, resume=True)
        assert path.read_bytes() == content[:first]


@pytest.mark.parametrize(
    ("numbers", "complaint"),
    [
        ("[]", "expected one or two numbers, got []"),
        ("[1, 2, 3]", "expected one or two numbers, got [1, 2, 3]"),
        ('"12"', "expected one or two numbers, got 12"),
        ('["1"]', "expected finite numbers, got ['1']"),
        ("[NaN]", "expected finite numbers, got [nan]"),
        ("[1.0, -Infinity]", "expected finite numbers, got [1.0, -inf]"),
        ("[1.0, 2.0]", "2 numbers, not 1 as before"),
    ],
)
def test_a_line_with_other_numbers_is_named(numbers, complaint, stopped, capsys):
    kept = Path("kept.jsonl")
    first, *_ = lines = kept.read_text().splitlines()
    model, answer, _ = json.loads(first)
    more = f'["{model}", "{answer}", {numbers}]\n'
    kept.write_text(kept.read_text() + more)
    assert call(*RUN, "--keep", kept, "--resume") == 1
    assert capsys.readouterr().err == (
        f"minirm: --keep kept.jsonl, line {len(lines) + 1}: no reward that was kept here: "
        f"{complaint}\n"
    )


def test_a_reward_that_is_not_finite_is_not_kept(here):
    keep = KeptRewards(Path("kept.jsonl"), resume=False)
    keep.add("m", [Encoded((1,), (2,)), Encoded((1,), (3,))], [(math.nan,), (1.0,)])
    (line,) = Path("kept.jsonl").read_text().splitlines()
    assert json.loads(line)[2] == [1.0]


def test_a_reward_that_is_finite_only_alone_is_an_error_too():
    model = ExplicitRM(tiny(), tokenizer())
    pair = EncodedPair(model.encode("Q ", "yes"), model.encode("Q ", "no"))
    one = PreferencePair("Q ", "yes", "no", origin="pairs.jsonl, line 1")
    rewards = torch.tensor([[0.5, math.nan]])
    with pytest.raises(ValueError, match=r"line 1: the reward of the rejected .* nan among others"):
        check_finite(model, [one], [pair], rewards)


# ------------------------------------------------------------------------------ what it costs


def test_an_answer_runs_once_and_a_prompt_once_for_its_answers(here, capsys, counted):
    rows = [{"prompt": f"Q{i % 2} ", "chosen": "yes", "rejected": "no" if i < 4 else "never"}
            for i in range(8)]  # fmt: skip
    write_rows("pairs.jsonl", rows)
    shown(capsys, "evaluate", "rm", "--data", "pairs.jsonl", "--json")
    ((name, answers),) = counted
    assert name == "rewards"
    assert len(answers) == len(set(answers)) == 2 * 3


def like_rewardbench(n):
    """Pairs of a chat's lengths: some prompts ask for several, some answers occur twice."""
    draw = random.Random(0)

    def text(mean):
        return tuple(
            draw.choices(range(9), k=max(3, round(draw.lognormvariate(math.log(mean), 0.8))))
        )

    pairs = []
    while len(pairs) < n:
        prompt, chosen = text(80), text(160)
        for _ in range(draw.choice([1, 1, 1, 3])):
            pairs.append(EncodedPair(Encoded(prompt, chosen), Encoded(prompt, text(160))))
    return pairs[:n]


@pytest.mark.parametrize("n", [60, 3000])
def test_what_runs_is_little_more_than_the_distinct_tokens(n, monkeypatch):
    """With the width of SmolLM2: cells of all rows, padding and all; of few ragged pairs too."""
    model, cells = ExplicitRM(tiny(), tokenizer()), []

    def rewards(rows):
        cells.append(rows.input_ids.numel())
        return torch.zeros(rows.n_sequences)

    monkeypatch.setattr(model, "rewards", rewards)
    monkeypatch.setattr(model.model.config, "hidden_size", 576)
    pairs = like_rewardbench(n)
    side_rewards(model, pairs, batch_size=64)
    answers = {side for pair in pairs for side in (pair.chosen, pair.rejected)}
    distinct = sum(len(a.response) for a in answers) + sum(map(len, {a.prompt for a in answers}))
    plain = sum(len(p.chosen) + len(p.rejected) for p in pairs)
    assert distinct < 0.9 * plain
    assert distinct <= sum(cells) <= 1.2 * distinct


def test_parts_hold_every_answer_once_and_end_no_sooner_than_they_must():
    model = ExplicitRM(tiny(), tokenizer())
    sequences = [Encoded((p,) * (p + 1), (r, 0)) for p in range(6) for r in range(1 + p % 3)]
    found = list(parts(model, sequences[::-1], 1))
    together = [repr(sequence) for part in found for sequence in part]
    assert sorted(together) == sorted(map(repr, sequences))
    assert len(found) > 1
    assert all(len(part) >= evaluate_rewards.BATCHES for part in found[:-1])


def test_the_bar_counts_tokens_up_to_all_of_them(here, monkeypatch):
    seen = {}

    class Bar:
        def __init__(self, total, desc):
            seen.update(total=total, at=0)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def update(self, n):
            seen["at"] += n

    monkeypatch.setattr(evaluate_rewards, "progress_bar", Bar)
    model = ExplicitRM(tiny(), tokenizer())
    one, other = model.encode("Q ", "yes"), model.encode("Q ", "never no")
    side_rewards(model, [EncodedPair(one, other), EncodedPair(other, one)], batch_size=1)
    assert seen == {"total": len(one) + len(other), "at": len(one) + len(other)}
    both = KeptRewards(Path("kept.jsonl"), resume=False)
    side_rewards(model, [EncodedPair(one, other)], batch_size=1, keep=both)
    side_rewards(model, [EncodedPair(one, other)], batch_size=1, keep=both)
    assert seen["at"] == seen["total"]
