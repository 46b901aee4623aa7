"""Every notebook executed as a stranger would: a new environment, a wheel, the set-up cell.

A notebook service has a torch of its own. So torch comes first, at the tested version; everything
else is what the first notebook's set-up cell installs, from a wheel of this tree, at the newest
versions that fit. On the CPU, two notebooks at a time; MINIRM_FAST=1 shortens the training.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from .build import NOTEBOOKS, ROOT

KERNEL = "fresh"
SECONDS = 600  # for one cell; the first installs everything


def main() -> None:
    """Execute all of ``book/notebooks``; stop with the cell and its error if one fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        environment = fresh_environment(folder)
        print(f"environment: {time.perf_counter() - start:.0f} s", flush=True)
        first, *rest = sorted(NOTEBOOKS.glob("*.ipynb"))
        before = torch_of(environment)
        execute(first, folder)  # its set-up cell installs everything
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda path: execute(path, folder), rest))
        if torch_of(environment) != before:
            raise SystemExit(f"torch was {before} and is {torch_of(environment)}")
        print(f"{1 + len(rest)} notebooks in {time.perf_counter() - start:.0f} s")


def fresh_environment(folder: Path) -> Path:
    """A Python with torch and a kernel, what a notebook service has; and a wheel of this tree."""
    environment = folder / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin/python"
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    pinned = ["--constraint", ROOT / "constraints.txt"]
    subprocess.run([*pip, "install", *pinned, "torch", "ipykernel"], check=True)
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT], check=True)
    (wheel,) = folder.glob("minirm-*.whl")
    kernel = folder / "kernels" / KERNEL / "kernel.json"
    kernel.parent.mkdir(parents=True)
    variables = {
        "MINIRM_SOURCE": f"{wheel}[notebook]",
        "MINIRM_FAST": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONNOUSERSITE": "1",
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "IPYTHONDIR": str(folder / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    command = [
        str(python),
        "-m",
        "ipykernel_launcher",
        "-f",
        "{connection_file}",
        "--log-level=ERROR",
    ]
    spec = {"argv": command, "display_name": KERNEL, "language": "python", "env": variables}
    kernel.write_text(json.dumps(spec))
    return environment


def execute(path: Path, folder: Path) -> None:
    """Run one notebook from a folder that holds nothing else."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=folder) as here:
        specs = KernelSpecManager(kernel_dirs=[str(folder / "kernels")])
        manager = AsyncKernelManager(kernel_name=KERNEL, kernel_spec_manager=specs)
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(
            notebook, km=manager, timeout=SECONDS, resources={"metadata": {"path": here}}
        )
        client.execute()
    print(f"{path.name}: {time.perf_counter() - start:.0f} s", flush=True)


def torch_of(environment: Path) -> str:
    code = "import importlib.metadata as m; print(m.version('torch'))"
    command = [environment / "bin/python", "-c", code]
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=clean
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
