"""The rungs of the ladder: each is the reward that its name says, and moves what it may."""

import pytest
import torch

from minirm import GenerativeRM, ImplicitRM, Trainer, load_base
from minirm.batches import pair_rows
from minirm.encoding import Encoded
from minirm.experiments import persona as experiment
from minirm.experiments import rungs
from minirm.pairs import encode_pairs
from minirm.rewards import QUESTION
from minirm.worlds import persona
from tests.tiny import PAIRS, PROMPTS, byte_tokenizer, perturb, tiny, tokenizer

PROMPT, LONG, SHORT = PROMPTS[0], "In my view, the answer is yes", "nope"
EXPLICIT = [rung for rung in rungs.RUNGS if rung.startswith("explicit")]
IMPLICIT = [rung for rung in rungs.RUNGS if rung.startswith(("implicit", "vector"))]
EOS_APART = {  # what the words count and what the EOS does
    "implicit, softmax on eos alone": ("logit", "logprob"),
    "implicit, softmax on words alone": ("logprob", "logit"),
    "implicit, no eos": ("logprob", "nothing"),
    "implicit, no softmax, no eos": ("logit", "nothing"),
}
BETA, USUAL = 0.01, 7


def make(rung, architecture="gpt_neox", seed=3):
    base = tiny(architecture).double()
    return base, rungs.new_model(rung, base, tokenizer(), seed)


def tokens(response):
    """All ids, and the place of the response's first token."""
    x, y = (tokenizer()(t, add_special_tokens=False)["input_ids"] for t in (PROMPT, response))
    start = 1 + len(x)
    return torch.tensor([[tokenizer().bos_token_id, *x, *y, tokenizer().eos_token_id]]), start


@torch.no_grad()
def token_logits(model, response, *, lowered=0.0):
    """The logit, and ln pi, of each response token: two times [N]."""
    ids, start = tokens(response)
    logits = model(input_ids=ids).logits[0, start - 1 : -1]
    logits[:, tokenizer().eos_token_id] -= lowered
    target = ids[0, start:, None]
    return logits.gather(1, target)[:, 0], logits.log_softmax(-1).gather(1, target)[:, 0]


def explicit_by_hand(rung, base, head, response):
    ids, start = tokens(response)
    with torch.no_grad():
        out = base(input_ids=ids, output_hidden_states=True).hidden_states[-1][0] @ head
    at, before = out[start:], out[start - 1 : -1]
    name = rung.removesuffix(", zero head")
    return {
        "explicit": at[-1],
        "explicit, mean": at.mean(),
        "explicit, sum": at.sum(),
        "explicit, states before": before.sum(),
    }[name]


def implicit_by_hand(rung, policy, base, response):
    (logits, ours), (start, reference) = (token_logits(m, response) for m in (policy, base))
    if rung == "vector a token":
        return BETA * logits.sum()
    if rung == "implicit, no softmax":
        return BETA * (logits - start).sum()
    if rung == "implicit, no reference":
        return BETA * ours.sum()
    if rung == "implicit, per token":
        return BETA * USUAL * (ours - reference).mean()
    if rung == "implicit, eos lowered":
        ours, reference = (token_logits(m, response, lowered=8)[1] for m in (policy, base))
    if rung in EOS_APART:
        terms = {"logit": logits - start, "logprob": ours - reference, "nothing": 0 * ours}
        words, eos = EOS_APART[rung]
        return BETA * (terms[words][:-1].sum() + terms[eos][-1])
    return BETA * (ours - reference).sum()


@pytest.mark.parametrize("rung", EXPLICIT)
def test_an_explicit_rung_is_what_its_formula_says(rung):
    base, model = make(rung)
    head = model.model.score.weight.detach()[0]
    assert (head == 0).all() == rung.endswith("zero head")
    head = head if head.any() else perturb(model.model.score).weight.detach()[0]
    found = model.score([PROMPT] * 2, [LONG, SHORT])
    expected = [explicit_by_hand(rung, base, head, y) for y in (LONG, SHORT)]
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-9, rtol=0)


