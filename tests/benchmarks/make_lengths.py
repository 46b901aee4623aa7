"""Write book/results/lengths.json: how long real pairs are, which texts repeat; and no text.

    MINIRM_DATA=folder python tests/benchmarks/make_lengths.py

A row is [prompt, its tokens, chosen, its tokens, rejected, its tokens]; equal numbers are equal
texts. Tokens are counted roughly as a BPE would: words in pieces of four letters, and signs.
"""

import json
import os
import re
from pathlib import Path

FILES = {"rewardmath": "rewardmath_train1000.jsonl", "ultrafeedback": "ultrafeedback_test.jsonl"}


def rows(path: Path) -> list[list[int]]:
    names: dict[str, int] = {}
    table = []
    for line in path.read_text().splitlines():
        pair = json.loads(line)
        row = []
        for field in ("prompt", "chosen", "rejected"):
            text = pair[field]
            row += [names.setdefault(text, len(names)), len(re.findall(r"\w{1,4}|[^\w\s]", text))]
        table.append(row)
    return table


if __name__ == "__main__":
    folder = Path(os.environ["MINIRM_DATA"])
    found = {name: rows(folder / file) for name, file in FILES.items()}
    (Path(__file__).parents[2] / "book/results/lengths.json").write_text(json.dumps(found) + "\n")
