"""A classifier that was published elsewhere scores as transformers, by itself, says."""

import pytest
import torch
from tiny import PAIRS, PROMPTS, RESPONSES, assistant, byte_tokenizer, perturb, tiny, user
from transformers import AutoModelForSequenceClassification, LlamaConfig

from minirm import ExplicitRM, Trainer

# What a template puts after an answer: nothing, EOS, EOS and a newline, or a token of its own.
ENDINGS = {"nothing": "", "eos": "</s>", "eos, newline": "</s>\n", "own": "<|turn|>\n"}
TEMPLATE = (
    "{{% for m in messages %}}<|turn|>{{{{ m['role'] }}}}\n{{{{ m['content'] }}}}{end}"
    "{{% endfor %}}"
    "{{% if add_generation_prompt %}}<|turn|>assistant\n{{% endif %}}"
)
TALKS = [(user(x), assistant(y)) for x, y in zip(PROMPTS, RESPONSES, strict=True)]


def publish(folder, *, end, pad, adds_bos=False):
    """A one-label classifier with a head that was trained, as others save it."""
    tok = byte_tokenizer(
        specials=("<|turn|>",), bos="<s>", eos="</s>", pad=pad, adds_bos=adds_bos,
        template=TEMPLATE.format(end=end),
    )  # fmt: skip
    config = LlamaConfig(**tiny("llama", vocab=len(tok)).config.to_dict())
    config.num_labels, config.pad_token_id = 1, tok.pad_token_id
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    perturb(model, scale=0.3).save_pretrained(folder)
    tok.save_pretrained(folder)
    return model, tok


def card(model, ids):
    """What the model's card would give: one sequence, through transformers alone."""
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0, 0]


@pytest.mark.parametrize("pad", ["</s>", "<pad>", None])
@pytest.mark.parametrize("end", ENDINGS)
def test_conversations_score_as_on_the_card(end, pad, tmp_path):
    model, tok = publish(tmp_path, end=ENDINGS[end], pad=pad)
    rm = ExplicitRM.from_pretrained(tmp_path)
    rendered = [tok.apply_chat_template(x + y, tokenize=False) for x, y in TALKS]
    expected = [card(model, tok(t, add_special_tokens=False)["input_ids"]) for t in rendered]
    scores = rm.score(*zip(*TALKS, strict=True))
    torch.testing.assert_close(scores, torch.stack(expected), atol=1e-5, rtol=1e-5)
    assert (rm.tokenizer.pad_token, len(rm.tokenizer)) == (pad, len(tok))


@pytest.mark.parametrize("pad", ["</s>", "<pad>"])
@pytest.mark.parametrize("adds_bos", [True, False])
def test_strings_score_as_one_text(adds_bos, pad, tmp_path):
    model, tok = publish(tmp_path, end="", pad=pad, adds_bos=adds_bos)
    rm = ExplicitRM.from_pretrained(tmp_path)
    expected = [
        card(model, tok(x + y)["input_ids"]) for x, y in zip(PROMPTS, RESPONSES, strict=True)
    ]
    torch.testing.assert_close(
        rm.score(PROMPTS, RESPONSES), torch.stack(expected), atol=1e-5, rtol=1e-5
    )


def test_trained_on_here_it_keeps_its_way_of_reading(tmp_path):
    publish(tmp_path / "published", end="</s>", pad="</s>")
    rm = ExplicitRM.from_pretrained(tmp_path / "published")
    Trainer(rm, PAIRS, lr=1e-3, epochs=1, batch_size=4, output_dir=tmp_path / "mine").fit()
    again = ExplicitRM.from_pretrained(tmp_path / "mine")
    assert not again.text_format.ends_in_eos
    scores = again.score(*zip(*TALKS, strict=True))
    assert torch.equal(scores, rm.score(*zip(*TALKS, strict=True)))
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "mine").eval()
    tok = again.tokenizer
    rendered = [tok.apply_chat_template(x + y, tokenize=False) for x, y in TALKS]
    expected = [card(model, tok(t, add_special_tokens=False)["input_ids"]) for t in rendered]
    torch.testing.assert_close(scores, torch.stack(expected), atol=1e-5, rtol=1e-5)
