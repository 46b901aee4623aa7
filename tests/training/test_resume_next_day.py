"""A run that goes on another day reads its text as it did on the first."""

import datetime
import shutil

from tiny import QWEN, assistant, qwen_tokenizer, same, tiny, user, weights

from minirm import ExplicitRM, PreferencePair, Trainer

DATED = "Today is {{ strftime_now('%d %b %Y') }}.\n" + QWEN
PAIRS = [PreferencePair(user(q), assistant("A"), assistant("B")) for q in "QRST"]


def run(folder, monkeypatch, day, **options):
    class Today(datetime.date):
        @classmethod
        def today(cls):
            return datetime.date.fromisoformat(day)

    monkeypatch.setattr("minirm.encoding.datetime.date", Today)
    tok = qwen_tokenizer(DATED)
    rm = ExplicitRM(tiny(vocab=len(tok) + 1), tok)
    trainer = Trainer(
        rm, PAIRS, batch_size=2, lr=1e-3, output_dir=folder, save_every=1, progress=False, **options
    )
    trainer.fit()
    return rm


def test_a_run_goes_on_the_next_day_and_ends_in_the_same_weights(tmp_path, monkeypatch, capsys):
    whole = run(tmp_path / "whole", monkeypatch, "2026-02-03", epochs=2)
    run(tmp_path / "cut", monkeypatch, "2026-02-03", epochs=2, keep=4)
    shutil.rmtree(tmp_path / "cut" / "checkpoints" / "step-00000003")
    resumed = run(tmp_path / "cut", monkeypatch, "2026-02-04", epochs=2, keep=4, resume=True)
    assert "going on after step 2 of 4" in capsys.readouterr().out
    assert resumed.text_format == whole.text_format
    assert resumed.text_format.date == "2026-02-03"
    assert same(weights(resumed), weights(whole))
