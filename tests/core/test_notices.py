"""Importing the library says nothing, whatever else is installed."""

import subprocess
import sys


def test_importing_the_library_is_silent():
    done = subprocess.run(
        [sys.executable, "-c", "import minirm"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
