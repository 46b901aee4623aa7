"""The three rewards, each against a direct computation, and what all of them promise."""

import copy

import pytest
import torch
from tiny import (
    ARCHITECTURES,
    CONTEXT,
    PAIRS,
    PROMPTS,
    RESPONSES,
    assistant,
    byte_tokenizer,
    perturb,
    qwen_tokenizer,
    same,
    tiny,
    tokenizer,
    user,
    weights,
)
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BertLMHeadModel,
    FalconConfig,
    OPTConfig,
)

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, accuracy
from minirm.batches import pair_rows
from minirm.forward import hidden_states
from minirm.losses import bradley_terry_loss
from minirm.pairs import encode, encode_pairs
from minirm.rewards import QUESTION

KINDS = (ExplicitRM, ImplicitRM, GenerativeRM)


def make(kind, base=None, **options):
    """A reward model whose weights have moved, so that no reward is zero."""
    return perturb_policy(kind(tiny() if base is None else base, tokenizer(), **options))


def perturb_policy(rm):
    perturb(rm.model)
    return rm


def token_ids(prompt, response):
    """What one example reads as, written out: bos, prompt, response, eos."""
    tok = tokenizer()
    ids = [tok(text, add_special_tokens=False)["input_ids"] for text in (prompt, response)]
    return [tok.bos_token_id, *ids[0]], [*ids[1], tok.eos_token_id]


def log_prob(model, prompt, response):
    """ln pi(y|x) from the logits of the whole model, token by token."""
    x, y = token_ids(prompt, response)
    logits = model(input_ids=torch.tensor([x + y])).logits[0]
    return sum(logits[len(x) + k - 1].log_softmax(-1)[token] for k, token in enumerate(y))


# ------------------------------------------------------------------------- against the definition


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@torch.no_grad()
def test_explicit_reward_is_the_head_on_the_last_hidden_state_of_the_last_token(architecture):
    base = tiny(architecture)
    rm = ExplicitRM(base, tokenizer())
    u = rm.model.score.weight[0]
    direct = [
        base(input_ids=torch.tensor([x + y]), output_hidden_states=True)
        .hidden_states[-1][0, -1]
        .dot(u)
        for x, y in map(token_ids, PROMPTS, RESPONSES)
    ]
    torch.testing.assert_close(rm.score(PROMPTS, RESPONSES), torch.stack(direct))


@torch.no_grad()
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_mean_pooling_averages_the_head_over_the_responses_positions(architecture):
    base = tiny(architecture)
    rm = ExplicitRM(base, tokenizer(), pooling="mean")
    direct = []
    for x, y in map(token_ids, PROMPTS, RESPONSES):
        out = base(input_ids=torch.tensor([x + y]), output_hidden_states=True)
        direct.append(out.hidden_states[-1][0, len(x) :].mean(0).dot(rm.model.score.weight[0]))
    torch.testing.assert_close(rm.score(PROMPTS, RESPONSES), torch.stack(direct))


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_features_are_what_the_head_reads(pooling):
    rm = make(ExplicitRM, pooling=pooling)
    features = rm.features(PROMPTS, RESPONSES)
    assert features.shape == (4, 32)
    assert not features.requires_grad
    scores = features @ rm.model.score.weight[0].detach()
    torch.testing.assert_close(scores, rm.score(PROMPTS, RESPONSES))


@torch.no_grad()
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_implicit_reward_is_beta_times_the_log_ratio_to_the_base(architecture):
    base, policy = tiny(architecture), perturb(tiny(architecture))
    rm = ImplicitRM(policy, tokenizer(), beta=0.3, reference=base)
    direct = [
        0.3 * (log_prob(policy, x, y) - log_prob(base, x, y))
        for x, y in zip(PROMPTS, RESPONSES, strict=True)
    ]
    torch.testing.assert_close(rm.score(PROMPTS, RESPONSES), torch.stack(direct))


@torch.no_grad()
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_default_reference_is_the_base_as_handed_over(architecture):
    base = tiny(architecture)
    rm = perturb_policy(ImplicitRM(base, tokenizer(), beta=0.3))
    direct = [
        0.3 * (log_prob(rm.model, x, y) - log_prob(base, x, y))
        for x, y in zip(PROMPTS, RESPONSES, strict=True)
    ]
    torch.testing.assert_close(rm.score(PROMPTS, RESPONSES), torch.stack(direct))


