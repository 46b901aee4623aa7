"""The benchmark compares like with like: the rivals compute the same loss and rewards."""

import sys
from pathlib import Path

import pytest
import torch

from minirm import ExplicitRM, ImplicitRM

FOLDER = Path(__file__).parent
pytestmark = [
    pytest.mark.needs("trl"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # TRL's and transformers' own
]


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    import bench

    bench.MODELS = {
        k: v | {"num_hidden_layers": 1, "hidden_size": 64, "vocab_size": 500}
        for k, v in bench.MODELS.items()
    }
    return bench


@pytest.mark.parametrize("kind", [ExplicitRM, ImplicitRM])
def test_loss_and_rewards_of_a_batch_are_those_of_trl(bench, kind):
    rm = bench.make_reward(kind, "small")
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in rm.model.parameters():
            weight += 0.05 * torch.randn(weight.shape, generator=draw)
    gaps = bench.rivals.oracle(rm, bench.make_pairs("uniform", 4, 500))
    assert gaps["largest reward"] > 0.1
    assert max(gaps["loss"], gaps["rewards"]) < 1e-4


@pytest.mark.parametrize("case", ["EX uniform, big vocabulary", "IM uniform, big vocabulary"])
def test_every_rival_runs(bench, case):
    figures = bench.run_case(case, rounds=1, share=0.1)
    assert set(figures["times_faster"]) == set(bench.NAMES)
    assert all(v > 0 for v in figures["pairs_per_second"].values())
