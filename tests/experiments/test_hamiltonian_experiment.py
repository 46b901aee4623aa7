"""The experiment on Hamiltonian cycles: masks, sums and intervals, and the shipped checkpoints."""

import itertools
import math
import random

import pytest
import torch
from needs import BOOK
from scipy.stats import binom, binomtest
from tiny import perturb, same, tiny, tokenizer, weights

from minirm import ExplicitRM, ImplicitRM, load_base
from minirm.cli import main
from minirm.commands.experiment_hamiltonian import HAMILTONIAN_RUNS
from minirm.experiments import generation
from minirm.experiments import hamiltonian as experiment
from minirm.experiments.results import load_results
from minirm.pairs import Encoded
from minirm.worlds import hamiltonian as world
from minirm.worlds import language_model

N = 5
RESULTS = BOOK.parents[1] / "results"


@pytest.fixture(scope="module")
def base():
    """A random model of graphs with five vertices: every order is said now and then."""
    words = world.build_tokenizer(N)
    return perturb(language_model.new_model(len(words), 0, hidden_size=16), 0.1), words


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(experiment, "N_TEST", 30)
    monkeypatch.setattr(generation, "N_EXACT", 10)
    monkeypatch.setattr(experiment, "N_WATCHED", 5)
    experiment.evaluation_sets.cache_clear()
    yield
    experiment.evaluation_sets.cache_clear()


def probability(model, prompt, response):
    """pi(y|x), one token after the other, straight from the model's own softmax."""
    rows = model.rows([model.encode(prompt, response)])
    return math.exp(model.logprobs(rows).item())


@pytest.mark.parametrize("kind", [ImplicitRM, generation.OrdersRM])
def test_correct_mass_is_the_sum_over_all_right_orders(base, kind):
    model = kind(*base)
    for puzzle in world.puzzles(3, random.Random(0), n=N, p=0.4):
        every = {
            order: probability(model, puzzle.pair.prompt, world.response(order))
            for order in itertools.permutations(range(N))
        }
        right = [p for o, p in every.items() if not world.missing_edges(puzzle.graph, o)]
        assert generation.correct_mass(model, [puzzle])[0] == pytest.approx(sum(right), rel=1e-4)
        total = sum(every.values())
        if kind is ImplicitRM:
            assert total < 0.5  # most of its strings are no orders
        else:
            assert total == pytest.approx(1, abs=1e-5)


def test_orders_only_takes_the_softmax_over_what_is_left(base):
    """Against the definition: cut out the vertices said, renormalise; the end is then certain."""
    model, words = base
    prompt, order = "Edges: 0-1 Cycle: ", (3, 0, 4, 1, 2)
    ids = torch.tensor([words(prompt)["input_ids"] + words(world.response(order))["input_ids"]])
    logits = model(input_ids=ids).logits[0].log_softmax(-1)[2:]
    tokens = words.convert_tokens_to_ids(list(map(str, range(N))))
    expected = 0.0
    for i, vertex in enumerate(order):
        left = [tokens[v] for v in order[i:]]
        expected += (logits[i][tokens[vertex]] - logits[i][left].logsumexp(-1)).item()
    orders = generation.OrdersRM(*base)
    rows = orders.rows([orders.encode(prompt, world.response(order))])
    assert orders.logprobs(rows).item() == pytest.approx(expected, abs=1e-4)


def test_a_watched_run_starts_at_nothing_and_says_where_it_ends(base, few):
    before = weights(base[0])
    run = experiment.Run(n=N, pairs=320, beta=0.1)
    model, history = experiment.train(run, *base, watch=True, progress=False)
    seen = [record for record in history if "policy/correct" in record]
    assert [record["step"] for record in seen] == list(range(11))
    assert seen[0]["policy/correct"] == seen[0]["policy/wrong"] == 0
    assert seen[0]["random/accuracy"] == 0.5
    tests = experiment.evaluation_sets(N)["random"]
    correct, wrong = generation.moves(model, tests)
    assert seen[-1]["policy/correct"] == pytest.approx(correct.mean().item(), abs=1e-4)
    assert seen[-1]["policy/wrong"] == pytest.approx(wrong.mean().item(), abs=1e-4)
    mass = generation.correct_mass(model, tests[:5])
    assert seen[-1]["policy/P(correct)"] == pytest.approx(sum(mass) / 5, rel=1e-4)
    assert same(before, weights(base[0]))


def test_a_tokenizer_that_cuts_vertices_up_cannot_be_held_to_orders():
    with pytest.raises(ValueError, match="'1 1'"):
        generation.OrdersRM(tiny(), tokenizer())


