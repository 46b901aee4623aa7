"""A prompt encoded once for all its answers: the numbers of one row an answer, in less time."""

import copy
import dataclasses
import functools
import itertools
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import ARCHITECTURES, PAIRS, patient, perturb, tiny, tokenizer
from transformers import AutoModelForCausalLM, FalconConfig, MambaConfig

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, Trainer
from minirm.batches import PADDING, answer_groups, pair_cost, pair_rows, plain_rows, shared_rows
from minirm.forward import hidden_states
from minirm.models.probes import can_share_prompts
from minirm.pairs import Encoded, EncodedPair, encode_pairs

KINDS = (ExplicitRM, ImplicitRM)


def make(kind, base=None, **options):
    base = tiny() if base is None else base
    options |= {"beta": 1.0} if kind is ImplicitRM else {}
    rm = kind(base, tokenizer(), **options)
    perturb(rm.model)
    return rm


def encoded(rm):
    return encode_pairs(PAIRS, rm.encode)[0]


def rewards_and_gradients(rm, batches):
    """Rewards of all pairs (chosen, rejected) and the gradient of their summed loss."""
    rm.zero_grad(set_to_none=True)
    rewards = []
    for rows in batches:
        losses, both = rm(rows)
        losses.sum().backward()
        rewards.append(both.detach().reshape(2, -1))
    gradients = {n: w.grad.clone() for n, w in rm.model.named_parameters() if w.grad is not None}
    return torch.cat(rewards, dim=1), gradients


def layouts(pairs):
    """The same pairs in two rows, in one row, each alone, and padded wider with another token."""
    wide = pair_rows(pairs, 7, shared=True)
    extra = torch.nn.functional.pad
    moved = {}
    for name in ("source", "position", "last"):
        flat, width = getattr(wide, name), wide.input_ids.shape[1]
        moved[name] = flat // width * (width + 9) + flat % width
    wide = dataclasses.replace(
        wide,
        input_ids=extra(wide.input_ids, (0, 9), value=7),
        position_ids=extra(wide.position_ids, (0, 9)),
        segment=extra(wide.segment, (0, 9), value=PADDING),
        **moved,
    )
    return {
        "two rows": [pair_rows(pairs, 0)],
        "one row": [pair_rows(pairs, 0, shared=True)],
        "alone": [pair_rows([pair], 0, shared=True) for pair in pairs],
        "two rows alone": [pair_rows([pair], 0) for pair in pairs],
        "wider": [wide],
    }


def in_own_precision(model):
    """Without the float32 in which Llama's and Qwen's norms round whatever they are given."""
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = functools.partial(
                torch.nn.functional.rms_norm,
                normalized_shape=module.weight.shape,
                weight=module.weight,
                eps=module.variance_epsilon,
            )
    return model


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=str
)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_rewards_and_gradients_are_the_same_in_every_layout(architecture, kind, dtype, tolerance):
    rm = make(kind, in_own_precision(tiny(architecture)).to(dtype))
    pairs = encoded(rm)
    results = {name: rewards_and_gradients(rm, rows) for name, rows in layouts(pairs).items()}
    truth, gradients = results.pop("two rows alone")
    largest = max(g.abs().max() for g in gradients.values())  # some are zero but for rounding
    assert truth.dtype == dtype
    for name, (rewards, grads) in results.items():
        close = {"atol": tolerance, "rtol": tolerance, "msg": lambda m, n=name: f"{n}: {m}"}
        torch.testing.assert_close(rewards, truth, **close)
        assert grads.keys() == gradients.keys()
        for weight, expected in gradients.items():
            torch.testing.assert_close(grads[weight] / largest, expected / largest, **close)


@torch.no_grad()
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_negative_control_without_the_mask_or_the_positions_rewards_are_wrong(architecture):
    rm = make(ImplicitRM, tiny(architecture))
    rows = pair_rows(encoded(rm), 0, shared=True)
    truth = rm.rewards(rows)
    everything = dataclasses.replace(rows, segment=torch.zeros_like(rows.segment))
    assert (rm.rewards(everything) - truth).abs().max() > 0.1
    straight = torch.arange(rows.input_ids.shape[1]).expand_as(rows.position_ids)
    assert (rm.rewards(dataclasses.replace(rows, position_ids=straight)) - truth).abs().max() > 0.01


@torch.no_grad()
def test_attention_that_adds_its_mask_gets_one_to_add():
    base = tiny("llama")
    base.set_attn_implementation("eager")
    assert can_share_prompts(base)
    rm = make(ExplicitRM, base)
    pairs = encoded(rm)
    one, two = (rm.rewards(pair_rows(pairs, 0, shared=s)) for s in (True, False))
    torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_under_autocast_a_shared_row_is_right_to_rounding(kind):
    rm = make(kind)
    pairs = encoded(rm)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        shared = rm.rewards(pair_rows(pairs, 0, shared=True))
    torch.testing.assert_close(shared, rm.rewards(pair_rows(pairs, 0)), atol=0.5, rtol=0.05)


