"""Execute the chapters side by side, one process a core, into the cache that the build reads.

Jupyter Book executes one chapter after the other. What is in its cache it does not execute again,
and jupyter-cache fills that cache on all cores. A chapter that fails here is left to the build,
which executes it once more and says what is wrong.

    python book/_execute.py
"""

import logging
from pathlib import Path

import yaml
from jupyter_cache import get_cache
from jupyter_cache.executors import load_executor

BOOK = Path(__file__).resolve().parent
READER = {"type": "plugin", "name": "myst_nb_md"}


def main() -> None:
    """Execute every chapter that is not in the cache as it stands."""
    settings = yaml.safe_load((BOOK / "_config.yml").read_text(encoding="utf-8"))["execute"]
    cache = get_cache(BOOK / "_build" / ".jupyter_cache")
    chapters = [path for path in sorted(BOOK.glob("*.md")) if "```{code-cell}" in path.read_text()]
    records = [cache.add_nb_to_project(str(path), read_data=READER) for path in chapters]
    logger = logging.getLogger("execute")
    logger.setLevel(logging.CRITICAL)  # the build says it, with the page
    executor = load_executor("local-parallel", cache, logger)
    print(f"Executing what is new in {len(chapters)} chapters ...", flush=True)
    result = executor.run_and_cache(
        filter_pks=[record.pk for record in records], timeout=settings["timeout"]
    )
    for uri in (*result.excepted, *result.errored):
        print(f"{Path(uri).name} stopped at an error: the build says at which")


if __name__ == "__main__":
    main()
