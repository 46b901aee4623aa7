"""Print, as pip constraints, the lowest version of everything that pyproject.toml asks for.

python tests/lowest_versions.py test lora > lowest.txt    # what is required, and these extras

torch is held at the version of constraints.txt: an older one may have no build for this Python, and
replacing it would fetch gigabytes.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent


def pins(extras: Iterable[str]) -> list[str]:
    """``name==version`` for each requirement; ValueError where a range has not one lower end."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return [_pin(Requirement(line)) for line in lines]


def _pin(requirement: Requirement) -> str:
    if requirement.name == "torch":
        return re.search(r"^torch==\S+", (ROOT / "constraints.txt").read_text("utf-8"), re.M)[0]
    lower = [s.version for s in requirement.specifier if s.operator == ">="]
    if len(lower) != 1:
        raise ValueError(f"expected one >= in {str(requirement)!r}, got {len(lower)}")
    return f"{requirement.name}=={lower[0]}"


if __name__ == "__main__":
    print("\n".join(pins(sys.argv[1:])))