# ------------------------------------------------------------------------- layout


def test_the_rows_of_one_pair_written_out():
    pair = EncodedPair(Encoded((5, 6), (7, 2)), Encoded((5, 6), (8, 9, 2)))
    rows = pair_rows([pair], 0, shared=True)
    assert rows.input_ids.tolist() == [[5, 6, 7, 2, 8, 9, 2]]
    assert rows.position_ids.tolist() == [[0, 1, 2, 3, 2, 3, 4]]
    assert rows.segment.tolist() == [[0, 0, 1, 1, 2, 2, 2]]
    assert rows.source.tolist() == [1, 2, 1, 4, 5]
    assert rows.position.tolist() == [2, 3, 4, 5, 6]
    assert rows.target.tolist() == [7, 2, 8, 9, 2]
    assert rows.sequence.tolist() == [0, 0, 1, 1, 1]
    assert rows.last.tolist() == [3, 6]
    seen = ["".join("x" if s else "." for s in line) for line in rows.attention_mask[0, 0].tolist()]
    assert seen == ["x......", "xx.....", "xxx....", "xxxx...", "xx..x..", "xx..xx.", "xx..xxx"]


tokens = st.lists(st.integers(3, 30), min_size=1, max_size=6).map(tuple)


@patient
@given(st.lists(st.tuples(tokens, st.lists(tokens, min_size=1, max_size=4)), min_size=1))
def test_a_shared_row_holds_what_plain_rows_hold_and_each_token_sees_its_own(groups):
    sequences = [Encoded(prompt, r) for prompt, responses in groups for r in responses]
    ends = list(itertools.accumulate(len(r) for _, r in groups))
    members = [list(range(e - len(r), e)) for e, (_, r) in zip(ends, groups, strict=True)]
    rows, plain = shared_rows(sequences, members, 0), plain_rows(sequences, 0)
    flat = rows.input_ids.flatten()
    assert torch.equal(rows.target, plain.target)
    assert torch.equal(rows.sequence, plain.sequence)
    assert torch.equal(flat[rows.position], rows.target)
    assert flat[rows.last].tolist() == [s.response[-1] for s in sequences]
    if rows.segment is None:
        assert max(map(len, members)) == 1
        return
    mask, width = rows.attention_mask, rows.input_ids.shape[1]
    assert mask.any(-1).all()  # a softmax over nothing would be NaN
    for s, last in zip(sequences, rows.last.tolist(), strict=True):
        row, column = divmod(last, width)
        visible = mask[row, 0, column].nonzero().flatten()
        assert tuple(rows.input_ids[row, visible].tolist()) == s.prompt + s.response
        assert rows.position_ids[row, visible].tolist() == list(range(len(s)))


def test_a_pair_whose_prompts_differ_keeps_two_rows():
    """A judge asks about each response apart."""
    rm = make(GenerativeRM)
    pairs = encoded(rm)
    assert pair_rows(pairs, 0, shared=True).segment is None
    assert pair_cost(pairs[0], shared=True) == len(pairs[0])
    mixed = [pairs[0], encoded(make(ExplicitRM))[0]]
    ex = make(ExplicitRM)
    one, two = (ex.rewards(pair_rows(mixed, 0, shared=s)) for s in (True, False))
    torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-5)


def test_the_cost_of_a_pair_is_the_width_of_its_rows():
    for pair in encoded(make(ExplicitRM)):
        for shared in (True, False):
            width = pair_rows([pair], 0, shared=shared).input_ids.shape[1]
            assert pair_cost(pair, shared=shared) == width


# ------------------------------------------------------------------------- the probe


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_ordinary_models_share_prompts_in_every_precision(architecture, dtype):
    assert can_share_prompts(tiny(architecture).to(dtype))


def mamba():
    return AutoModelForCausalLM.from_config(
        MambaConfig(vocab_size=len(tokenizer()), hidden_size=32, num_hidden_layers=2)
    )


def alibi():
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = FalconConfig(vocab_size=len(tokenizer()), alibi=True, bos_token_id=1, **sizes)
    return AutoModelForCausalLM.from_config(config)


def refuses_masks():
    model = tiny("llama")
    run = model.model.forward

    def forward(input_ids, use_cache=None):
        return run(input_ids=input_ids, use_cache=use_cache)

    model.model.forward = forward
    return model


def flash():
    model = tiny("llama")
    model.config._attn_implementation_internal = "flash_attention_2"
    return model


EXCEPTIONS = {
    "mistral": lambda: tiny("mistral"),
    "gemma2": lambda: tiny("gemma2", sliding_window=8),
    "a window too wide to probe": lambda: tiny(
        "mistral", sliding_window=2000, max_position_embeddings=4000
    ),
    "mamba": mamba,
    "alibi": alibi,
    "refuses masks": refuses_masks,
    "flash": flash,
}


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_the_probe_refuses_what_a_shared_row_would_get_wrong(name):
    torch.manual_seed(0)
    model = EXCEPTIONS[name]().train()
    assert not can_share_prompts(model)
    assert model.training


