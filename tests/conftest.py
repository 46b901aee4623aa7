"""What the tests share: things that may be missing, the data folder, and no network.

A test that needs something optional says so::

    @pytest.mark.needs("peft", "chromium")
    def test_...(chromium, data_dir): ...

On a user's machine it then skips and says what is missing. With ``CI=true`` every skip is a
failure, whoever asked for it, except for what a checkout cannot bring: a GPU (tests marked ``gpu``)
and the folder of real data, where MINIRM_DATA is not set at all.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from needs import BROWSERS, NO_DATA, require

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("MPLBACKEND", "agg")

IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real preference data that MINIRM_DATA names."""
    require("data")
    return Path(os.environ["MINIRM_DATA"])


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a headless-capable browser."""
    require("chromium")
    return next(path for browser in BROWSERS if (path := shutil.which(browser)))


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            require(name)
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    report = yield
    if not (hasattr(report, "wasxfail") or item.get_closest_marker("gpu")):
        _no_skip_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    report = yield
    _no_skip_in_ci(report)
    return report


def _no_skip_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    if IN_CI and report.skipped:
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        if NO_DATA in str(reason):
            return
        report.outcome = "failed"
        report.longrepr = f"skipping is failing where CI is set. {reason}"