@torch.no_grad()
def test_without_a_reference_the_implicit_reward_is_beta_ln_pi():
    base = tiny()
    rm = ImplicitRM(base, tokenizer(), beta=0.3, reference=None)
    direct = [0.3 * log_prob(base, x, y) for x, y in zip(PROMPTS, RESPONSES, strict=True)]
    torch.testing.assert_close(rm.score(PROMPTS, RESPONSES), torch.stack(direct))


@torch.no_grad()
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_generative_reward_is_the_full_softmax_probability_of_yes_after_the_question(architecture):
    base, tok = tiny(architecture), tokenizer()
    rm = GenerativeRM(base, tok)
    direct = []
    for x, y in zip(PROMPTS, RESPONSES, strict=True):
        asked = f"Question: {x}\nAnswer: {y}\nVerification: Is the answer correct (Yes/No)? "
        ids = [tok.bos_token_id, *tok(asked, add_special_tokens=False)["input_ids"]]
        logits = base(input_ids=torch.tensor([ids])).logits[0, -1]
        direct.append(logits.softmax(-1)[tok.convert_tokens_to_ids("Yes")])
    torch.testing.assert_close(rm.score(PROMPTS, RESPONSES), torch.stack(direct))


def test_generative_loss_is_the_cross_entropy_of_yes_on_chosen_and_no_on_rejected():
    tok, rm = tokenizer(), make(GenerativeRM)
    pairs, _ = encode_pairs(PAIRS, rm.encode)
    losses, rewards = rm(pair_rows(pairs, 0))
    for i, pair in enumerate(pairs):
        each = []
        for side, word in ((pair.chosen, "Yes"), (pair.rejected, "No")):
            logits = rm.model(input_ids=torch.tensor([side.prompt])).logits[0, -1:]
            target = torch.tensor([tok.convert_tokens_to_ids(word)])
            each.append(nn.functional.cross_entropy(logits, target))
        torch.testing.assert_close(losses[i], sum(each) / 2)
    scores = rm.score([p.prompt for p in PAIRS] * 2, [p.chosen for p in PAIRS] + rejected())
    torch.testing.assert_close(rewards.detach(), scores)


def rejected():
    return [p.rejected for p in PAIRS]


@pytest.mark.parametrize("kind", [ExplicitRM, ImplicitRM])
def test_the_loss_of_the_other_two_is_bradley_terry_on_their_rewards(kind):
    rm = make(kind)
    pairs, _ = encode_pairs(PAIRS, rm.encode)
    losses, rewards = rm(pair_rows(pairs, 0))
    prompts = [p.prompt for p in PAIRS]
    chosen = rm.score(prompts, [p.chosen for p in PAIRS])
    torch.testing.assert_close(rewards.detach(), torch.cat([chosen, rm.score(prompts, rejected())]))
    torch.testing.assert_close(
        losses.mean().detach(), bradley_terry_loss(chosen, rm.score(prompts, rejected()))
    )


@torch.no_grad()
def test_soft_capped_logits_are_respected():
    """Gemma 2 bends its logits after the head; the cap here is low enough to matter much."""
    base = tiny("gemma2", final_logit_softcapping=1.0)
    rm = ImplicitRM(base, tokenizer(), beta=1.0, reference=None)
    direct = [log_prob(base, x, y) for x, y in zip(PROMPTS, RESPONSES, strict=True)]
    torch.testing.assert_close(rm.score(PROMPTS, RESPONSES), torch.stack(direct))
    judge = GenerativeRM(base, tokenizer())
    question = torch.tensor([judge.encode(PROMPTS[0], RESPONSES[0]).prompt])
    yes = base(input_ids=question).logits[0, -1].softmax(-1)[judge.yes_id]
    torch.testing.assert_close(judge.score(PROMPTS[:1], RESPONSES[:1])[0], yes)


@torch.no_grad()
def test_a_soft_capped_reference_under_another_policy_is_respected():
    policy, reference = tiny("llama"), tiny("gemma2", final_logit_softcapping=1.0)
    rm = ImplicitRM(policy, tokenizer(), beta=1.0, reference=reference)
    direct = [
        log_prob(policy, x, y) - log_prob(reference, x, y)
        for x, y in zip(PROMPTS, RESPONSES, strict=True)
    ]
    torch.testing.assert_close(rm.score(PROMPTS, RESPONSES), torch.stack(direct))


