"""ln pi(y|x): the fast form equals the definition, and needs no [B, T, V] tensor."""

import random

import pytest
import torch
from tiny import ARCHITECTURES, PROMPTS, RESPONSES, perturb, tiny, tokenizer
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import BertConfig, BertForMaskedLM, BertModel

from minirm.batches import epoch_batches, pair_rows, plain_rows
from minirm.forward import hidden_states, response_logits
from minirm.logprobs import (
    linear_logprobs,
    naive_logprob,
    pick_logprobs,
    response_logprobs,
    sum_by_sequence,
)
from minirm.models.probes import has_linear_head
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


def test_sums_are_in_float32_whatever_the_logits():
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


def test_rows_hold_every_token_of_every_sequence_and_nothing_else():
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


# --------------------------------------------------------------------------- in little memory

N, D, V = 11, 6, 23
MEMORIES = {"kept": 10**9, "recomputed": V * 8 * 4 * 3, "recomputed one by one": 1}


def head_and_states(dtype=torch.float64, bias=True, spread=1.0):
    draw = torch.Generator().manual_seed(0)
    sizes = ((N, D), (V, D), (V,)) if bias else ((N, D), (V, D))
    leaves = [torch.randn(s, generator=draw, dtype=torch.float64) * spread for s in sizes]
    leaves = [leaf.to(dtype).requires_grad_() for leaf in leaves]
    return leaves if bias else [*leaves, None], torch.arange(N) * 2 % V


@pytest.mark.parametrize("memory", MEMORIES.values(), ids=MEMORIES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_linear_logprobs_and_their_gradients_are_the_naive_ones(dtype, bias, memory):
    (states, weight, b), target = head_and_states(dtype, bias, spread=3.0)
    leaves = [leaf for leaf in (states, weight, b) if leaf is not None]
    coefficients = torch.linspace(-1, 2, N, dtype=dtype)
    naive = pick_logprobs(torch.nn.functional.linear(states, weight, b), target)
    fast = linear_logprobs(states, weight, b, target, memory=memory)
    close = {"atol": 1e-4, "rtol": 1e-4} if dtype == torch.float32 else {"atol": 1e-11, "rtol": 0}
    assert fast.dtype == dtype
    torch.testing.assert_close(fast, naive, **close)
    for both in (1, 2):  # a second backward pass through what was kept
        gradients = [
            torch.autograd.grad(values, leaves, both * coefficients, retain_graph=True)
            for values in (fast, naive)
        ]
        torch.testing.assert_close(*gradients, **close)


@pytest.mark.parametrize("memory", MEMORIES.values(), ids=MEMORIES)
def test_linear_logprobs_pass_gradcheck(memory):
    leaves, target = head_and_states()
    assert torch.autograd.gradcheck(
        lambda s, w, b: linear_logprobs(s, w, b, target, memory=memory), leaves
    )


def test_a_frozen_head_gets_no_gradient_and_costs_none():
    (states, weight, bias), target = head_and_states()
    linear_logprobs(states, weight.detach(), bias.detach(), target).sum().backward()
    assert states.grad is not None
    linear_logprobs(states.detach(), weight, None, target).sum().backward()
    assert weight.grad is not None


def test_linear_logprobs_are_stable_where_logits_are_huge():
    (states, weight, _), target = head_and_states(torch.float32, spread=100.0)
    values = linear_logprobs(states, weight, None, target)
    values.sum().backward()
    assert values.isfinite().all()
    assert weight.grad.isfinite().all()


def test_half_precision_states_give_float32_sums_and_autocast_does_the_same():
    (states, weight, bias), target = head_and_states(torch.float32)
    halves = [leaf.detach().bfloat16().requires_grad_() for leaf in (states, weight, bias)]
    direct = linear_logprobs(*halves, target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = linear_logprobs(states, weight, bias, target)
    assert direct.dtype == cast.dtype == torch.float32
    torch.testing.assert_close(cast, direct, atol=0, rtol=0)
    torch.testing.assert_close(
        cast, linear_logprobs(states, weight, bias, target), atol=0.1, rtol=0
    )
    (gradient,) = torch.autograd.grad(cast.sum(), weight)
    assert gradient.dtype == torch.float32


class Allocations(TorchDispatchMode):
    """The float32 tensors of V columns that are made inside the block: their numbers of rows."""

    def __enter__(self):
        self.rows = []
        return super().__enter__()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for made in out if isinstance(out, tuple | list) else [out]:
            if isinstance(made, torch.Tensor) and made.ndim == 2 and made.shape[1] == V:
                self.rows.append(made.shape[0])
        return out


def test_where_memory_is_short_no_tensor_holds_more_than_a_chunk_of_logits():
    (states, weight, _), target = head_and_states(torch.float32)
    with Allocations() as made:
        linear_logprobs(states, weight, None, target, memory=V * 4 * 4 * 3).sum().backward()
    assert max(r for r in made.rows if r != D) == 3  # [D, V] is the transposed weight
    with Allocations() as made:
        linear_logprobs(states, weight, None, target).sum().backward()
    assert max(made.rows) == N


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "gemma2"])
def test_response_logprobs_are_those_of_the_whole_model(architecture):
    model = tiny(architecture, **({"tie_word_embeddings": True} if architecture == "llama" else {}))
    rows = plain_rows(SEQUENCES, 0)
    whole = model(input_ids=rows.input_ids).logits.flatten(0, 1)[rows.source]
    expected = pick_logprobs(whole, rows.target)
    values = response_logprobs(model, rows, linear_head=has_linear_head(model))
    torch.testing.assert_close(values, expected)
    gradients = [torch.autograd.grad(v.sum(), model.parameters()) for v in (values, expected)]
    torch.testing.assert_close(*gradients, atol=1e-4, rtol=1e-3)


