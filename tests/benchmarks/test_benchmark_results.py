"""What is said about speed is what the results file says; a test cannot time it again."""

import ast
import json
import math
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOUND = json.loads((ROOT / "book/results/benchmark.json").read_text())
SOURCE = ast.parse((ROOT / "tests/benchmarks/bench.py").read_text())
RIVALS = ["TRL default", "TRL best", "two rows (paper)", "two rows, bucketed, cached"]
MEDIANS = {
    case: {rival: figures["times_faster"][rival]["median"] for rival in RIVALS}
    for case, figures in FOUND["cases"].items()
}


def test_the_file_is_of_a_whole_run_by_the_benchmark_s_own_command():
    assert FOUND["command"] == "python tests/benchmarks/bench.py --json book/results/benchmark.json"
    cases = next(
        node.value
        for node in SOURCE.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "CASES"
    )
    assert list(FOUND["cases"]) == [key.value for key in cases.keys]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", FOUND["date"])
    assert FOUND["rounds"] >= 3
    assert {"minirm", "torch", "transformers", "trl"} == set(FOUND["versions"])
    assert {"system", "processor", "threads", "device", "time"} == set(FOUND["machine"])


def test_the_rivals_computed_the_same_thing():
    for gaps in FOUND["oracle"].values():
        assert max(gaps["loss"], gaps["rewards"]) < 1e-4 < gaps["largest reward"]


@pytest.mark.parametrize("case", FOUND["cases"])
def test_the_figures_of_a_case_agree_with_each_other(case):
    figures = FOUND["cases"][case]
    ours = figures["pairs_per_second"]["minirm"]
    for rival in RIVALS:
        times = figures["times_faster"][rival]
        assert 1 < times["median"] < math.inf
        assert times["lowest"] <= times["median"] <= times["highest"]
        # A ratio of medians lies between the least and the greatest ratio of a round, or nearly.
        ratio = ours / figures["pairs_per_second"][rival]
        assert 0.8 * times["lowest"] < ratio < 1.25 * times["highest"]


def test_the_readme_s_table_is_the_file_s():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:EX|IM) .+) \| (.+) \| (.+) \| (.+) \|$", readme, re.MULTILINE)
    columns = ("TRL default", "TRL best", "two rows, bucketed, cached")
    said = {case: numbers for case, *numbers in rows}
    assert said == {c: [f"{m[name]:.1f}" for name in columns] for c, m in MEDIANS.items()}


def test_what_the_chapter_says_in_words_is_so():
    defaults = {case: m["TRL default"] for case, m in MEDIANS.items()}
    assert max(defaults, key=defaults.get) == "IM uniform, big vocabulary"
    ragged = defaults["EX ragged, RewardMATH"]
    assert 1.8 < ragged < 2.2  # "about two, short of the aim"
    assert all(1.5 <= m["TRL best"] < 2.6 for m in MEDIANS.values())
    rows = {case: m["two rows, bucketed, cached"] for case, m in MEDIANS.items()}
    assert 1.4 < rows["EX uniform, big vocabulary"] < 1.7
    assert 1.4 < rows["EX uniform, bigger body"] < 1.7
    assert rows["IM uniform, big vocabulary"] < 1.4  # the head is the same work for both
    assert all(1 < value < 1.2 for case, value in rows.items() if "ragged" in case)  # short of 1.3
    peak = {name: memory["training"] for name, memory in FOUND["peak memory MiB"].items()}
    assert all(2 * peak["minirm"] < peak[rival] for rival in RIVALS[:3])