def test_a_window_as_wide_as_the_context_does_no_harm():
    assert can_share_prompts(tiny("gemma2"))


def test_a_sliding_window_falls_back_to_plain_rows_with_one_warning():
    rm = make(ImplicitRM, tiny("mistral"))
    with pytest.warns(UserWarning, match="MistralForCausalLM gives other numbers"):
        trainer = Trainer(rm, PAIRS, epochs=1, eval_sets={"test": PAIRS})
    trainer.fit()  # any further warning would be an error
    scores = rm.score([p.prompt for p in PAIRS], [p.chosen for p in PAIRS])
    assert trainer.costs == [len(pair) for pair in trainer.pairs]  # of plain rows
    pairs = encoded(rm)
    alone = torch.cat([rm.rewards(plain_rows([p.chosen], 0)) for p in pairs]).detach()
    torch.testing.assert_close(scores, alone, atol=1e-5, rtol=1e-5)
    # and it had to: past the window a shared row is wrong
    long = EncodedPair(*(Encoded((1, 5), tuple(range(9 + s, 39 + s))) for s in (0, 1)))
    with torch.no_grad():
        one, two = (rm.rewards(pair_rows([long], 0, shared=s)) for s in (True, False))
    assert (one - two).abs().max() > 0.1


def test_the_model_that_trains_shares_prompts_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer = Trainer(make(ExplicitRM), PAIRS, epochs=1)
    assert trainer.costs == [len(p.chosen) + len(p.rejected.response) for p in trainer.pairs]


# ------------------------------------------------------------------------- several answers


@pytest.mark.parametrize("kind", [*KINDS, GenerativeRM])
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_grouped_scores_are_the_ungrouped_ones(kind, batch_size):
    rm = make(kind)
    prompts = ["Do you? ", "Is it so? ", "Do you? "] * 5
    responses = [f"{w} {i % 4}" for i, w in enumerate(["yes", "no", "of course, I must say"] * 5)]
    alone = copy.deepcopy(rm)
    alone.shares_prompts = False
    grouped = rm.score(prompts, responses, batch_size=batch_size)
    torch.testing.assert_close(
        grouped, alone.score(prompts, responses, batch_size=1), atol=1e-5, rtol=1e-5
    )


def test_an_answer_that_comes_twice_runs_once_and_counts_twice():
    rm, seen = make(ExplicitRM), []
    assert rm.shares_prompts
    rm.model.base_model.register_forward_pre_hook(
        lambda _m, _a, inputs: seen.append(inputs["input_ids"]), with_kwargs=True
    )
    answers = ["yes", "no", "yes", "never", "no", "yes"]
    scores = rm.score(["Do you? "] * 6, answers)
    (ids,) = seen
    prompt = rm.encode("Do you? ", "yes").prompt
    distinct = [rm.encode("Do you? ", a).response for a in dict.fromkeys(answers)]
    assert ids.shape == (1, len(prompt) + sum(map(len, distinct)))
    assert scores[0] == scores[2] == scores[5]
    assert scores[1] == scores[4]
    assert len(set(scores.tolist())) == 3


def test_a_fresh_implicit_reward_is_exactly_zero_in_shared_rows():
    rm = ImplicitRM(tiny(), tokenizer(), beta=1.0)
    assert rm.shares_prompts
    rows = pair_rows(encoded(rm), 0, shared=True)
    assert rm.rewards(rows).abs().max() == 0
    assert rm.score(["Q "] * 3, ["yes", "no", "of course"]).tolist() == [0.0] * 3


@patient
@given(st.lists(st.tuples(st.sampled_from([(1,), (1, 2), (3,) * 40]), tokens), min_size=1))
def test_answer_groups_hold_each_sequence_once_and_one_prompt_each(items):
    sequences = [Encoded(*item) for item in items]
    groups = answer_groups(sequences, hidden_size=1)
    assert sorted(i for g in groups for i in g) == list(range(len(sequences)))
    assert all(len({sequences[i].prompt for i in g}) == 1 for g in groups)


def test_answer_groups_are_as_wide_as_is_cheapest():
    """By brute force over how many answers of 30 tokens go beside a prompt of 100."""
    prompt, answer, hidden = 100, 30, 16
    cost = {k: (prompt + k * answer) * (6 * hidden + prompt + k * answer) / k for k in range(1, 20)}
    sequences = [Encoded((1,) * prompt, (k + 2,) * answer) for k in range(60)]
    sizes = [len(g) for g in answer_groups(sequences, hidden)]
    assert cost[sizes[0]] < 1.02 * min(cost.values())  # whole answers: a bound, so rounded down


def test_hidden_states_of_the_prompt_are_shared():
    model = tiny().double()
    pair = encoded(make(ExplicitRM))[0]
    one = hidden_states(model, pair_rows([pair], 0, shared=True))
    two = hidden_states(model, pair_rows([pair], 0))
    n = len(pair.chosen.prompt)
    torch.testing.assert_close(one[0, :n], two[1, :n])