class Scaled(torch.nn.Linear):
    def forward(self, states):
        return 3 * super().forward(states)


@pytest.mark.parametrize("case", ["bias", "hook", "another class"])
def test_a_head_with_a_bias_or_a_hook_or_of_another_class_is_respected(case):
    rows, model = plain_rows(SEQUENCES, 0), tiny()
    plain = response_logprobs(model, rows)
    head = model.get_output_embeddings()
    if case == "hook":
        head.register_forward_hook(lambda _m, _i, logits: 2 * logits)
    else:
        new = (torch.nn.Linear if case == "bias" else Scaled)(32, len(tokenizer()))
        new.weight = head.weight
        torch.nn.init.normal_(new.bias)
        model.set_output_embeddings(new)
    values = response_logprobs(model, rows)
    torch.testing.assert_close(values, pick_logprobs(response_logits(model, rows), rows.target))
    assert (values - plain).abs().max() > 0.1


# --------------------------------------------------------------------------- probing a model


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_ordinary_models_have_a_linear_head(architecture):
    assert has_linear_head(tiny(architecture))


def test_a_soft_cap_is_noticed_even_where_the_logits_are_still_small():
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
def test_an_epoch_holds_each_pair_exactly_once(n, size):
    for epoch in range(3):
        batches = list(epoch_batches(range(n), size, 0, epoch))
        assert sorted(i for batch in batches for i in batch) == list(range(n))
        assert [len(b) for b in batches[:-1]] == [size] * (len(batches) - 1)
        assert 1 <= len(batches[-1]) <= size


def test_the_order_is_fixed_by_seed_and_epoch_and_differs_between_them():
    orders = {
        (seed, epoch): tuple(i for b in epoch_batches(range(20), 4, seed, epoch) for i in b)
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(set(orders.values())) == 9
    assert orders[1, 2] == tuple(i for b in epoch_batches(range(20), 4, 1, 2) for i in b)


@pytest.mark.parametrize("n", [400, 403])
def test_batches_hold_items_of_like_cost_without_bias_or_habit(n):
    draw = random.Random(0)
    costs = [draw.randint(10, 1000) for _ in range(n)]
    epochs = [list(epoch_batches(costs, 4, 0, epoch)) for epoch in range(40)]
    # Little padding: each batch is as wide as its widest item.
    padded = sum(len(b) * max(costs[i] for i in b) for b in epochs[0])
    assert padded < 1.1 * sum(costs)
    shuffled = list(range(n))
    draw.shuffle(shuffled)
    random_batches = [shuffled[i : i + 4] for i in range(0, n, 4)]
    assert sum(len(b) * max(costs[i] for i in b) for b in random_batches) > 1.4 * sum(costs)
    # No order by cost over an epoch, and the short batch is anybody's.
    firsts = [costs[i] for batches in epochs for i in batches[0]]
    assert sum(firsts) / len(firsts) == pytest.approx(sum(costs) / n, rel=0.2)
    if n % 4:
        lasts = [costs[i] for batches in epochs for i in batches[-1]]
        assert sum(lasts) / len(lasts) == pytest.approx(sum(costs) / n, rel=0.2)
    # Who meets whom changes.
    met = [{frozenset(b) for b in batches} for batches in epochs]
    assert len(met[0] & met[1]) < n / 4 / 10


def test_encoded_pairs_are_as_long_as_their_longer_side():
    short, long = Encoded((1,), (2,)), Encoded((1,), (3, 4, 2))
    assert len(EncodedPair(short, long)) == len(EncodedPair(long, short)) == 4


def test_perturbing_changes_logprobs():
    """The helper that later tests lean on does what it says."""
    model = tiny()
    rows = plain_rows(SEQUENCES, 0)
    before = fast_logprobs(model, rows)
    assert (fast_logprobs(perturb(model), rows) - before).abs().min() > 1e-3
