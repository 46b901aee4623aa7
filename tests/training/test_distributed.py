"""Two processes give what one gives: the losses, the weights, the evaluation, the way they stop."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file
from tiny import same
from torch.testing import assert_close

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parent
CASES = ("implicit", "explicit", "micro", "tied")
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")


def launch(folder, *prefix, **more):
    """Run the worker, and return the report of each of its processes."""
    folder.mkdir()
    paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    environment |= {"CUDA_VISIBLE_DEVICES": ""} | more
    run = subprocess.run(
        [sys.executable, *prefix, str(TESTS / "distributed_worker.py"), str(folder)],
        env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-4000:]
    reports = [json.loads(path.read_text()) for path in sorted(folder.glob("report-*.json"))]
    return folder, reports, run.stdout


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return launch(tmp_path_factory.mktemp("one") / "run")


@pytest.fixture(scope="module", params=["DDP", "FSDP2"])
def two(tmp_path_factory, request):
    more = {"ACCELERATE_USE_FSDP": "true"} if request.param == "FSDP2" else {}
    return launch(tmp_path_factory.mktemp("two") / "run", *TORCHRUN, **more)


def close(a, b):
    assert_close(a, b, atol=1e-10, rtol=1e-10)


def test_there_are_two_processes_and_the_model_is_wrapped(one, two, request):
    kinds, layers = {"ExplicitRM", "ImplicitRM", "Failing"}, {"GPTNeoXLayer", "LlamaDecoderLayer"}
    assert [report["world"] for report in one[1]] == [1]
    assert [report["world"] for report in two[1]] == [2, 2]
    assert set(one[1][0]["wrappers"]) == kinds
    wrappers, inner = ({w for r in two[1] for w in r[name]} for name in ("wrappers", "layers"))
    if "FSDP2" in request.node.name:  # every layer is gathered by itself
        assert wrappers == {f"FSDP{kind}" for kind in kinds}
        assert inner == {f"FSDP{layer}" for layer in layers}
    else:
        assert wrappers == {"DistributedDataParallel"}
        assert inner == layers


@pytest.mark.parametrize("case", CASES)
def test_losses_and_final_weights_are_those_of_one_process(case, one, two):
    expected = one[1][0]["histories"][case]
    for rank, report in enumerate(two[1]):
        close(report["histories"][case], expected)
        found = load_file(two[0] / f"{case}-{rank}.safetensors")
        close(found, load_file(one[0] / f"{case}-0.safetensors"))


def test_both_processes_end_in_the_same_bits(two):
    for case in CASES:
        a, b = (load_file(two[0] / f"{case}-{rank}.safetensors") for rank in (0, 1))
        assert same(a, b)


def test_evaluation_counts_each_pair_once_also_where_shares_are_uneven(one, two):
    for report in two[1]:
        for name in ("evaluation", "one pair"):
            close(report[name], one[1][0][name])


def test_a_process_without_a_pair_takes_part_with_nothing(one, two):
    for report in two[1]:
        close(report["lone"], one[1][0]["lone"])


def test_what_is_saved_is_saved_once_and_whole(one, two):
    for folder, reports, _ in (one, two):
        lines = (folder / "implicit" / "history.jsonl").read_text().splitlines()
        assert [json.loads(line) for line in lines] == reports[0]["histories"]["implicit"]
    weights = [load_file(run[0] / "implicit" / "model.safetensors") for run in (one, two)]
    close(*weights)


def test_going_on_works_with_two_processes_too(two):
    for report in two[1]:
        assert report["resumed"] == report["histories"]["explicit"]
    assert two[2].count("going on after step 3 of 6") == 1


def test_a_loss_that_is_nan_on_one_process_stops_both(one, two):
    messages = {report["stopped"] for report in one[1] + two[1]}
    assert all(m.startswith("the loss is nan at step 1, rows [") for m in messages)
    assert len({report["stopped"] for report in two[1]}) == 1
