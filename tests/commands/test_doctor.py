"""``minirm doctor``: what works here, and what there is to know of a model."""

from pathlib import Path

import pytest
import torch
from calling import call
from tiny import QWEN, THINKING, byte_tokenizer, llama3_tokenizer, qwen_tokenizer, tiny, tokenizer

from minirm import ExplicitRM, ImplicitRM
from minirm.commands import doctor
from minirm.encoding import TextFormat


def test_it_says_what_works(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "load_base", lambda *_: (tiny(), tokenizer()))
    assert call("doctor") == 0
    said = capsys.readouterr().out
    assert f"torch         {torch.__version__}" in said
    assert said.count("  ok    ") == len(doctor.CHECKS)


def test_it_fails_where_something_does_not_work(monkeypatch, capsys):
    def broken(*_):
        raise OSError("the assets are gone\nand more")

    monkeypatch.setattr(doctor, "load_base", broken)
    assert call("doctor") == 1
    out, errors = capsys.readouterr()
    assert "FAILS bundled language models: OSError: the assets are gone\n" in out
    assert "does not work here: bundled language models, train" in errors


# ------------------------------------------------------------------------- of a model


def save(model, words):
    model.save_pretrained("model")
    words.save_pretrained("model")


def examined(capsys, name="model"):
    capsys.readouterr()
    assert call("doctor", name) == 0
    out, errors = capsys.readouterr()
    assert errors == ""
    return {line[:15].strip(): line[16:] for line in out.splitlines()}


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_language_model_is_described(capsys):
    save(tiny(), tokenizer())
    found = examined(capsys)
    size = sum(weight.numel() for weight in tiny().parameters())
    assert found["model"] == "language model, GPTNeoXForCausalLM"
    assert found["weights"] == f"{size:,} in float32"
    assert found["context"] == "128 tokens"
    assert found["chat template"] == "none: give strings, not conversations"
    assert found["shared prompts"] == "answers to one prompt run in one row"
    assert found["bfloat16"].startswith("0.00% of the weights lie half way")


def test_a_bundled_model_has_a_name(capsys):
    assert examined(capsys, "no-facts")["model"] == "language model, GPTNeoXForCausalLM"


def test_rewards_are_described_as_what_they_are(capsys):
    ExplicitRM(tiny("llama"), tokenizer()).save_pretrained("model")
    found = examined(capsys)
    assert found["model"] == "explicit reward, LlamaForSequenceClassification"
    assert found["reads text"] == "strings as they are; one EOS at the end"
    Path("model/minirm.json").unlink()  # as others publish one
    theirs = examined(capsys)
    assert theirs.pop("reads text") == "strings as they are; the end as the template has it"
    assert theirs == {name: line for name, line in found.items() if name != "reads text"}
    ImplicitRM(tiny("llama"), tokenizer()).save_pretrained("implicit")
    assert examined(capsys, "implicit")["model"] == "implicit reward, LlamaForCausalLM"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pad": "<pad>"}, "EOS '</s>', pad '<pad>'"),
        ({"pad": None}, "EOS '</s>'; no pad token (an explicit reward gets one)"),
        ({"pad": "</s>"}, "EOS '</s>' is the pad token too (an explicit reward gets another)"),
        ({"eos": None}, "it has no EOS token, and a response must end in one: set"),
    ],
)
def test_ends_and_paddings_are_told_apart(options, said, capsys):
    words = byte_tokenizer(**options)
    save(tiny(vocab=len(words)), words)
    assert examined(capsys)["end, padding"].startswith(said)


DATED = "{{ strftime_now('%d %b %Y') }}" + QWEN
NO_END = QWEN.replace("<|im_end|>", "")
CUTTING = QWEN.replace("m['content']", "m['content'].split('</think>')[-1]")
RAISING = "{{ raise_exception('no system turn, please') }}"


@pytest.mark.parametrize(
    ("template", "remarks"),
    [
        (QWEN, []),
        (THINKING, []),
        (DATED, ["prints the day's date"]),
        (CUTTING, ["cuts <think>...</think> out of an answer"]),
        (NO_END, ["ends a turn without EOS (one is added)"]),
        (
            "{{ strftime_now('%Y') }}" + CUTTING,
            ["cuts <think>...</think>", "prints the day's date"],
        ),
        (RAISING, ["fails on a question and an answer: ", "no system turn, please"]),
    ],
)
def test_what_a_chat_template_does_is_said(template, remarks, capsys):
    words = qwen_tokenizer(template)
    save(tiny(vocab=len(words)), words)
    said = examined(capsys)["chat template"]
    assert all(remark in said for remark in remarks)
    everything = ("date", "<think>", "without EOS", "fails")
    assert sum(word in said for word in everything) == len(
        remarks[:1] if template == RAISING else remarks
    )


def test_a_template_that_ends_its_turns_in_eos_is_fine(capsys):
    words = llama3_tokenizer()
    save(tiny(vocab=len(words)), words)
    assert examined(capsys)["chat template"] == "there is one"


def test_a_window_keeps_prompts_from_being_shared(capsys):
    save(tiny("mistral"), tokenizer())
    assert examined(capsys)["shared prompts"].startswith("not possible here")


@pytest.mark.parametrize("once", [torch.float16, torch.bfloat16, torch.float32])
def test_weights_that_bfloat16_would_round_either_way_are_warned_of(once, capsys):
    save(tiny().to(once).float(), tokenizer())
    said = examined(capsys)["bfloat16"]
    assert ("train with --precision no (float32)" in said) == (once == torch.float16)


@pytest.mark.parametrize("name", ["./no", "nobody/nothing", "~/no", "a/b/c"])
def test_what_is_not_there_is_one_line(name, capsys):
    assert call("doctor", name) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"minirm: no model {name!r}: ")
    assert said.count("\n") == 1


def test_how_a_saved_model_reads_text_is_said(capsys):
    words = byte_tokenizer(specials=("<|im_start|>",), eos="<|im_end|>", template=DATED)
    how = TextFormat(chat=True, date="2026-02-03")
    ExplicitRM(tiny(vocab=len(words) + 1), words, text_format=how).save_pretrained("model")
    assert examined(capsys)["reads text"] == (
        "strings as turns; one EOS at the end; the day is 2026-02-03"
    )
    how = TextFormat(separator="\n")
    ImplicitRM(tiny(), tokenizer(), text_format=how).save_pretrained("lines")
    said = examined(capsys, "lines")["reads text"]
    assert said.startswith("strings as they are, with '\\n' between them")


@pytest.mark.parametrize("ours", [True, False])
def test_an_eos_is_said_to_be_added_only_where_one_is(ours, capsys):
    bare = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    words = byte_tokenizer(eos="</s>", pad="<pad>", template=bare)
    ExplicitRM(tiny(vocab=len(words)), words).save_pretrained("model")
    if not ours:
        Path("model/minirm.json").unlink()
    said = examined(capsys)["chat template"]
    assert "ends a turn without EOS" in said
    assert ("one is added" in said) == ours
