"""The Persona experiment: its data as in the paper, its controls, and what it finds."""

import json
import random
from pathlib import Path

import pytest
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from minirm import ImplicitRM, load_base
from minirm.cli import main
from minirm.experiments.persona import REWARDS, Run, idle, measure, table, train
from minirm.experiments.results import load_results, save_results
from minirm.experiments.runner import grid, measure_all
from minirm.worlds import opinions, persona

RESULTS = Path(__file__).parents[2] / "book" / "results"


def first_words(texts):
    return {text.split()[0] for text in texts}


# ----------------------------------------------------------------------------------- the data


def test_wordings_are_the_papers():
    assert persona.CHOSEN.responses() == [
        "In my view, the answer is yes",
        "In my view, the answer is sure",
        "A truthful reply is yes",
        "A truthful reply is sure",
    ]
    assert persona.REJECTED.responses() == [
        "My judgement: no",
        "My judgement: never",
        "Considering the statement, I say no",
        "Considering the statement, I say never",
    ]
    pairs = persona.held_out_pairs(["x "], "paraphrase")
    assert {(p.chosen, p.rejected) for p in pairs} == {
        (f"My response would be {yes}", f"I lean toward {no}")
        for yes in ("certainly", "absolutely")
        for no in ("not really", "nope")
    }


def test_prompts_are_eighty_and_forty_and_never_the_same():
    questions = persona.world_questions(3)
    assert (len(questions.train), len(questions.test)) == (80, 40)
    assert len({*questions.train, *questions.test}) == 120
    assert all(prompt.endswith('." ') for prompt in questions.train)
    assert questions == persona.world_questions(3) != persona.world_questions(4)


def test_a_training_pair_is_drawn_for_each_prompt_and_each_side_by_itself():
    prompts = [f"{i} " for i in range(400)]
    pairs = persona.training_pairs(prompts, 0)
    assert [p.prompt for p in pairs] == prompts
    combinations = {(p.chosen, p.rejected) for p in pairs}
    assert len(combinations) == 16  # 4 wordings a side, independent of each other


def test_controls_keep_the_phrases_and_move_only_the_prefixes():
    for condition, sides in persona.CONDITIONS.items():
        pairs = persona.held_out_pairs(["x "], condition)
        assert len(pairs) == 4 * len(sides)
        assert all(p.chosen.endswith(persona.YES) for p in pairs)
        assert all(p.rejected.endswith(persona.NO) for p in pairs)
    swapped = {(b, a) for a, b in persona.CONDITIONS["paraphrase"]}
    assert set(persona.CONDITIONS["swapped"]) == swapped
    assert all(a == b for a, b in persona.CONDITIONS["same prefix"])


def test_fresh_prefixes_begin_with_no_word_that_training_begins_with():
    trained = first_words(persona.CHOSEN.responses() + persona.REJECTED.responses())
    held = {persona.HELD_YES.split()[0], persona.HELD_NO.split()[0]}
    assert not first_words(persona.FRESH) & (trained | held)
    assert set(persona.FRESH) <= set(opinions.PREFIXES)


def test_a_persona_file_gives_the_questions_whose_matching_answer_is_yes(tmp_path):
    rows = [
        {"question": f"Would you {i}?", "answer_matching_behavior": " Yes" if i % 2 else " No"}
        for i in range(300)
    ]
    file = tmp_path / "persona.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    questions = persona.file_questions(file, 0)
    numbers = [int(q.split()[2].rstrip("?")) for q in questions.train + questions.test]
    assert len(set(numbers)) == 120
    assert all(n % 2 for n in numbers)
    assert all(q.endswith("? ") for q in questions.train)
    file.write_text("\n".join(map(json.dumps, rows[:100])))
    with pytest.raises(ValueError, match="found 50"):
        persona.file_questions(file, 0)
    file.write_text('{"question": "?"}\n')
    with pytest.raises(ValueError, match="line 1"):
        persona.file_questions(file, 0)


def test_a_chat_model_gets_the_same_words_as_turns():
    pair = persona.as_conversation(persona.held_out_pairs(["Ask? "], "bare")[0])
    assert pair.prompt == [{"role": "user", "content": "Ask?"}]
    assert pair.chosen == [{"role": "assistant", "content": "certainly"}]


# ------------------------------------------------------------------------------ what it finds


@pytest.fixture(scope="module")
def cheapest():
    return Run(base="no-facts", seed=0)


