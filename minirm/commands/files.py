"""What a command writes is never what it reads, and is there whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


def refuse_to_write_over(output: Path | int, inputs: Iterable[Path | int], name: str) -> None:
    """Stop before any work where ``output`` is one of the files that are read.

    Links, hard links and other spellings of a path are seen through: it is the file that counts.

    Args:
        output: a path, or the descriptor of what is open already.
        inputs: paths and descriptors of what is read.
        name: what the message calls ``output``.

    Raises:
        FileExistsError: it is one of them.
    """
    target = _regular(output)
    read = [there for file in inputs if (there := _regular(file))]
    if target and any(os.path.samestat(there, target) for there in read):
        raise FileExistsError(
            f"{name} is a file that is read here, and would be lost: write to another"
        )


def descriptor(stream: Any) -> list[int]:
    """The descriptor of an open stream, in a list; none where there is no file behind it."""
    try:
        return [stream.fileno()]
    except (OSError, AttributeError):  # a notebook's, or a test's
        return []


def _regular(file: Path | int) -> os.stat_result | None:
    try:
        found = os.stat(file)
    except OSError:  # not there, so it is nothing that is read
        return None
    return found if stat.S_ISREG(found.st_mode) else None


@contextmanager
def written_beside(path: Path) -> Iterator[IO[str]]:
    """A text file that becomes ``path`` once all is written, in place of an older one.

    Until then it is called ``NAME.partial`` and lies beside it. After an error it stays, unless it
    is empty, and the error gets a note that says so. Pipes and devices are written as they are.

    Raises:
        IsADirectoryError: ``path`` is a folder.
        FileNotFoundError: its folder is not there.
        FileExistsError: a stopped run left its part there.
    """
    if path.is_dir():
        raise IsADirectoryError(f"--output {path} is a folder: give a file")
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8") as file:
            yield file
        return
    target = path.resolve() if path.is_symlink() else path  # a link stays one
    if not target.parent.is_dir():
        raise FileNotFoundError(f"--output {path}: there is no folder {str(target.parent)!r}")
    partial = target.with_name(target.name + ".partial")
    if partial.exists() and partial.stat().st_size:
        raise FileExistsError(
            f"{partial} holds what a run wrote that was stopped, or still goes on: "
            "move it away or delete it first"
        )
    try:
        with partial.open("w", encoding="utf-8") as file:
            yield file
    except BaseException as error:
        if partial.is_file() and not partial.stat().st_size:
            partial.unlink()
        elif partial.is_file():
            error.add_note(f"what was written until then is in {partial}")
        raise
    if target.exists():
        shutil.copymode(target, partial)
    partial.replace(target)
