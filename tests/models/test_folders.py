"""A folder holds one model, and what a run starts from is what the folder says."""

import json
import shutil

import pytest
import torch
from tiny import PAIRS, PROMPTS, RESPONSES, byte_tokenizer, perturb, tiny, tokenizer
from transformers import AutoModelForSequenceClassification

from minirm import ExplicitRM, GenerativeRM, ImplicitRM, Trainer, load_base
from minirm.models.saving import REPLACING, saved_kind
from minirm.models.starting import start

KINDS = (ExplicitRM, ImplicitRM, GenerativeRM)
JUDGE = {"yes": "yes", "no": "no"}


def lora():
    from peft import LoraConfig

    return LoraConfig(r=2, target_modules="all-linear")


@pytest.fixture(scope="module")
def base_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    tiny("llama").save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def made(kind, base, *, adapter=False, seed=1):
    options = JUDGE if kind is GenerativeRM else {}
    rm = kind(base, tokenizer(), lora=lora() if adapter else None, **options)
    perturb(rm.model, scale=0.2, seed=seed)
    return rm


@pytest.mark.needs("peft")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first_is_adapter", [True, False])
def test_a_folder_holds_what_was_saved_last_and_nothing_older(
    kind, first_is_adapter, base_folder, tmp_path
):
    base, _ = load_base(base_folder)
    (tmp_path / "notes.txt").write_text("mine")
    older = made(ImplicitRM, base, adapter=first_is_adapter)
    older.save_pretrained(tmp_path)
    newer = made(kind, base, adapter=not first_is_adapter, seed=2)
    newer.save_pretrained(tmp_path)
    again = kind.from_pretrained(tmp_path)
    assert torch.equal(again.score(PROMPTS, RESPONSES), newer.score(PROMPTS, RESPONSES))
    assert not torch.equal(again.score(PROMPTS, RESPONSES), older.score(PROMPTS, RESPONSES))
    newer.save_pretrained(tmp_path / "alone")
    alone = {p.name for p in (tmp_path / "alone").iterdir()}
    assert {p.name for p in tmp_path.iterdir()} == alone | {"notes.txt", "alone"}
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_reference_goes_with_the_model_that_had_it(base_folder, tmp_path):
    base, _ = load_base(base_folder)
    made(ImplicitRM, base).save_pretrained(tmp_path)
    assert (tmp_path / "reference").is_dir()
    made(ExplicitRM, base).save_pretrained(tmp_path)
    assert not (tmp_path / "reference").exists()


@pytest.mark.needs("peft")
@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_does_not_take_the_place_of_its_own_base(kind, base_folder, tmp_path):
    shutil.copytree(base_folder, tmp_path / "base")
    (tmp_path / "link").symlink_to(tmp_path / "base")
    rm = made(kind, load_base(tmp_path / "base")[0], adapter=True)
    for path in (tmp_path / "base", tmp_path / "link"):
        with pytest.raises(ValueError, match="holds the base that the adapter needs"):
            rm.save_pretrained(path)
    load_base(tmp_path / "base")


def test_a_save_that_was_cut_off_is_never_opened_as_half_of_each(base_folder, tmp_path):
    rm = made(ExplicitRM, load_base(base_folder)[0])
    rm.save_pretrained(tmp_path)
    shutil.copytree(tmp_path, tmp_path / REPLACING)
    with pytest.raises(ValueError, match=f"was cut off.*{REPLACING}"):
        ExplicitRM.from_pretrained(tmp_path)
    (tmp_path / "minirm.json").unlink()  # as right in the middle of it
    rm.save_pretrained(tmp_path)  # and the next save puts it right
    ExplicitRM.from_pretrained(tmp_path)


@pytest.mark.needs("peft")
@pytest.mark.parametrize("pad", [None, "</s>"])
@pytest.mark.parametrize("specials", [(), ("<unk>", "<|im_start|>"), ("<|right_pad|>",)])
def test_an_adapter_over_a_base_without_a_pad_or_a_spare_row_opens_again(pad, specials, tmp_path):
    tok = byte_tokenizer(eos="</s>", pad=pad, specials=specials)
    tiny("llama", vocab=len(tok), pad_token_id=None).save_pretrained(tmp_path / "base")
    tok.save_pretrained(tmp_path / "base")
    base, tok = load_base(tmp_path / "base")
    rm = ExplicitRM(base, tok, lora=lora())
    Trainer(rm, PAIRS, lr=1e-2, epochs=2, batch_size=4, output_dir=tmp_path / "rm").fit()
    again = ExplicitRM.from_pretrained(tmp_path / "rm")
    assert torch.equal(again.score(PROMPTS, RESPONSES), rm.score(PROMPTS, RESPONSES))
    assert again.tokenizer.pad_token_id != again.tokenizer.eos_token_id


