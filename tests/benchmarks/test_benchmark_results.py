"""The results file of the benchmark is whole and of today's cases, and the README quotes it."""

import ast
import json
import re
from pathlib import Path

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
    assert FOUND["rounds"] >= 3  # `--quick` makes one


def test_the_rivals_computed_the_same_thing():
    for gaps in FOUND["oracle"].values():
        assert max(gaps["loss"], gaps["rewards"]) < 1e-4 < gaps["largest reward"]


def test_the_readme_s_table_is_the_file_s():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:EX|IM) .+) \| (.+) \| (.+) \| (.+) \|$", readme, re.MULTILINE)
    columns = ("TRL default", "TRL best", "two rows, bucketed, cached")
    said = {case: numbers for case, *numbers in rows}
    assert said == {c: [f"{m[name]:.1f}" for name in columns] for c, m in MEDIANS.items()}