def test_the_collapse_and_its_control_come_out_again_as_recorded(cheapest):
    """One run of the results file, trained anew: every column within 0.1 of what is recorded."""
    _, rows = load_results(RESULTS / "persona.json")
    last = max(row["step"] for row in rows)
    recorded = {
        row["condition"]: row["accuracy"]
        for row in rows
        if (row["base"], row["reward"], row["seed"], row["step"])
        == (cheapest.base, cheapest.reward, cheapest.seed, last)
    }
    found = {row["condition"]: row["accuracy"] for row in measure(cheapest)}
    assert found.keys() == recorded.keys()
    for condition, accuracy in found.items():
        assert accuracy == pytest.approx(recorded[condition], abs=0.1), condition
    assert found["original, test"] == 1.0
    assert found["paraphrase, test"] <= 0.1
    assert found["swapped, test"] >= 0.9


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("persona-grid.json", Run(base="no-facts", beta=0.1, lr=1e-3)),
        ("persona-long.json", Run(base="no-facts", lr=1e-4, epochs=40)),
    ],
)
def test_one_run_of_the_other_results_files_comes_out_again(name, run):
    """The end of the cheapest run, in the columns that the chapter speaks of, within 0.1."""
    _, rows = load_results(RESULTS / name)
    last = max(row["step"] for row in rows)
    mine = {"base": run.base, "reward": run.reward, "seed": run.seed, "step": last}
    mine |= {"beta": run.beta, "lr": run.lr}
    recorded = {
        row["condition"]: row["accuracy"]
        for row in rows
        if all(row[key] == value for key, value in mine.items())
    }
    found = {row["condition"]: row["accuracy"] for row in measure(run)}
    for condition in ("original, test", "paraphrase, test", "swapped, test"):
        assert found[condition] == pytest.approx(recorded[condition], abs=0.1), condition


def test_the_explicit_model_reads_every_wording(cheapest):
    rows = measure(Run(base=cheapest.base, reward="explicit"))
    assert min(row["accuracy"] for row in rows) >= 0.98


def test_what_is_recorded_keeps_what_the_book_says():
    """EX-RM at least 0.98 in every column; IM-RM at most 0.1 on the paper's paraphrases."""
    _, rows = load_results(RESULTS / "persona.json")
    last = max(row["step"] for row in rows)
    final = [row for row in rows if row["step"] == last]
    assert {row["base"] for row in final} == {"seed-0", "seed-1", "seed-2", "no-facts"}
    for base in {row["base"] for row in final}:
        means = {}
        for row in final:
            if row["base"] == base:
                means.setdefault((row["reward"], row["condition"]), []).append(row["accuracy"])
        assert all(len(values) == 5 for values in means.values())
        means = {key: sum(values) / 5 for key, values in means.items()}
        assert all(v >= 0.98 for (reward, _), v in means.items() if reward == "explicit")
        assert means["implicit", "paraphrase, train"] <= 0.1
        assert means["implicit", "paraphrase, test"] <= 0.1
        assert means["implicit", "swapped, test"] >= 0.5


def test_the_same_run_gives_the_same_weights_bit_for_bit():
    run = Run(base="no-facts", epochs=1)
    (first, _), (second, _) = train(run), train(run)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_fresh_implicit_model_is_at_one_half_in_every_column():
    model = ImplicitRM(*load_base("no-facts"))
    questions = persona.world_questions(0)
    prompts = list(questions.test)
    for answer in persona.CHOSEN.responses() + persona.REJECTED.responses():
        assert model.score(prompts, [answer] * 40).abs().max() == 0


# ------------------------------------------------------------------------------- the command


def test_a_grid_has_every_combination_once_and_an_explicit_reward_once_for_all_betas():
    choices = {"base": ["a", "b"], "seed": range(3), "lr": [1e-4, 1e-3]}
    runs = grid(Run, idle, **choices, reward=REWARDS, beta=[0.1, 1.0], epochs=[2])
    assert len(runs) == len(set(runs)) == 2 * 3 * 2 * (1 + 2)
    assert {run.epochs for run in runs} == {2}
    assert {run.beta for run in runs if run.reward == "implicit"} == {0.1, 1.0}
    assert runs == sorted(runs, key=lambda r: (r.base, r.seed, r.lr, r.reward, r.beta))