@pytest.mark.parametrize("kind", [ImplicitRM, generation.OrdersRM])
def test_samples_are_drawn_as_their_probability_says(base, kind):
    model = kind(*base)
    (puzzle,) = world.puzzles(1, random.Random(3), n=N, p=0.6)
    drawn = generation.sample(model, [puzzle] * 3000, seed=1)
    (mass,) = generation.correct_mass(model, [puzzle])
    correct = sum(s.verdict.correct for s in drawn)
    low, high = binomtest(correct, 3000).proportion_ci(0.9999, method="exact")
    assert low <= mass <= high
    if kind is generation.OrdersRM:
        assert all(s.verdict.well_formed for s in drawn)
    for s in drawn[:50]:
        assert len(s.tokens.response) <= N + 1
        assert s.verdict.correct == world.verify(puzzle.graph, s.text).correct
    assert drawn[0].text == generation.sample(model, [puzzle] * 3000, seed=1)[0].text


def test_sampling_goes_by_prompt_and_leaves_the_seed_alone(base):
    """Prompts of unlike length in one batch: padding must not change what is said."""
    model = generation.OrdersRM(*base)
    puzzles = world.puzzles(40, random.Random(4), n=N, p=0.5)
    state = torch.get_rng_state()
    drawn = generation.sample(model, puzzles)
    assert torch.equal(state, torch.get_rng_state())
    assert [s.puzzle for s in drawn] == puzzles
    assert all(s.tokens.prompt == model.encode(s.puzzle.pair.prompt, "0").prompt for s in drawn)
    assert len({len(s.tokens.prompt) for s in drawn}) > 1


def test_what_never_ends_is_wrong(base):
    model, words = base
    (puzzle,) = world.puzzles(1, random.Random(0), n=N)
    endless = ImplicitRM(model, words)
    with torch.no_grad():
        norm = endless.model.base_model.final_layer_norm
        head = endless.model.get_output_embeddings()
        norm.weight.zero_()
        norm.bias.fill_(1.0)
        head.weight.zero_()
        head.weight[words.convert_tokens_to_ids("3")] = 100.0
    (said,) = generation.sample(endless, [puzzle])
    assert said.text == "3 3 3 3 3 3"
    assert said.verdict.reason == "it does not end"
    assert said.tokens.response[-1] != words.eos_token_id


@pytest.mark.parametrize(("k", "n"), [(0, 20), (1, 20), (7, 20), (20, 20), (3, 1000)])
def test_the_interval_of_a_share_inverts_the_binomial_test(k, n):
    found = generation.share([True] * k + [False] * (n - k))
    low, high = found["low"], found["high"]
    assert (found["value"], found["cases"]) == (k / n, n)
    assert 0 <= low <= k / n <= high <= 1
    if k:
        assert binom.sf(k - 1, n, low) == pytest.approx(0.025)
    if k < n:
        assert binom.cdf(k, n, high) == pytest.approx(0.025)


def test_against_compares_with_the_hidden_cycle(base):
    (puzzle,) = world.puzzles(1, random.Random(0), n=N)
    chosen = ImplicitRM(*base).encode(puzzle.pair.prompt, puzzle.pair.chosen)

    class LongerIsBetter(ExplicitRM):
        def score_encoded(self, sequences, **_):
            return torch.tensor([float(len(s.response)) for s in sequences])

    def said(*tokens):
        verdict = world.Verdict("wrong", False)
        return generation.Sample(puzzle, Encoded(chosen.prompt, tokens), "", verdict)

    assert generation.against(LongerIsBetter(*base), [said(2), said(*range(9))]) == [True, False]


def test_the_command_writes_rows_that_say_what_they_are(base, few, tmp_path, capsys):
    folder = tmp_path / "base"
    base[0].save_pretrained(folder)
    base[1].save_pretrained(folder)
    arguments = f"experiment hamiltonian --n {N} --model {folder} --pairs 64 --seeds 2 --run"
    output = tmp_path / "out.json"
    runs = ["implicit", "explicit", "orders-only"]
    save = ["--save", str(tmp_path / "kept"), "--output", str(output)]
    assert main([*arguments.split(), *runs, *save]) == 0
    assert "implicit" in capsys.readouterr().out
    _, rows = load_results(output)
    found = {(row["run"], row["measure"]) for row in rows if row["step"] == -1}
    assert {("blind", "P(correct), random order"), ("reference", "samples, well-formed")} <= found
    for run in runs:
        assert {(run, "accuracy, random"), (run, "accuracy, near miss")} <= found
    assert ("implicit", "accuracy, said by implicit") in found
    assert ("explicit", "accuracy, said by implicit") in found
    assert ("explicit", "KL") not in found
    assert {row["seed"] for row in rows} == {0, 1}
    for row in rows:
        if row["low"] is not None:
            assert row["low"] <= row["value"] + 1e-9
            assert row["value"] <= row["high"] + 1e-9
    header, own = load_results(tmp_path / "kept" / "results.json")
    assert header["command"].startswith("minirm experiment hamiltonian")
    assert {row["seed"] for row in own} == {0}
    kept, _ = load_base(tmp_path / "kept" / "reference")
    assert same(weights(kept), weights(base[0]))


