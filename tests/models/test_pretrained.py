"""Folders on disk, Hugging Face's forms, and where a base comes from."""

import json
import os

import pytest
import torch
from tiny import (
    ARCHITECTURES,
    PROMPTS,
    RESPONSES,
    byte_tokenizer,
    perturb,
    tiny,
    tokenizer,
    weights,
)
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    T5Config,
    T5ForConditionalGeneration,
)

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, load_base
from minirm.models.saving import saved_kind

KINDS = (ExplicitRM, ImplicitRM, GenerativeRM)


def trained(kind, base=None, tok=None, **options):
    """A reward model whose weights differ from its base's."""
    rm = kind(tiny() if base is None else base, tok or tokenizer(), **options)
    perturb(rm.model)
    return rm


def files(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


# ------------------------------------------------------------------------- there and back


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_was_saved_scores_the_same_bit_for_bit(architecture, kind, tmp_path):
    rm = trained(kind, tiny(architecture))
    rm.save_pretrained(tmp_path)
    again = kind.from_pretrained(tmp_path)
    assert torch.equal(again.score(PROMPTS, RESPONSES), rm.score(PROMPTS, RESPONSES))
    assert saved_kind(tmp_path) == rm.kind


OPTIONS = {
    "mean pooling": (ExplicitRM, {"pooling": "mean"}),
    "beta": (ImplicitRM, {"beta": 0.7}),
    "no reference": (ImplicitRM, {"reference": None}),
    "question": (GenerativeRM, {"question": "{prompt}{response}? ", "yes": "yes", "no": "no"}),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_settings_are_saved_with_the_weights(case, tmp_path):
    kind, options = OPTIONS[case]
    rm = trained(kind, **options)
    rm.save_pretrained(str(tmp_path))
    again = kind.from_pretrained(str(tmp_path))
    assert again.settings() == rm.settings()
    assert torch.equal(again.score(PROMPTS, RESPONSES), rm.score(PROMPTS, RESPONSES))


def test_a_reference_of_its_own_is_saved_and_comes_back_frozen(tmp_path):
    rm = trained(ImplicitRM, reference=tiny(seed=5))
    rm.save_pretrained(tmp_path)
    again = ImplicitRM.from_pretrained(tmp_path)
    assert torch.equal(again.score(PROMPTS, RESPONSES), rm.score(PROMPTS, RESPONSES))
    assert not any(w.requires_grad for w in again.reference.parameters())
    assert all(w.requires_grad for w in again.model.parameters())


def test_a_reference_left_by_an_earlier_model_in_the_folder_is_not_picked_up(tmp_path):
    trained(ImplicitRM).save_pretrained(tmp_path)
    rm = trained(ImplicitRM, reference=None)
    rm.save_pretrained(tmp_path)
    again = ImplicitRM.from_pretrained(tmp_path)
    assert again.reference is None
    assert torch.equal(again.score(PROMPTS, RESPONSES), rm.score(PROMPTS, RESPONSES))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_weights_keep_their_dtype(dtype, kind, tmp_path):
    rm = trained(kind, tiny().to(dtype))
    rm.save_pretrained(tmp_path)
    again = kind.from_pretrained(tmp_path)
    assert {w.dtype for w in again.parameters()} == {dtype}
    assert torch.equal(again.score(PROMPTS, RESPONSES), rm.score(PROMPTS, RESPONSES))


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_holds_safetensors_and_json_only(kind, tmp_path):
    trained(kind).save_pretrained(tmp_path)
    assert {os.path.splitext(name)[1] for name in files(tmp_path)} <= {".safetensors", ".json"}
    assert "model.safetensors" in files(tmp_path)


def test_the_tokenizer_comes_back_with_the_model(tmp_path):
    trained(ImplicitRM).save_pretrained(tmp_path)
    again = ImplicitRM.from_pretrained(tmp_path)
    text = 'Anything: "naïve" 12 €'
    assert again.encode(text, text) == ImplicitRM(tiny(), tokenizer()).encode(text, text)


# ------------------------------------------------------------------------- in Hugging Face's hands


def classifier_scores(folder, rm):
    """Scores of a padded batch from ``AutoModelForSequenceClassification`` alone."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tok = AutoTokenizer.from_pretrained(folder)
    encoded = [rm.encode(x, y) for x, y in zip(PROMPTS, RESPONSES, strict=True)]
    batch = tok.pad(
        {"input_ids": [list(e.prompt + e.response) for e in encoded]}, return_tensors="pt"
    )
    assert len({len(e) for e in encoded}) > 1
    with torch.no_grad():
        return model(**batch).logits[:, 0]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_explicit_rm_opens_as_a_classifier_with_the_same_scores(architecture, tmp_path):
    rm = trained(ExplicitRM, tiny(architecture))
    rm.save_pretrained(tmp_path)
    torch.testing.assert_close(
        classifier_scores(tmp_path, rm), rm.score(PROMPTS, RESPONSES), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("pad", [None, "</s>"])
@pytest.mark.parametrize("spare_rows", [0, 40])
def test_also_where_the_pad_is_the_eos_or_missing(spare_rows, pad, tmp_path):
    tok = byte_tokenizer(eos="</s>", pad=pad)
    base = tiny(vocab=len(tok) + spare_rows, pad_token_id=None)
    rm = trained(ExplicitRM, base, tok)
    rm.save_pretrained(tmp_path)
    assert rm.tokenizer.pad_token_id != rm.tokenizer.eos_token_id
    torch.testing.assert_close(
        classifier_scores(tmp_path, rm), rm.score(PROMPTS, RESPONSES), atol=1e-5, rtol=1e-5
    )
    again = ExplicitRM.from_pretrained(tmp_path)
    assert torch.equal(again.score(PROMPTS, RESPONSES), rm.score(PROMPTS, RESPONSES))


def test_the_tokenizer_handed_over_keeps_its_pad():
    tok = byte_tokenizer(eos="</s>", pad="</s>")
    ExplicitRM(tiny(vocab=300), tok)
    assert (tok.pad_token, len(tok)) == ("</s>", 257)


@pytest.mark.parametrize(("rows", "after"), [(257, 258), (258, 258), (300, 300)])
def test_a_pad_of_its_own_takes_a_spare_row_and_never_shrinks_the_embedding(rows, after):
    rm = ExplicitRM(tiny(vocab=rows), byte_tokenizer(eos="</s>"))
    assert rm.tokenizer.pad_token_id == 257
    assert rm.model.get_input_embeddings().num_embeddings == after
    assert rm.model.config.vocab_size == after
    assert rm.score(PROMPTS, RESPONSES).isfinite().all()


def test_the_other_two_pad_with_eos_and_leave_the_vocabulary_alone():
    tok = byte_tokenizer(eos="</s>")
    rm = trained(ImplicitRM, tiny(vocab=257), tok, beta=1.0)
    assert rm.tokenizer is tok
    assert rm.model.get_input_embeddings().num_embeddings == 257
    alone = [rm.score([x], [y]) for x, y in zip(PROMPTS, RESPONSES, strict=True)]
    torch.testing.assert_close(rm.score(PROMPTS, RESPONSES), torch.cat(alone), atol=1e-5, rtol=0)


def test_any_classifier_with_one_label_opens_as_an_explicit_rm(tmp_path):
    config = tiny("llama").config
    config.num_labels = 1
    classifier = AutoModelForSequenceClassification.from_config(config)
    classifier.save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    rm = ExplicitRM.from_pretrained(tmp_path)
    assert torch.equal(rm.model.score.weight, classifier.score.weight)
    torch.testing.assert_close(
        classifier_scores(tmp_path, rm), rm.score(PROMPTS, RESPONSES), atol=1e-5, rtol=1e-5
    )


# ------------------------------------------------------------------------- what cannot be opened


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("as_text", [True, False])
def test_a_path_that_is_not_there_is_an_error(kind, as_text, tmp_path):
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError, match=r"there is no folder '.*missing'"):
        kind.from_pretrained(str(missing) if as_text else missing)


@pytest.mark.parametrize("saved", KINDS)
@pytest.mark.parametrize("opened", KINDS)
def test_a_folder_of_another_kind_is_an_error(saved, opened, tmp_path):
    if saved is opened:
        return
    trained(saved).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=rf"\({saved.kind}\) than {opened.__name__} opens"):
        opened.from_pretrained(tmp_path)


def save_base(folder, model=None, tok=None):
    (model or tiny()).save_pretrained(folder)
    (tok or tokenizer()).save_pretrained(folder)
    return folder


def test_a_base_opened_as_an_explicit_rm_is_an_error_not_a_random_head(tmp_path):
    with pytest.raises(ValueError, match="holds no reward head"):
        ExplicitRM.from_pretrained(save_base(tmp_path))


@pytest.mark.parametrize("kind", [ImplicitRM, GenerativeRM])
def test_a_folder_without_settings_is_an_error(kind, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"has no minirm.json.*{kind.__name__}"):
        kind.from_pretrained(save_base(tmp_path))


def test_a_saved_head_is_not_drawn_again(tmp_path):
    rm = trained(ExplicitRM)
    rm.save_pretrained(tmp_path)
    assert torch.equal(
        ExplicitRM.from_pretrained(tmp_path).model.score.weight, rm.model.score.weight
    )
    assert json.loads((tmp_path / "minirm.json").read_text())["pooling"] == "last"


# ------------------------------------------------------------------------- bases


def test_a_base_comes_from_a_folder_in_float32_and_evaluation_mode(tmp_path):
    base = tiny("llama")
    save_base(tmp_path, base)
    for name in (tmp_path, str(tmp_path)):
        model, tok = load_base(name)
        assert torch.equal(model.lm_head.weight, base.lm_head.weight)
        assert tok.get_vocab() == tokenizer().get_vocab()
        assert not model.training
    half = save_base(tmp_path / "half", tiny().bfloat16())
    assert {w.dtype for w in load_base(half)[0].parameters()} == {torch.float32}
    assert load_base(half, dtype=torch.bfloat16)[0].dtype == torch.bfloat16


@pytest.mark.parametrize("name", ["./missing", "/missing/model", "~/missing", "a/b/c"])
def test_a_base_that_is_not_there_is_an_error_that_lists_the_bundled_ones(name):
    with pytest.raises(FileNotFoundError, match=rf"no folder '{name}'; a model by name .*no-facts"):
        load_base(name)


def test_a_folder_without_a_model_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"holds no model: it has no config.json"):
        load_base(tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_a_folder_whose_model_is_not_causal_is_an_error(tmp_path):
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    bert = BertForMaskedLM(BertConfig(vocab_size=500, intermediate_size=64, **sizes))
    with pytest.raises(ValueError, match="is not causal"):
        load_base(save_base(tmp_path / "bert", bert))
    t5 = T5ForConditionalGeneration(
        T5Config(vocab_size=500, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4)
    )
    with pytest.raises(ValueError, match="T5Config"):
        load_base(save_base(tmp_path / "t5", t5))


def test_saving_changes_no_weight(tmp_path):
    rm = trained(ImplicitRM, tiny("gpt2"))
    before = weights(rm)
    rm.save_pretrained(tmp_path)
    assert all(torch.equal(value, before[name]) for name, value in weights(rm).items())