@pytest.mark.parametrize("architecture", ["gpt_neox", "gpt2"])
@pytest.mark.parametrize("rung", IMPLICIT)
def test_an_implicit_rung_is_what_its_formula_says(rung, architecture):
    base, model = make(rung, architecture)
    perturb(model.model)
    found = model.score([PROMPT] * 2, [LONG, SHORT])
    expected = [implicit_by_hand(rung, model.model, base, y) for y in (LONG, SHORT)]
    assert found.abs().min() > 1e-6
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-9, rtol=0)


@torch.no_grad()
def test_the_generative_rung_asks_the_small_world_in_its_own_words():
    base, model = make("generative")
    assert isinstance(model, GenerativeRM)
    asked = tokenizer()(f"{PROMPT}{LONG}<eos>Do I agree? ")["input_ids"]
    (yes,) = tokenizer()("Yes", add_special_tokens=False)["input_ids"]
    expected = base(input_ids=torch.tensor([asked])).logits[0, -1].softmax(-1)[yes]
    found = model.score([PROMPT], [LONG])[0]
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


def test_the_generative_rung_asks_another_model_as_the_paper_does():
    other = byte_tokenizer(specials=("Yes", "No"))
    model = rungs.new_model("generative", tiny(vocab=len(other)), other, 0)
    assert isinstance(model, GenerativeRM)
    assert model.question == QUESTION


def part(name):
    """Which part of the network a weight of this name belongs to."""
    names = {"lm_head": "unembedding", "embed_out": "unembedding", "embed_in": "embedding"}
    names["score"] = "head"
    return next((whole for piece, whole in names.items() if piece in name), "trunk")


MOVES = {
    "implicit, unembedding frozen": {"trunk", "embedding"},
    "implicit, trunk frozen": {"embedding", "unembedding"},
    "implicit, unembedding alone": {"unembedding"},
    "explicit, zero head": {"head"},  # in the first step: <0, h> says nothing about h
    "explicit, mean, zero head": {"head"},
    **{rung: {"trunk", "embedding", "head"} for rung in EXPLICIT if "zero" not in rung},
}


@pytest.mark.parametrize("rung", rungs.RUNGS)
def test_gradients_reach_what_may_move_and_nothing_else(rung):
    _, model = make(rung)
    encoded, _ = encode_pairs(PAIRS, model.encode)
    losses, _ = model(pair_rows(encoded, model.pad_token_id))
    losses.mean().backward()
    moved = {
        part(name)
        for name, weight in model.named_parameters()
        if weight.grad is not None and weight.grad.abs().max() > 0
    }
    assert moved == MOVES.get(rung, {"trunk", "embedding", "unembedding"})


def test_a_frozen_part_of_a_tied_model_is_untied_first():
    base, model = make("implicit, unembedding frozen", "gpt2")
    assert base.lm_head.weight is base.transformer.wte.weight
    assert not model.model.lm_head.weight.requires_grad
    assert model.model.transformer.wte.weight.requires_grad
    assert model.score([PROMPT], [LONG]).item() == 0


def test_the_four_ways_to_read_states_differ_where_they_must():
    models = {rung: make(f"explicit, {rung}")[1] for rung in ("mean", "sum", "states before")} | {
        "last": make("explicit")[1]
    }  # one seed, so one head
    whole = models["last"].encode(PROMPT, LONG)
    other_end = Encoded(whole.prompt, (*whole.response[:-1], whole.response[0]))
    rewards = {name: m.score_encoded([whole, other_end]) for name, m in models.items()}
    length = len(whole.response)
    torch.testing.assert_close(rewards["sum"], length * rewards["mean"], atol=1e-9, rtol=0)
    assert len({round(r[0].item(), 9) for r in rewards.values()}) == 4
    for name, reward in rewards.items():  # what is read before its token never sees the last one
        assert (abs(reward[0] - reward[1]) < 1e-12) == (name == "states before")


