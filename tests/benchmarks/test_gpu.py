"""``make gpu``: all of it in small, what it leaves when the time is up, and what is counted."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from minirm.experiments.results import load_results
from minirm.pairs import Encoded, EncodedPair

FOLDER = Path(__file__).parent
pytestmark = pytest.mark.filterwarnings("ignore")  # TRL's and transformers' own


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    import gpu

    return gpu


def cut_off(call, file):
    """Kill -9 once the first run is in ``file``; how many runs there are, and their rows."""
    command = [sys.executable, str(FOLDER / "gpu.py"), *call]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as stopped:
        while not file.exists():
            assert stopped.poll() is None
            time.sleep(0.01)
        stopped.send_signal(signal.SIGKILL)
    header, rows = load_results(file)
    assert 1 <= len(header["runs"]) < 8
    return len(header["runs"]), rows


@pytest.mark.slow
def test_a_rehearsal_cut_off_goes_on_does_every_part_and_a_second_one_nothing(
    gpu, tmp_path, capsys
):
    call = ["--rehearse", "--minutes", "60", "--output", str(tmp_path)]
    ended, kept = cut_off(call, tmp_path / "ultrafeedback.json")
    assert gpu.main(call) == 0
    said = capsys.readouterr().out
    assert f"{ended} of 8 runs are in {tmp_path / 'ultrafeedback.json'} already" in said
    rows = load_results(tmp_path / "ultrafeedback.json")[1]
    assert rows[: len(kept)] == kept  # not measured again
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(files) == {part.file for part in gpu.parts(gpu.REHEARSAL)}
    for part in gpu.parts(gpu.REHEARSAL):
        header, rows = load_results(tmp_path / part.file)
        assert len(header["runs"]) == len(part.runs)
        assert len(rows) >= len(part.runs)
        assert header["command"].startswith("python tests/benchmarks/gpu.py --rehearse")
    (*_, last) = said.splitlines()
    assert last.startswith("done: ultrafeedback.json 8 of 8; speed.json 4 of 4; ")
    assert gpu.main(call) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_with_no_time_left_nothing_begins(gpu, tmp_path, capsys):
    assert gpu.main(["--rehearse", "--minutes", "0", "--output", str(tmp_path)]) == 0
    assert list(tmp_path.iterdir()) == []
    assert "done: ultrafeedback.json 0 of 8; speed.json 0 of 4" in capsys.readouterr().out


def test_a_part_that_fails_leaves_the_others_their_turn(gpu, tmp_path, monkeypatch, caplog):
    def parts(scale):
        for name, measure in (("broken", broken), ("whole", lambda run: [{"a": 1}])):
            yield gpu.Part(f"{name}.json", name, measure, [gpu.speed.Run("rehearsal")], 0)

    def broken(run):
        raise torch.cuda.OutOfMemoryError("out of memory")

    monkeypatch.setattr(gpu, "parts", parts)
    with caplog.at_level("INFO", logger="minirm"):
        assert not gpu.run_all(gpu.REHEARSAL, tmp_path, time.monotonic() + 60, "make gpu")
    assert "broken.json: the run" in caplog.text
    assert "done: broken.json 0 of 1; whole.json 1 of 1" in caplog.text
    assert json.loads((tmp_path / "whole.json").read_text())["rows"] == [[1]]


def test_the_whole_of_it_has_the_cells_that_the_chapters_want(gpu):
    runs = {part.file: part.runs for part in gpu.parts(gpu.WHOLE)}
    assert [(r.reward, r.seed) for r in runs["ultrafeedback.json"][:6]] == [
        (reward, seed) for seed in range(3) for reward in ("explicit", "implicit")
    ]
    assert {r.train for r in runs["other-rewards.json"]} == {"ultrafeedback", "rewardmath"}
    cells = {(r.chat, r.lr, r.design, r.reward): 0 for r in runs["persona.json"]}
    for r in runs["persona.json"]:
        cells[r.chat, r.lr, r.design, r.reward] += 1
    assert set(cells.values()) == {5}
    assert {lr for _, lr, _, _ in cells} == {3e-6, 1e-5, 3e-5}
    assert {d for chat, lr, d, _ in cells if chat and lr == 1e-5} == set(gpu.AGREEMENT)
    assert {design for chat, _, design, _ in cells if not chat} == set(gpu.DESIGNS)


@pytest.mark.parametrize("reward", ["explicit", "implicit"])
def test_the_work_that_counts_is_what_a_plain_count_gives(gpu, reward):
    """One pair in the rehearsal's sizes: matrices weight by weight, attention token by token."""
    speed = gpu.speed
    run = speed.Run("rehearsal", reward)
    config = speed.CONFIGS["rehearsal"]
    model = speed._reward(run, torch.device("cpu"))
    pair = EncodedPair(Encoded((1,) * 5, (2,) * 3), Encoded((1,) * 5, (2,) * 4))
    d, kv, inner = 32, 16, 64
    layer = 2 * d * d + 2 * d * kv + (d + 2 * kv) + 3 * d * inner + 2 * d  # biases and norms too
    weights = 2 * layer + d
    seen = 5 * 5 / 2 + 3 * 5 + 3 * 3 / 2 + 4 * 5 + 4 * 4 / 2
    expected = 6 * weights * 12 + 12 * 2 * d * seen
    expected += 6 * d * 128 * 7 if reward == "implicit" else 0
    assert speed.operations(model, config, pair) == pytest.approx(expected)