def test_any_causal_model_takes_part(few, tmp_path, capsys):
    """A Llama with a byte tokenizer, to which an answer's first vertex is another token."""
    tiny("llama").save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    rows = experiment.measure(experiment.Trial(model=str(tmp_path), n=N, pairs=32))
    final = {(row["run"], row["measure"]): row["value"] for row in rows if row["step"] == -1}
    assert final["reference", "KL"] == 0
    assert final["implicit", "KL"] > 0
    assert 0 < final["reference", "P(correct)"] < 0.01
    assert {run for run, _ in final} == {"blind", "reference", "implicit", "explicit"}
    assert main(f"experiment hamiltonian --n {N} --model {tmp_path} --run orders-only".split()) == 1
    assert "a vertex must be one token" in capsys.readouterr().err


def test_every_run_of_the_command_line_exists():
    assert tuple(experiment.RUNS) == HAMILTONIAN_RUNS


# ------------------------------------------------------------------- what ships, and its numbers


@pytest.fixture(scope="module")
def recorded():
    """The last figures of seed 0 in the results files, by run and measure."""
    found = {}
    for name, seeds in (("hamiltonian", 5), ("hamiltonian-variants", 3)):
        header, rows = load_results(RESULTS / f"{name}.json")
        assert header["command"].startswith(f"minirm experiment hamiltonian --seeds {seeds} ")
        assert {row["seed"] for row in rows} == set(range(seeds))
        found |= {(r["run"], r["measure"]): r for r in rows if r["seed"] == 0 and r["step"] == -1}
    return found


def test_the_same_seeds_on_another_computer_tell_the_same_story():
    _, rows = load_results(RESULTS / "hamiltonian-again.json")
    final = {(r["seed"], r["run"], r["measure"]): r["value"] for r in rows if r["step"] == -1}
    assert {seed for seed, _, _ in final} == set(range(5))
    for seed in range(5):
        assert final[seed, "implicit", "accuracy, random"] > 0.99
        median = "P(correct), median graph"
        assert final[seed, "implicit", median] < 1e-3 * final[seed, "reference", median]
        walk = final[seed, "blind", "P(correct), random walk"]
        assert final[seed, "orders-only", "P(correct)"] > 0.9 * walk
        assert final[seed, "implicit", "accuracy, said by implicit"] < 0.05


@pytest.fixture(scope="module")
def shipped():
    return experiment.shipped()


@pytest.mark.parametrize("reward", ["explicit", "implicit"])
@pytest.mark.parametrize("kind", ["random", "near miss"])
def test_the_shipped_models_judge_as_recorded(shipped, recorded, reward, kind):
    chosen, rejected = generation.scores(shipped[2][reward], experiment.evaluation_sets(10)[kind])
    found = (chosen > rejected).double().mean().item()
    assert found == pytest.approx(recorded[reward, f"accuracy, {kind}"]["value"], abs=0.002)


def test_the_shipped_policy_generates_as_recorded(shipped, recorded):
    puzzles = experiment.evaluation_sets(10)["random"]
    model = shipped[2]["implicit"]
    mass = generation.correct_mass(model, puzzles[:20])
    low, high = (recorded["implicit", "P(correct)"][side] for side in ("low", "high"))
    assert sum(mass) / 20 < 30 * high  # heavy-tailed: 20 graphs of the 200
    samples = generation.sample(model, puzzles[:200])
    assert not any(s.verdict.correct for s in samples)
    formed = recorded["implicit", "samples, well-formed"]
    assert formed["low"] - 0.03 <= sum(s.verdict.well_formed for s in samples) / 200
    assert sum(s.verdict.well_formed for s in samples) / 200 <= formed["high"] + 0.03
    assert low <= recorded["implicit", "P(correct)"]["value"] <= high


def test_checkpoints_are_small_and_plain():
    files = [p for p in experiment.CHECKPOINTS.rglob("*") if p.is_file()]
    assert {p.suffix for p in files} == {".safetensors", ".json"}
    assert max(p.stat().st_size for p in files) < 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("key", ["orders-only", "beta-1"])
def test_a_run_gives_again_what_is_recorded(shipped, recorded, key):
    """The cheapest run of each results file, once more."""
    base, words, _ = shipped
    model, _ = experiment.train(experiment.Run(**experiment.RUNS[key]), base, words, progress=False)
    puzzles = experiment.evaluation_sets(10)["random"]
    chosen, rejected = generation.scores(model, puzzles)
    found = (chosen > rejected).double().mean().item()
    assert found == pytest.approx(recorded[key, "accuracy, random"]["value"], abs=0.02)
    right = sum(s.verdict.correct for s in generation.sample(model, puzzles)) / len(puzzles)
    assert right == pytest.approx(recorded[key, "samples, correct"]["value"], abs=0.06)
