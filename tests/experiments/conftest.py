"""What all tests of the experiments share."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tiny import byte_tokenizer, tiny


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As the recorded runs had; another number of threads rounds sums otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


TEMPLATE = (  # as SmolLM2's: a system turn where there is none, and a line break after each end
    "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}<|s|>system\nBe kind."
    "<|e|>\n{% endif %}<|s|>{{ m['role'] }}\n{{ m['content'] }}<|e|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|s|>assistant\n{% endif %}"
)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small Llama in the folder "base" of the test's own, and a Persona file in MINIRM_DATA."""
    monkeypatch.chdir(tmp_path)
    tok = byte_tokenizer(
        specials=("<|s|>",), bos="<|s|>", eos="<|e|>", pad="<|e|>", template=TEMPLATE
    )
    sizes = {"max_position_embeddings": 256, "tie_word_embeddings": True}
    tiny("llama", vocab=len(tok), **sizes).save_pretrained("base")
    tok.save_pretrained("base")
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("MINIRM_DATA", str(tmp_path / "data"))
    rows = ({"question": f"Say {i}?", "answer_matching_behavior": " Yes"} for i in range(120))
    (tmp_path / "data" / "persona.jsonl").write_text("".join(f"{json.dumps(r)}\n" for r in rows))
    return tmp_path / "base"
