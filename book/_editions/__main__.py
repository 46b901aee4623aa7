"""``python -m _editions COMMAND``, from the folder ``book``; `make help` says what there is."""

from __future__ import annotations

import sys

from . import build, check

COMMANDS = {
    "notebooks": build.write_notebooks,
    "student": build.write_student,
    "teacher": build.write_teacher,
    "check": check.main,
}

if __name__ == "__main__":
    for command in sys.argv[1:]:
        COMMANDS[command]()
