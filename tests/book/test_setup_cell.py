"""The first cell of a notebook: installs what is missing, and leaves torch as it is."""

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pages import notebooks


@pytest.fixture
def setup_run(monkeypatch, tmp_path):
    """Run the set-up cell where the named modules are missing; what it asked pip for."""

    def run(*missing):
        find, calls = importlib.util.find_spec, []

        def record(command, check):
            held = Path(command[command.index("--constraint") + 1]).read_text()
            calls.append((command, held, check))

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name in missing else find(name)
        )
        monkeypatch.setattr(subprocess, "run", record)
        exec(compile(notebooks.setup_cell(), "set-up", "exec"), {})
        return calls

    monkeypatch.delenv("MINIRM_SOURCE", raising=False)
    return run


def test_set_up_does_nothing_where_all_is_there(setup_run):
    assert setup_run() == []


@pytest.mark.parametrize("missing", ["minirm", "anywidget"])
def test_set_up_holds_torch_and_installs_a_range(setup_run, missing):
    ((command, held, check),) = setup_run(missing)
    assert command[:5] == [sys.executable, "-m", "pip", "install", "--quiet"]
    assert command[-1] == "minirm[notebook]>=0.1,<0.2"
    assert held == f"torch=={importlib.metadata.version('torch')}\n"
    assert check
    assert not {"--upgrade", "-U", "--force-reinstall"} & set(command)


def test_set_up_without_a_torch_leaves_its_choice_to_pip(setup_run):
    ((_, held, _),) = setup_run("minirm", "torch")
    assert held == ""


def test_set_up_takes_a_wheel_beside_it_and_what_it_is_told(setup_run, tmp_path, monkeypatch):
    wheel = tmp_path / "minirm-0.1.0-py3-none-any.whl"
    wheel.touch()
    assert setup_run("minirm")[0][0][-1] == f"{wheel}[notebook]"
    monkeypatch.setenv("MINIRM_SOURCE", "minirm[notebook] @ file:///elsewhere")
    assert setup_run("minirm")[0][0][-1] == "minirm[notebook] @ file:///elsewhere"


def test_set_up_names_the_repository_where_that_has_an_address(monkeypatch):
    address = "https" + "://example.org/a/b"
    settings = {"repository": {"url": address}}
    monkeypatch.setattr(notebooks, "config", lambda: settings)
    assert notebooks.source() == f"minirm[notebook] @ git+{address}"
    assert json.dumps(notebooks.source()) in notebooks.setup_cell()


def test_set_up_asks_colab_for_custom_widgets(setup_run, monkeypatch):
    asked = []
    output = type(sys)("google.colab.output")
    output.enable_custom_widget_manager = lambda: asked.append(True)
    colab = type(sys)("google.colab")
    colab.output = output
    monkeypatch.setitem(sys.modules, "google", type(sys)("google"))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    assert setup_run() == []
    assert asked == [True]


def test_what_notebooks_need_the_book_needs_too():
    extras = notebooks.PROJECT["optional-dependencies"]
    assert set(extras["notebook"]) <= set(extras["book"])