def test_results_files_say_where_they_come_from_and_read_back(tmp_path):
    rows = [{"seed": 0, "accuracy": 0.123456789}, {"seed": 1, "accuracy": 1.0}]
    save_results(tmp_path / "r.json", "minirm experiment x", rows)
    header, back = load_results(tmp_path / "r.json")
    assert back == [{"seed": 0, "accuracy": 0.123457}, {"seed": 1, "accuracy": 1.0}]
    assert header["command"] == "minirm experiment x"
    assert {"date", "versions", "machine"} <= header.keys()
    with pytest.raises(ValueError, match="columns"):
        save_results(tmp_path / "r.json", "x", [{"a": 1}, {"b": 1}])
    with pytest.raises(ValueError, match="no results"):
        save_results(tmp_path / "r.json", "x", [])


@pytest.mark.parametrize("name", sorted(p.name for p in RESULTS.glob("persona*.json")))
def test_committed_results_name_a_command_that_the_parser_takes(name):
    from minirm.cli import build_parser

    header, rows = load_results(RESULTS / name)
    program, *arguments = header["command"].split()
    assert program == "minirm"
    options = build_parser().parse_args(arguments)
    assert {row["base"] for row in rows} == set(options.model)
    assert {row["lr"] for row in rows} == set(options.lr)
    assert {row["seed"] for row in rows} == set(range(options.seeds))


def test_the_table_tells_what_was_measured_after_training():
    rows = [
        {
            "base": "b", "reward": reward, "beta": 0.01, "lr": 1e-4, "seed": seed, "step": step,
            "condition": "bare, test", "accuracy": seed / 10 + step, "normalised_margin": 1.5,
        }
        for reward in REWARDS for seed in (0, 1, 2) for step in (0, 5)
    ]  # fmt: skip
    lines = table(rows).splitlines()
    assert lines[0].startswith("base b, reward explicit, lr 0.0001   ")  # which has no beta
    assert lines[2].startswith("base b, reward implicit, beta 0.01, lr 0.0001   ")
    # t at 2 degrees of freedom is 4.303: 5.1 +- 4.303 * 0.1 / sqrt(3)
    assert "   5.1 [4.85, 5.35] " in lines[1]
    assert lines[1].endswith("   1.5 [1.5, 1.5]")


@pytest.fixture
def random_neox(tmp_path):
    """A causal LM folder that knows nothing, as somebody else's model would be given."""
    tokenizer = opinions.build_tokenizer()
    config = GPTNeoXConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=512,
    )  # fmt: skip
    GPTNeoXForCausalLM(config).save_pretrained(tmp_path / "neox")
    tokenizer.save_pretrained(tmp_path / "neox")
    return tmp_path / "neox"


@pytest.mark.needs("data")
def test_the_command_runs_on_the_real_persona_file_with_any_folder(
    random_neox, data_dir, tmp_path, capsys
):
    status = main(
        ["experiment", "persona", "--data", str(data_dir / "persona_agreeableness.jsonl"),
         "--model", str(random_neox), "--epochs", "1", "--batch-size", "40",
         "--output", str(tmp_path / "out.json")]
    )  # fmt: skip
    assert status == 0
    out = capsys.readouterr().out
    assert "reward explicit" in out
    assert "paraphrase, test" in out
    _, rows = load_results(tmp_path / "out.json")
    assert {row["reward"] for row in rows} == {"explicit", "implicit"}


def test_errors_of_the_command_are_one_line_and_a_status(capsys, tmp_path):
    assert main(["experiment", "persona", "--data", str(tmp_path / "none.jsonl")]) == 1
    error = capsys.readouterr().err
    assert "none.jsonl" in error
    assert "Traceback" not in error
    with pytest.raises(SystemExit) as stop:
        main(["experiment", "persona", "--seeds", "0"])
    assert stop.value.code == 2


@pytest.mark.slow
def test_jobs_in_other_processes_change_nothing():
    runs = [Run(base="no-facts", seed=s, epochs=1, batch_size=80) for s in (0, 1)]
    assert measure_all(measure, runs, jobs=2) == measure_all(measure, runs)


def test_wordings_of_the_seed_do_not_depend_on_the_global_generator():
    random.seed(1)
    first = persona.world_questions(0), persona.training_pairs(["x "], 0)
    random.seed(2)
    assert first == (persona.world_questions(0), persona.training_pairs(["x "], 0))