@torch.no_grad()
def test_token_rewards_name_the_tokens_and_sum_to_the_score():
    rm = make(ImplicitRM, beta=0.3)
    tokens, shares = rm.token_rewards(PROMPTS[0], RESPONSES[0])
    assert "".join(tokens) == RESPONSES[0] + "<eos>"
    torch.testing.assert_close(shares.sum(), rm.score(PROMPTS[:1], RESPONSES[:1])[0])
    assert shares.abs().min() > 0


# ------------------------------------------------------------------------- batching and precision


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_score_does_not_depend_on_its_batch_mates_or_on_padding(architecture, kind):
    rm = make(kind, tiny(architecture), **({"beta": 1.0} if kind is ImplicitRM else {}))
    alone = torch.cat([rm.score([x], [y]) for x, y in zip(PROMPTS, RESPONSES, strict=True)])
    longest = PROMPTS[0] * 9
    assert len(rm.encode(longest, "yes")) > 1.4 * max(map(len, map(rm.encode, PROMPTS, RESPONSES)))
    together = rm.score(PROMPTS, RESPONSES)
    by_two = rm.score(PROMPTS, RESPONSES, batch_size=2)
    wider = rm.score([longest, *PROMPTS], ["yes", *RESPONSES])[1:]
    for batched in (together, by_two, wider):
        torch.testing.assert_close(batched, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_gradient_does_not_depend_on_padding(architecture, kind):
    rm = make(kind, tiny(architecture).double())
    pairs, _ = encode_pairs(PAIRS[:3], rm.encode)

    def gradient(batches, pad):
        rm.zero_grad()
        for batch in batches:
            rm(pair_rows(batch, pad))[0].sum().backward()
        return [w.grad.clone() for w in rm.model.parameters() if w.grad is not None]

    alone = gradient([[pair] for pair in pairs], 0)
    for batched in (gradient([pairs], 0), gradient([pairs], 7)):
        torch.testing.assert_close(batched, alone, atol=1e-12, rtol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_come_back_in_the_order_given(kind):
    rm = make(kind)
    scores = rm.score(PROMPTS, RESPONSES)
    assert len(set(scores.tolist())) == 4
    torch.testing.assert_close(rm.score(PROMPTS[::-1], RESPONSES[::-1]), scores.flip(0))


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_has_no_gradient_and_lies_on_the_cpu(kind):
    scores = make(kind).score(PROMPTS, RESPONSES)
    assert scores.shape == (4,)
    assert not scores.requires_grad
    assert scores.device.type == "cpu"


@pytest.mark.parametrize("kind", KINDS)
def test_float64_stays_float64(kind):
    rm = make(kind, tiny().double())
    assert {w.dtype for w in rm.parameters()} == {torch.float64}
    assert rm.score(PROMPTS, RESPONSES).dtype == torch.float64
    losses, rewards = rm(pair_rows(encode_pairs(PAIRS, rm.encode)[0], 0))
    assert losses.dtype == rewards.dtype == torch.float64


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_weights_give_nearly_the_same_float32_scores(kind):
    full = make(kind, **({"beta": 1.0} if kind is ImplicitRM else {}))
    half = copy.deepcopy(full).bfloat16()
    scores = half.score(PROMPTS, RESPONSES)
    assert scores.dtype == torch.float32
    # Sums over some ten tokens, each rounded to about 0.02 nats.
    torch.testing.assert_close(scores, full.score(PROMPTS, RESPONSES), atol=0.3, rtol=0.05)


@torch.no_grad()
def test_a_mean_over_half_precision_states_is_taken_in_float32():
    rm = make(ExplicitRM, tiny().bfloat16(), pooling="mean")
    sequence = rm.encode(PROMPTS[0], RESPONSES[0])
    states = hidden_states(rm.model, rm.rows([sequence]))[0, len(sequence.prompt) :]
    features = rm.features(PROMPTS[:1], RESPONSES[:1])[0]
    torch.testing.assert_close(features, states.float().mean(0), atol=1e-6, rtol=1e-6)


def test_autocast_does_not_round_explicit_rewards_into_ties():
    """In bfloat16 rewards near 100 are whole multiples of one half."""
    rm = ExplicitRM(tiny(), tokenizer())
    rm.model.score = nn.Linear(32, 1, bias=True)
    nn.init.constant_(rm.model.score.bias, 100.0)
    rows = pair_rows(encode_pairs(PAIRS, rm.encode)[0], 0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rewards = rm.rewards(rows).detach()
    torch.testing.assert_close(rewards, rm.rewards(rows).detach(), atol=0.05, rtol=0)
    assert len(rewards.unique()) == len(rows.input_ids.unique(dim=0))


# ------------------------------------------------------------------------- a fresh implicit reward


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "gemma2"])
def test_a_fresh_implicit_reward_is_exactly_zero_so_accuracy_is_one_half(architecture):
    rm = ImplicitRM(tiny(architecture), tokenizer(), beta=1.0)
    assert rm.score(PROMPTS, RESPONSES).tolist() == [0.0] * 4
    assert accuracy(rm.score(PROMPTS, RESPONSES), rm.score(PROMPTS, RESPONSES[::-1])) == 0.5


def with_dropout(architecture):
    """Dropout in modules (GPT-2, GPT-NeoX, Llama), and in functions with rates of their own."""
    if architecture == "opt":
        sizes = {"hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        sizes |= {"word_embed_proj_dim": 32, "max_position_embeddings": CONTEXT}
        rates = {"dropout": 0.5, "attention_dropout": 0.5}
        config = OPTConfig(vocab_size=len(tokenizer()), init_std=0.2, **sizes, **rates)
        return AutoModelForCausalLM.from_config(config)
    if architecture == "falcon":
        sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
        config = FalconConfig(vocab_size=len(tokenizer()), hidden_dropout=0.5, **sizes)
        return AutoModelForCausalLM.from_config(config)
    rates = {
        "gpt2": {"resid_pdrop": 0.5, "embd_pdrop": 0.5, "attn_pdrop": 0.5},
        "gpt_neox": {"hidden_dropout": 0.5, "attention_dropout": 0.5},
        "llama": {"attention_dropout": 0.5},
    }
    return tiny(architecture, **rates[architecture])


@pytest.mark.parametrize("architecture", ["gpt2", "gpt_neox", "llama", "opt", "falcon"])
def test_dropout_in_the_config_does_not_part_policy_and_reference(architecture):
    base = with_dropout(architecture).train()
    ids = torch.tensor([[1, 5, 6, 7, 8]])
    assert not torch.equal(base(input_ids=ids).logits, base(input_ids=ids).logits)
    rm = ImplicitRM(base, tokenizer(), beta=1.0).train()
    losses, rewards = rm(pair_rows(encode_pairs(PAIRS, rm.encode)[0], 0))
    assert rewards.abs().max() == 0
    torch.testing.assert_close(losses, torch.full((8,), 2.0).log())


@pytest.mark.parametrize("kind", KINDS)
def test_scores_in_training_mode_are_those_in_evaluation_mode(kind):
    rm = make(kind, with_dropout("gpt2"))
    scores = rm.eval().score(PROMPTS, RESPONSES)
    assert torch.equal(rm.train().score(PROMPTS, RESPONSES), scores)


# ------------------------------------------------------------------------- who owns the weights


@pytest.mark.parametrize("kind", KINDS)
def test_the_base_handed_over_is_never_changed(kind):
    base = with_dropout("gpt2").train()
    before, config, tok = weights(base), base.config.to_dict(), copy.deepcopy(tokenizer())
    rm = perturb_policy(kind(base, tok))
    rm.train()
    rm.score(PROMPTS, RESPONSES)
    assert same(weights(base), before)
    assert base.config.to_dict() == config
    assert base.training
    assert [m.p for m in base.modules() if isinstance(m, nn.Dropout)] == [0.5] * 7
    assert all(w.requires_grad for w in base.parameters())
    assert tok.get_vocab() == tokenizer().get_vocab()


@pytest.mark.parametrize("kind", KINDS)
def test_copy_false_works_on_the_base_itself(kind):
    base = tiny()
    rm = kind(base, tokenizer(), copy=False)
    assert rm.model.base_model is base.base_model


def test_copy_false_leaves_the_reference_a_frozen_copy_of_the_start():
    base = tiny()
    before = weights(base)
    rm = perturb_policy(ImplicitRM(base, tokenizer(), beta=1.0, copy=False))
    assert same(weights(rm.reference), before)
    assert not any(w.requires_grad for w in rm.reference.parameters())
    assert rm.score(PROMPTS, RESPONSES).abs().min() > 0


def test_a_reference_handed_over_is_copied_too():
    base, reference = tiny(seed=0), tiny(seed=1)
    rm = ImplicitRM(base, tokenizer(), reference=reference)
    scores = rm.score(PROMPTS, RESPONSES)
    perturb(reference)
    assert torch.equal(rm.score(PROMPTS, RESPONSES), scores)
    assert all(w.requires_grad for w in reference.parameters())


def test_gradients_reach_the_policy_and_never_the_reference():
    rm = make(ImplicitRM)
    rm(pair_rows(encode_pairs(PAIRS, rm.encode)[0], 0))[0].sum().backward()
    assert all(w.grad is not None for w in rm.model.parameters())
    assert all(w.grad is None for w in rm.reference.parameters())


def test_the_head_starts_from_its_seed_with_the_configs_spread():
    heads = [ExplicitRM(tiny(), tokenizer(), seed=s).model.score.weight for s in (0, 0, 1)]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
    large = ExplicitRM(tiny(hidden_size=1024, initializer_range=0.05), tokenizer()).model.score
    assert large.bias is None
    assert large.weight.std().item() == pytest.approx(0.05, rel=0.1)


def test_the_head_leaves_the_global_random_state_alone():
    base = tiny()
    state = torch.get_rng_state()
    ExplicitRM(base, tokenizer())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_classifier_with_one_label_keeps_its_head():
    config = tiny("llama").config
    config.num_labels = 1
    classifier = AutoModelForSequenceClassification.from_config(config)
    rm = ExplicitRM(classifier, tokenizer())
    assert torch.equal(rm.model.score.weight, classifier.score.weight)
    assert rm.model.score.weight is not classifier.score.weight


# ------------------------------------------------------------------------- the judge's question


def question_text(rm, prompt, response):
    return rm.tokenizer.decode(rm.encode(prompt, response).prompt)


def test_the_question_is_one_pass_so_that_a_response_may_speak_of_placeholders():
    rm = GenerativeRM(tiny(), tokenizer())
    asked = question_text(rm, "Use {response}? ", "put {prompt} in")
    assert asked == "<bos>" + QUESTION.replace("{prompt}", "Use {response}? ").replace(
        "Answer: {response}", "Answer: put {prompt} in"
    )


def test_the_question_becomes_a_user_turn_where_there_is_a_chat_template():
    tok = qwen_tokenizer()
    rm = GenerativeRM(tiny(vocab=len(tok)), tok, yes="Y", no="N")
    asked = QUESTION.format(prompt="Q", response="A")
    asked = f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n"
    assert question_text(rm, "Q", "A") == asked
    assert question_text(rm, user("Q"), assistant("A")) == asked


def test_a_question_of_ones_own_may_end_in_the_response():
    """One response is the beginning of the other: their questions must not be taken apart."""
    rm = GenerativeRM(tiny(), tokenizer(), question="{prompt}Is it right to say: {response}")
    row = {"prompt": "Do you? ", "chosen": "yes", "rejected": "yes indeed"}
    pairs, _ = encode_pairs([row], rm.encode)
    _, rewards = rm(pair_rows(pairs, 0))
    scores = rm.score(["Do you? "] * 2, ["yes", "yes indeed"])
    torch.testing.assert_close(rewards.detach(), scores)


def test_yes_must_be_one_token_and_the_error_names_the_pieces():
    with pytest.raises(ValueError, match=r"'Aye' must be one token, .* \['A', 'y', 'e'\]"):
        GenerativeRM(tiny(), tokenizer(), yes="Aye")
    with pytest.raises(ValueError, match=r"'Nay' must be one token"):
        GenerativeRM(tiny(), tokenizer(), no="Nay")


def test_yes_and_no_must_differ():
    with pytest.raises(ValueError, match="'Yes' and 'Yes' as the same token"):
        GenerativeRM(tiny(), tokenizer(), no="Yes")


@pytest.mark.parametrize("question", ["Is {response} right?", "Is it right, {prompt}?"])
def test_a_question_needs_both_placeholders(question):
    with pytest.raises(ValueError, match=r"question needs {prompt} and {response}, got 'Is"):
        GenerativeRM(tiny(), tokenizer(), question=question)


# ------------------------------------------------------------------------- bad input


BAD_CALLS = {
    "a lone prompt": (("Q", ["A"]), TypeError, "prompts must be a list, got the lone string 'Q'"),
    "a lone response": ((["Q"], "A"), TypeError, "responses must be a list, got the lone string"),
    "unequal": ((["Q", "Q"], ["A"]), ValueError, "got 2 prompts and 1 responses"),
    "nothing": (([], []), ValueError, "nothing to score"),
    "empty": ((["Q", "Q"], ["A", ""]), ValueError, "row 1: the response is empty"),
    "None": ((["Q", None], ["A", "A"]), TypeError, "row 1: the prompt must be .* got None"),
    "too long": (
        (["Q", "Q"], ["A", "Q" * CONTEXT]),
        ValueError,
        f"row 1: .* tokens, the model's context is {CONTEXT}",
    ),
    "not text": ((["Q"], ["\ud800"]), (TypeError, ValueError), "row 0: "),
    "mixed": ((["Q"], [assistant("A")]), TypeError, "row 0: .* both be strings or both"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", BAD_CALLS)
def test_what_cannot_be_scored_is_an_error_that_names_the_row(case, kind):
    arguments, error, complaint = BAD_CALLS[case]
    with pytest.raises(error, match=complaint):
        kind(tiny(), tokenizer()).score(*arguments)


@pytest.mark.parametrize("kind", KINDS)
def test_a_response_may_fill_the_context_to_the_last_token(kind):
    rm = kind(tiny(), tokenizer())
    room = CONTEXT - len(rm.encode("Q", "!")) + 1
    assert rm.score(["Q"], ["!" * room]).isfinite().all()
    with pytest.raises(ValueError, match=f"have {CONTEXT + 1} tokens"):
        rm.score(["Q"], ["!" * (room + 1)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_is_not_causal_is_an_error(kind):
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    bert = BertLMHeadModel(BertConfig(vocab_size=len(tokenizer()), intermediate_size=64, **sizes))
    with pytest.raises(ValueError, match="BertLMHeadModel is not causal"):
        kind(bert, tokenizer())


def test_a_reference_that_is_not_causal_is_an_error():
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    bert = BertLMHeadModel(BertConfig(vocab_size=len(tokenizer()), intermediate_size=64, **sizes))
    with pytest.raises(ValueError, match="BertLMHeadModel is not causal"):
        ImplicitRM(tiny(), tokenizer(), reference=bert)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tokenizer_of_another_model_is_an_error(kind):
    with pytest.raises(ValueError, match=f"{len(tokenizer())} tokens, .* embedding 100 rows"):
        kind(tiny(vocab=100), tokenizer())


@pytest.mark.parametrize("kind", [ExplicitRM, ImplicitRM])
def test_a_tokenizer_with_no_eos_is_an_error(kind):
    tok = byte_tokenizer(eos=None, pad="<pad>")
    with pytest.raises(ValueError, match="has no EOS token"):
        kind(tiny(vocab=300), tok).score(["Q"], ["A"])


@pytest.mark.parametrize("beta", [0, -0.1, float("nan")])
def test_beta_must_be_positive(beta):
    with pytest.raises(ValueError, match="beta must be positive"):
        ImplicitRM(tiny(), tokenizer(), beta=beta)


def test_an_unknown_reference_or_pooling_is_an_error():
    with pytest.raises(ValueError, match=r"reference must be .* got 'none'"):
        ImplicitRM(tiny(), tokenizer(), reference="none")
    with pytest.raises(ValueError, match=r"pooling must be .* got 'max'"):
        ExplicitRM(tiny(), tokenizer(), pooling="max")


def test_a_classifier_with_several_labels_is_no_reward():
    config = tiny("llama").config
    config.num_labels = 3
    with pytest.raises(ValueError, match="this head has 3"):
        ExplicitRM(AutoModelForSequenceClassification.from_config(config), tokenizer())


def test_a_scored_text_reads_as_its_encoding_says():
    rm = ExplicitRM(tiny(), tokenizer())
    assert rm.encode(PROMPTS[0], RESPONSES[0]) == encode(tokenizer(), PROMPTS[0], RESPONSES[0])
