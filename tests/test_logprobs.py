"""ln pi(y|x): the fast form equals the definition, and needs no [B, T, V] tensor."""

import pytest
import torch
from tiny import ARCHITECTURES, PROMPTS, RESPONSES, perturb, tiny, tokenizer
from transformers import BertConfig, BertForMaskedLM, BertModel

from minirm.batches import epoch_batches, pair_rows, plain_rows
from minirm.logprobs import (
    has_linear_head,
    hidden_states,
    naive_logprob,
    pick_logprobs,
    response_logits,
    sum_by_sequence,
)
from minirm.pairs import Encoded, EncodedPair, encode

SEQUENCES = [encode(tokenizer(), p, r) for p, r in zip(PROMPTS, RESPONSES, strict=True)]


def fast_logprobs(model, rows, **options):
    return sum_by_sequence(
        pick_logprobs(response_logits(model, rows, **options), rows.target), rows
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_naive_logprob_adds_up_the_log_softmax_of_the_models_logits(architecture):
    model, (prompt, response) = tiny(architecture), ([1, 7, 8], [9, 10, 2])
    logits = model(input_ids=torch.tensor([prompt + response])).logits[0]
    by_hand = sum(
        logits[i - 1].softmax(-1)[token].log()
        for i, token in zip(range(3, 6), response, strict=True)
    )
    torch.testing.assert_close(naive_logprob(model, prompt, response), by_hand)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_probabilities_of_all_continuations_sum_to_one(architecture):
    model = tiny(architecture, vocab=40).double()
    one_token = [naive_logprob(model, [1, 7, 8], [t]) for t in range(40)]
    assert torch.stack(one_token).exp().sum().item() == pytest.approx(1)


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "gemma2"])
def test_batched_logprobs_are_the_naive_ones(architecture):
    model = tiny(architecture).double()
    naive = torch.stack([naive_logprob(model, s.prompt, s.response) for s in SEQUENCES])
    rows = plain_rows(SEQUENCES, 0)
    linear = has_linear_head(model)
    torch.testing.assert_close(fast_logprobs(model, rows, linear_head=linear), naive)
    torch.testing.assert_close(fast_logprobs(model, rows, linear_head=False), naive)


def test_the_head_sees_the_states_that_predict_response_tokens_and_no_others():
    model, seen = tiny(), []
    model.get_output_embeddings().register_forward_hook(lambda _m, args, _o: seen.append(args[0]))
    rows = plain_rows(SEQUENCES, 0)
    response_logits(model, rows)
    assert [tuple(states.shape) for states in seen] == [
        (sum(len(s.response) for s in SEQUENCES), 32)
    ]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_hidden_states_are_those_after_the_final_norm(architecture):
    model = tiny(architecture)
    rows = plain_rows(SEQUENCES, 0)
    whole = model(input_ids=rows.input_ids, output_hidden_states=True).hidden_states[-1]
    torch.testing.assert_close(hidden_states(model, rows), whole)


def test_t11_sums_are_in_float32_whatever_the_logits():
    logits = torch.randn(4, 1000, dtype=torch.float64) * 5
    target = torch.arange(4)
    exact = logits.log_softmax(-1)[range(4), target]
    for dtype, tolerance in [(torch.bfloat16, 0.2), (torch.float16, 0.02), (torch.float32, 1e-5)]:
        picked = pick_logprobs(logits.to(dtype), target)
        assert picked.dtype == torch.float32
        # No worse than the rounding of the logits themselves: the sum over V adds none.
        rounded = logits.to(dtype).double().log_softmax(-1)[range(4), target]
        torch.testing.assert_close(picked.double(), rounded, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(picked.double(), exact, atol=tolerance, rtol=0)
    assert pick_logprobs(logits, target).dtype == torch.float64


def test_t02_rows_hold_every_token_of_every_sequence_and_nothing_else():
    rows = plain_rows(SEQUENCES, pad_token_id=0)
    flat = rows.input_ids.flatten()
    assert len(rows.target) == sum(len(s.response) for s in SEQUENCES)
    assert rows.target.tolist() == [t for s in SEQUENCES for t in s.response]
    assert torch.equal(flat[rows.position], rows.target)
    assert torch.equal(rows.source, rows.position - 1)
    assert flat[rows.last].tolist() == [s.response[-1] for s in SEQUENCES]
    for row, s in zip(rows.input_ids.tolist(), SEQUENCES, strict=True):
        assert tuple(row[: len(s)]) == s.prompt + s.response
        assert set(row[len(s) :]) <= {0}


def test_rows_of_pairs_hold_the_chosen_responses_first():
    a, b, c, d = SEQUENCES
    rows = pair_rows([EncodedPair(a, b), EncodedPair(c, d)], 0)
    together = plain_rows([a, c, b, d], 0)
    assert torch.equal(rows.input_ids, together.input_ids)
    assert torch.equal(rows.sequence, together.sequence)
    assert rows.n_sequences == 4


# --------------------------------------------------------------------------- probing a model


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_ordinary_models_have_a_linear_head(architecture):
    assert has_linear_head(tiny(architecture))


def test_t19_a_soft_cap_is_noticed_even_where_the_logits_are_still_small():
    assert not has_linear_head(tiny("gemma2", initializer_range=0.02))
    assert has_linear_head(tiny("gemma2", final_logit_softcapping=None))


def test_probing_leaves_the_model_as_it_was():
    model = tiny("gpt2").train()
    before = model(input_ids=torch.tensor([[1, 2]])).logits.shape
    has_linear_head(model)
    assert model.training
    assert not model.get_output_embeddings()._forward_hooks
    assert model(input_ids=torch.tensor([[1, 2]])).logits.shape == before


BERT = BertConfig(
    vocab_size=50,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=64,
)


def test_a_model_that_looks_ahead_is_no_language_model():
    torch.manual_seed(0)
    with pytest.raises(ValueError, match="BertForMaskedLM is not causal"):
        has_linear_head(BertForMaskedLM(BERT))


def test_a_model_that_predicts_no_tokens_is_no_language_model():
    with pytest.raises(ValueError, match="BertModel predicts no tokens"):
        has_linear_head(BertModel(BERT))


# --------------------------------------------------------------------------- order of the pairs


@pytest.mark.parametrize(("n", "size"), [(1, 1), (7, 3), (8, 4), (5, 100)])
def test_t23_an_epoch_holds_each_pair_exactly_once(n, size):
    for epoch in range(3):
        batches = list(epoch_batches(n, size, 0, epoch))
        assert sorted(i for batch in batches for i in batch) == list(range(n))
        assert [len(b) for b in batches[:-1]] == [size] * (len(batches) - 1)
        assert 1 <= len(batches[-1]) <= size


def test_t23_the_order_is_fixed_by_seed_and_epoch_and_differs_between_them():
    orders = {
        (seed, epoch): tuple(i for b in epoch_batches(20, 4, seed, epoch) for i in b)
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(set(orders.values())) == 9
    assert orders[1, 2] == tuple(i for b in epoch_batches(20, 4, 1, 2) for i in b)


def test_encoded_pairs_are_as_long_as_their_longer_side():
    short, long = Encoded((1,), (2,)), Encoded((1,), (3, 4, 2))
    assert len(EncodedPair(short, long)) == len(EncodedPair(long, short)) == 4


def test_perturbing_changes_logprobs():
    """The helper that later tests lean on does what it says."""
    model = tiny()
    rows = plain_rows(SEQUENCES, 0)
    before = fast_logprobs(model, rows)
    assert (fast_logprobs(perturb(model), rows) - before).abs().min() > 1e-3