@pytest.mark.parametrize(
    ("specials", "pad"),
    [(("<|right_pad|>", "<|im_start|>"), "<|right_pad|>"), ((), "<|pad|>")],
)
def test_a_token_that_is_there_already_pads_before_a_new_one_is_made(specials, pad):
    tok = byte_tokenizer(eos="</s>", specials=specials)
    base = tiny("llama", vocab=len(tok), pad_token_id=None)
    rm = ExplicitRM(base, tok)
    assert rm.tokenizer.pad_token == pad
    assert len(rm.tokenizer) == len(tok) + (pad == "<|pad|>")
    assert tok.pad_token is None
    assert len(base.get_input_embeddings().weight) == len(tok)


# --------------------------------------------------------------------- what a run starts from


def test_a_classifier_is_no_language_model(base_folder, tmp_path):
    made(ExplicitRM, load_base(base_folder)[0]).save_pretrained(tmp_path / "saved")
    other = tmp_path / "published"
    shutil.copytree(tmp_path / "saved", other)
    (other / "minirm.json").unlink()
    for folder in (tmp_path / "saved", other):
        with pytest.raises(ValueError, match=r"no whole language model.*lm_head"):
            load_base(folder)
    for folder, kind in ((tmp_path / "saved", "implicit"), (other, "generative")):
        with pytest.raises(ValueError, match=rf"holds an explicit reward.*no {kind} reward"):
            start(folder, kind)


def test_going_on_keeps_the_head_whoever_trained_it(base_folder, tmp_path):
    rm = made(ExplicitRM, load_base(base_folder)[0])
    rm.save_pretrained(tmp_path)
    for _ in range(2):
        found, line = start(tmp_path, "explicit")
        again = ExplicitRM(found.model, found.tokenizer, seed=9, copy=False, **found.settings)
        assert torch.equal(again.model.score.weight, rm.model.score.weight)
        assert "going on" in line
        (tmp_path / "minirm.json").unlink(missing_ok=True)  # now a published classifier


def test_going_on_keeps_the_reference_and_the_settings(base_folder, tmp_path):
    rm = ImplicitRM(load_base(base_folder)[0], tokenizer(), beta=0.7)
    perturb(rm.model, scale=0.2)
    rm.save_pretrained(tmp_path)
    found, _ = start(tmp_path, "implicit")
    again = ImplicitRM(found.model, found.tokenizer, copy=False, **found.settings)
    assert again.beta == 0.7
    assert torch.equal(again.score(PROMPTS, RESPONSES), rm.score(PROMPTS, RESPONSES))


@pytest.mark.needs("peft")
@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_s_training_goes_on(kind, base_folder, tmp_path):
    rm = made(kind, load_base(base_folder)[0], adapter=True)
    rm.save_pretrained(tmp_path)
    found, _ = start(tmp_path, kind.kind)
    again = kind(found.model, found.tokenizer, copy=False, **found.settings)
    before = again.score(PROMPTS, RESPONSES)
    assert torch.equal(before, rm.score(PROMPTS, RESPONSES))
    Trainer(again, PAIRS, lr=1e-2, epochs=1, batch_size=4).fit()
    assert not torch.equal(again.score(PROMPTS, RESPONSES), before)
    frozen = [n for n, w in again.named_parameters() if not w.requires_grad]
    assert any("embed" in name for name in frozen)
    with pytest.raises(ValueError, match="an adapter already"):
        kind(found.model, found.tokenizer, lora=lora(), **found.settings)


@pytest.mark.needs("peft")
def test_an_adapter_is_no_base_and_the_message_says_what_to_do(base_folder, tmp_path):
    made(ImplicitRM, load_base(base_folder)[0], adapter=True).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"holds an adapter.*minirm merge"):
        load_base(tmp_path)
    with pytest.raises(ValueError, match=r"adapter of an implicit reward.*minirm merge"):
        start(tmp_path, "explicit")


