"""A folder to work in, as the tests of most commands need one."""

import pytest
from calling import ROWS, write_rows
from tiny import tiny, tokenizer

from minirm import ExplicitRM


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, with a base model, pairs, and a trained explicit reward model."""
    monkeypatch.chdir(tmp_path)
    tiny().save_pretrained("base")
    tokenizer().save_pretrained("base")
    write_rows("pairs.jsonl", ROWS)
    ExplicitRM(tiny(), tokenizer()).save_pretrained("rm")
    return tmp_path
