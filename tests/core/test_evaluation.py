"""Evaluation sets: one pass over the distinct answers of all, the reference once."""

import pytest
import torch
from tiny import PAIRS, perturb, tiny, tokenizer

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, Trainer, accuracy, normalised_margin
from minirm.evaluation import EvaluationSets, evaluate, pair_rewards
from minirm.pairs import encode_pairs
from minirm.worlds import persona

KINDS = (ExplicitRM, ImplicitRM, GenerativeRM)
SETS = {"all": PAIRS, "some": PAIRS[2:5], "again": [*PAIRS[:2], *PAIRS[:1]]}


def make(kind=ImplicitRM, **options):
    rm = kind(tiny(), tokenizer(), **options)
    perturb(rm.model)
    return rm


def encoded(rm, sets=SETS):
    return {name: encode_pairs(pairs, rm.encode)[0] for name, pairs in sets.items()}


def tokens_of(model):
    """Counts the tokens that a model runs, padding included."""
    count = [0]

    def hook(_module, _arguments, keywords):
        count[0] += keywords["input_ids"].numel()

    model.base_model.register_forward_pre_hook(hook, with_kwargs=True)
    return count


@pytest.mark.parametrize("kind", KINDS)
def test_sets_together_give_what_each_gives_alone(kind):
    rm = make(kind)
    together = EvaluationSets(rm, encoded(rm))
    for _ in range(2):  # with the reference just computed, and kept
        for name, (chosen, rejected) in together.rewards().items():
            prompts = [p.prompt for p in SETS[name]]
            for found, side in ((chosen, "chosen"), (rejected, "rejected")):
                alone = rm.score(prompts, [getattr(p, side) for p in SETS[name]])
                torch.testing.assert_close(found, alone, atol=1e-6, rtol=1e-5)
    for name, found in together.measure().items():
        chosen, rejected = pair_rewards(rm, encoded(rm)[name])
        assert found["accuracy"] == accuracy(chosen, rejected)
        assert found["margin"] == pytest.approx(float((chosen - rejected).mean()), abs=1e-6)
        expected = normalised_margin(chosen, rejected)
        assert found["normalised_margin"] == pytest.approx(expected, abs=1e-5)
        assert evaluate(rm, SETS[name])["accuracy"] == found["accuracy"]


def test_an_answer_in_several_sets_runs_once_and_the_reference_in_the_first_pass_only():
    rm = make()
    assert rm.shares_prompts  # measured before the tokens are counted
    policy, reference = tokens_of(rm.model), tokens_of(rm.reference)
    EvaluationSets(rm, {"all": encoded(rm)["all"]}).rewards()
    once = policy[0]
    assert reference[0] == once > 0
    together = EvaluationSets(rm, encoded(rm))
    together.rewards()
    assert (policy[0], reference[0]) == (2 * once, 2 * once)  # "all" holds whatever the others do
    together.rewards()
    assert (policy[0], reference[0]) == (3 * once, 2 * once)


def test_a_fresh_implicit_reward_is_still_exactly_nought():
    rm = ImplicitRM(tiny(), tokenizer())
    sets = EvaluationSets(rm, encoded(rm))
    for _ in range(2):
        assert all(not r.any() for rewards in sets.rewards().values() for r in rewards)


def test_the_reference_that_is_given_goes_with_its_sequence_also_where_one_repeats():
    rm = make(beta=1.0)
    sequences = [rm.encode(p.prompt, p.chosen) for p in (*PAIRS, PAIRS[3], PAIRS[0])]
    reference = rm.map_encoded(rm.reference_logprobs, sequences)
    found = rm.map_encoded(rm.rewards, sequences, reference=reference)
    torch.testing.assert_close(found, rm.score_encoded(sequences))
    shifted = rm.map_encoded(rm.rewards, sequences, reference=reference + 1)
    torch.testing.assert_close(shifted, found - 1)


def test_training_evaluates_with_the_reference_of_its_start_run_once(monkeypatch):
    rm = make()
    assert rm.shares_prompts
    reference = tokens_of(rm.reference)
    sets = {name: SETS[name] for name in ("some", "again")}
    options = {"lr": 1e-3, "epochs": 3, "batch_size": 4, "eval_sets": sets}
    Trainer(rm, PAIRS, **options).fit()
    rare = reference[0]
    history = Trainer(rm, PAIRS, **options, eval_every=1).fit()
    assert reference[0] == 2 * rare  # for the pairs and for the sets, not at each evaluation
    assert len([r for r in history if "some/accuracy" in r]) == 7
    last = history[-1]
    for name, pairs in sets.items():
        assert last[f"{name}/margin"] == pytest.approx(evaluate(rm, pairs)["margin"], abs=1e-6)


def test_on_the_persona_sets_an_evaluation_runs_at_most_four_tenths_of_the_tokens():
    """Against each set on its own with its reference, as it was before."""
    questions = persona.world_questions(0)
    rm = make()
    assert rm.shares_prompts
    sets = encoded(rm, persona.evaluation_sets(questions, 0))
    policy, reference = tokens_of(rm.model), tokens_of(rm.reference)
    for pairs in sets.values():
        pair_rewards(rm, pairs)
    apart = policy[0] + reference[0]
    together = EvaluationSets(rm, sets)
    together.read_reference()
    policy[0] = reference[0] = 0
    together.rewards()
    assert reference[0] == 0
    assert 0 < policy[0] <= 0.4 * apart