def test_an_implicit_reward_s_policy_is_a_language_model(base_folder, tmp_path):
    rm = made(ImplicitRM, load_base(base_folder)[0])
    rm.save_pretrained(tmp_path)
    assert saved_kind(tmp_path) == "implicit"
    found, line = start(tmp_path, "explicit")
    assert "language model" in line
    head = found.model.lm_head.weight
    assert torch.equal(head, rm.model.lm_head.weight)


def test_weights_that_are_missing_are_never_drawn(base_folder, tmp_path):
    model = AutoModelForSequenceClassification.from_pretrained(
        made(ExplicitRM, load_base(base_folder)[0]).save_pretrained(tmp_path / "a")
        or tmp_path / "a"
    )
    model.save_pretrained(tmp_path / "b", state_dict={
        name: value for name, value in model.state_dict().items() if "layers.1" not in name
    } | {"score.weight": model.score.weight})  # fmt: skip
    tokenizer().save_pretrained(tmp_path / "b")
    with pytest.raises(ValueError, match=r"layers\.1.* is missing"):
        ExplicitRM.from_pretrained(tmp_path / "b")
    assert json.loads((tmp_path / "b" / "config.json").read_text())["num_hidden_layers"] == 2


# ------------------------------------------------------------------ what is not a model of ours


def test_what_was_not_written_here_is_never_taken_away(base_folder, tmp_path):
    rm = made(ImplicitRM, load_base(base_folder)[0])
    mine = ["features.safetensors", "tokenizer_notes.md", "vocab.txt", "adapter_notes.txt"]
    for name in mine:
        (tmp_path / name).write_text("mine")
    for kind in (ImplicitRM, ExplicitRM):
        made(kind, load_base(base_folder)[0]).save_pretrained(tmp_path)
    assert [(tmp_path / name).read_text() for name in mine] == ["mine"] * 4
    (tmp_path / "other" / "reference").mkdir(parents=True)
    (tmp_path / "other" / "reference" / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="holds reference, which was not written here"):
        rm.save_pretrained(tmp_path / "other")
    assert (tmp_path / "other" / "reference" / "thesis.txt").read_text() == "mine"
    assert [p.name for p in (tmp_path / "other").iterdir()] == ["reference"]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_somebody_else_s_model_is_not_replaced_and_said_before_training(
    name, base_folder, tmp_path
):
    shutil.copy(base_folder / name, tmp_path)
    before = (tmp_path / name).read_bytes()
    rm = made(ExplicitRM, load_base(base_folder)[0])
    with pytest.raises(FileExistsError, match=f"holds {name}"):
        rm.save_pretrained(tmp_path)
    steps = []
    trainer = Trainer(rm, PAIRS, output_dir=tmp_path, on_evaluate=lambda *a: steps.append(a) or {})
    with pytest.raises(FileExistsError, match=f"holds {name}"):
        trainer.fit()
    assert not steps
    assert (tmp_path / name).read_bytes() == before


@pytest.mark.needs("peft")
def test_a_base_that_needs_a_pad_row_gets_the_same_one_in_every_run(tmp_path):
    tok = byte_tokenizer(eos="</s>")
    tiny("llama", vocab=len(tok), pad_token_id=None).save_pretrained(tmp_path / "base")
    tok.save_pretrained(tmp_path / "base")
    rows = []
    for _ in range(2):
        state = torch.get_rng_state()
        rm = ExplicitRM(*load_base(tmp_path / "base"), lora=lora())
        assert torch.equal(torch.get_rng_state(), state)
        rows.append(rm.model.get_input_embeddings().weight.detach().clone())
        torch.rand(7)
    assert torch.equal(*rows)
    options = {"lr": 1e-2, "epochs": 2, "batch_size": 4, "save_every": 1, "keep": 9}
    whole = ExplicitRM(*load_base(tmp_path / "base"), lora=lora())
    Trainer(whole, PAIRS, **options, output_dir=tmp_path / "rm").fit()
    shutil.rmtree(tmp_path / "rm" / "checkpoints" / "step-00000003")
    resumed = ExplicitRM(*load_base(tmp_path / "base"), lora=lora())
    Trainer(resumed, PAIRS, **options, output_dir=tmp_path / "rm", resume=True).fit()
    assert torch.equal(resumed.score(PROMPTS, RESPONSES), whole.score(PROMPTS, RESPONSES))