def test_a_vector_a_token_couples_equal_tokens_only():
    """<grad_U r(y), grad_U r(y')> = beta^2 sum over equal tokens of <h, h'>: rho is 0 or 1."""
    base, model = make("vector a token")
    gradients, states, ids = [], [], []
    for response in (LONG, "My answer is of course"):
        rows = model.rows([model.encode(PROMPT, response)])
        weight = model.model.get_output_embeddings().weight
        gradients.append(torch.autograd.grad(model.rewards(rows).sum(), weight)[0])
        sequence, start = tokens(response)
        with torch.no_grad():
            out = base(input_ids=sequence, output_hidden_states=True).hidden_states[-1][0]
        states.append(out[start - 1 : -1])
        ids.append(sequence[0, start:])
    equal = (ids[0][:, None] == ids[1]).double()
    assert 0 < equal.sum() < equal.numel()
    expected = BETA**2 * (equal * (states[0] @ states[1].T)).sum()
    torch.testing.assert_close((gradients[0] * gradients[1]).sum(), expected, atol=1e-9, rtol=0)


def test_what_words_count_and_what_the_eos_counts_add_up():
    """So the two crossed rewards are, together, the implicit one and the one without softmax."""
    reward = {}
    for rung in ("implicit", "implicit, no softmax", *EOS_APART):
        _, model = make(rung)
        perturb(model.model)
        reward[rung] = model.score([PROMPT] * 2, [LONG, SHORT])
    both, neither = reward["implicit"], reward["implicit, no softmax"]
    on_eos, on_words, softmax_words, raw_words = (reward[rung] for rung in EOS_APART)
    for one, other in (
        (on_eos + on_words, both + neither),
        (both - softmax_words, on_eos - raw_words),  # ln pi of the EOS, less that at the start
        (neither - raw_words, on_words - softmax_words),  # its logit, less that at the start
    ):
        assert one.abs().min() > 1e-6
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


def test_per_token_has_the_implicit_scale_at_the_usual_length():
    assert rungs.usual_length(tokenizer()) == USUAL
    for response, length in (("A truthful reply is yes", 6), ("My judgement: no", 5)):
        plain, mean = make("implicit")[1], make("implicit, per token")[1]
        for model in (plain, mean):
            perturb(model.model)
        ratio = mean.score([PROMPT], [response]) / plain.score([PROMPT], [response])
        assert ratio.item() == pytest.approx(USUAL / length)


def test_the_base_stays_as_it_was_and_only_a_head_depends_on_the_seed():
    base = tiny()
    before = {k: v.clone() for k, v in base.state_dict().items()}
    for rung in rungs.RUNGS:
        one, two = (rungs.new_model(rung, base, tokenizer(), seed) for seed in (0, 1))
        perturb(one.model)
        differ = {
            part(k)
            for (k, a), b in zip(
                rungs.new_model(rung, base, tokenizer(), 0).state_dict().items(),
                two.state_dict().values(),
                strict=True,
            )
            if not torch.equal(a, b)
        }
        random_head = rung in EXPLICIT and not rung.endswith("zero head")
        assert differ == ({"head"} if random_head else set())
    assert all(torch.equal(before[k], v) for k, v in base.state_dict().items())
    assert all(weight.requires_grad for weight in base.parameters())


def test_an_unknown_rung_is_refused():
    with pytest.raises(KeyError, match="explicit, first"):
        rungs.new_model("explicit, first", tiny(), tokenizer(), 0)


def test_a_rung_is_no_model_of_the_library_once_it_is_saved(tmp_path):
    make("implicit, per token")[1].save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="another kind of reward"):
        ImplicitRM.from_pretrained(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("rung", rungs.LEARNING_RATE)
def test_a_rate_of_its_own_is_the_one_that_fits_as_implicit_does(rung):
    """Of three rates, by the loss on the training pairs of one base and one seed."""

    def loss(name, lr):
        run = experiment.Run()
        pairs = persona.training_pairs(persona.world_questions(0).train, 0)
        model = rungs.new_model(name, *load_base("seed-0"), 0)
        Trainer(
            model, pairs, lr=lr, epochs=run.epochs, batch_size=run.batch_size, progress=False
        ).fit()
        chosen, rejected = (
            model.score([p.prompt for p in pairs], [getattr(p, side) for p in pairs])
            for side in ("chosen", "rejected")
        )
        assert (chosen > rejected).all()
        return torch.nn.functional.softplus(rejected - chosen).mean().item()

    wanted = loss("implicit", experiment.Run.lr)
    losses = {lr: loss(rung, lr) for lr in (3e-5, 1e-4, 3e-4)}
    assert min(losses, key=lambda lr: abs(losses[lr] - wanted)) == rungs.learning_rate(rung)
