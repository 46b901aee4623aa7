"""Presets: plain options of the command, which the call's own options go before."""

import argparse
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from minirm import cli
from minirm.commands import experiment_real, experiment_shifts, presets
from minirm.commands.experiment_runs import some_of
from minirm.experiments.designs import DESIGNS
from minirm.experiments.results import load_results
from minirm.experiments.rungs import ADAPTED

COMMANDS = {
    "real": (experiment_real, presets.REAL),
    "shifts": (experiment_shifts, presets.SHIFTS),
}
EACH = [(command, name) for command, (_, table) in COMMANDS.items() for name in table]
BOOK = Path(__file__).parents[2] / "book"


def filled(command, *words):
    """The options that ``minirm experiment COMMAND WORDS`` runs with."""
    module, table = COMMANDS[command]
    arguments = ["experiment", command, *words]
    options = cli.build_parser().parse_args(arguments)
    options.command_line = "minirm " + shlex.join(arguments)
    return presets.with_preset(options, module.add_options, table)


def settings(options):
    return {k: v for k, v in vars(options).items() if k not in ("preset", "command_line", "run")}


@pytest.mark.parametrize(("command", "name"), EACH)
def test_a_preset_is_the_command_that_is_printed(command, name, capsys):
    options = filled(command, "--preset", name, "--output", "my file.json")
    _, printed = capsys.readouterr().out.splitlines()
    assert printed.strip() == options.command_line
    program, *words = shlex.split(printed)
    assert program == "minirm"
    assert "--preset" not in words
    assert settings(cli.build_parser().parse_args(words)) == settings(options)
    plain = argparse.ArgumentParser()
    COMMANDS[command][0].add_options(plain)
    usual = vars(plain.parse_args([]))
    for option in COMMANDS[command][1][name]:
        place = option.removeprefix("--").replace("-", "_")
        if place not in ("bases", "base", "designs", "rewards"):
            assert getattr(options, place) != usual[place], option  # or it need not stand there
    if options.lora is not None:
        assert set(options.rewards) <= set(ADAPTED)
    if command == "real":
        assert some_of("--designs", options.designs, DESIGNS) == options.designs


@pytest.mark.parametrize("preset", [["--preset", "cpu"], ["--preset=cpu"]])
@pytest.mark.parametrize("first", [True, False])
def test_the_call_s_own_options_win_wherever_they_stand(preset, first, capsys):
    own = ["--epochs", "5", "--precision", "bf16"]  # five are the command's own default
    options = filled("real", *(preset + own if first else own + preset))
    assert (options.epochs, options.precision, options.prompts) == (5, "bf16", 5)
    assert options.command_line.count("--epochs") == 1


@pytest.mark.parametrize(
    ("command", "own", "place", "value"),
    [
        ("real", ["--model", "seed-0", "seed-1"], "bases", ["seed-0", "seed-1"]),
        ("shifts", ["--model", "seed-0"], "base", "seed-0"),
    ],
)
def test_model_is_another_name_for_the_bases_with_a_preset_too(command, own, place, value, capsys):
    assert getattr(cli.build_parser().parse_args(["experiment", command, *own]), place) == value
    options = filled(command, "--preset", "cpu", *own)
    assert getattr(options, place) == value
    words = shlex.split(options.command_line)
    assert "--model" in words
    assert f"--{place}" not in words  # the preset's own gave way
    assert settings(cli.build_parser().parse_args(words[1:])) == settings(options)
    capsys.readouterr()
    with pytest.raises(SystemExit):
        cli.main(["experiment", command, "--help"])
    said = capsys.readouterr().out
    assert f"--{place} NAME" in said
    assert "--model NAME" in said


@pytest.mark.parametrize(
    ("gigabytes", "name"), [(None, "cpu"), (8, "cpu"), (15.8, "16gb"), (40, "16gb"), (80, "80gb")]
)
def test_auto_goes_by_the_device_and_says_so(gigabytes, name, monkeypatch, capsys):
    card = gigabytes and SimpleNamespace(name="a card", total_memory=int(gigabytes * 1e9))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: card is not None)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    options = filled("real", "--preset", "auto")
    assert settings(options) == settings(filled("real", "--preset", name))
    said = capsys.readouterr().out.splitlines()[0]
    assert said.startswith(f"preset {name} (")
    assert ("no GPU was found" if card is None else f"a card with {gigabytes:.0f} GB") in said


def test_a_preset_that_is_none_is_a_bad_call(capsys):
    with pytest.raises(SystemExit):
        cli.main(["experiment", "real", "--preset", "8gb"])
    assert "invalid choice: '8gb'" in capsys.readouterr().err


SMALL = ["--bases", "base", "--data", "persona.jsonl", "--prompts", "1", "--epochs", "1"]
SMALL += ["--batch-size", "80", "--output", "mine.json"]


@pytest.mark.slow
@pytest.mark.needs("matplotlib", "pandas", "seaborn")
def test_the_chapter_s_last_cells_draw_the_reader_s_own_file(base, monkeypatch):
    """The notebook's commands as they stand there, with small sizes; and the cell after them."""
    import matplotlib.pyplot as plt

    text = (BOOK / "real-model.md").read_text(encoding="utf-8")
    line = "# !{sys.executable} -m minirm experiment real --preset auto --output mine.json\n"
    assert line in text
    words = shlex.split(line.removeprefix("# !{sys.executable} -m minirm"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert cli.main([*words, *SMALL]) == 0
    header, rows = load_results("mine.json")
    assert "--preset" not in header["command"]
    assert header["command"].startswith("minirm experiment real --designs paper 'all prefixes' ")
    assert len(rows) == 4
    code = text.partition('mine = "mine.json"')[2].partition("```")[0]
    names = vars(__import__("minirm.figures.real_runs", fromlist=["last_looks"]))
    before = set(plt.get_fignums())
    exec(code, {"mine": "mine.json", "Path": Path, **names})
    drawn = [plt.figure(n) for n in plt.get_fignums() if n not in before]
    assert len(drawn) == 4
    assert all(fig.axes for fig in drawn)
    plt.close("all")


@pytest.mark.slow
def test_rates_and_formats_are_told_apart_in_one_file(base):
    call = ["experiment", "real", *SMALL, "--no-chat", "--lr", "3e-6", "1e-5", "3e-5"]
    assert cli.main([*call, "--designs", "paper", "--rewards", "implicit"]) == 0
    rows = load_results("mine.json")[1]
    assert [(row["lr"], row["chat"]) for row in rows] == [
        (3e-6, False), (1e-5, False), (3e-5, False),
    ]  # fmt: skip
    assert len({str(row["means"]) for row in rows}) == 3


# ----------------------------------------------------------------------------- adapters


def test_what_adapters_cannot_do_is_a_bad_call(capsys):
    call = ["experiment", "real", "--bases", "seed-0", "--no-chat", "--rewards", "generative"]
    assert cli.main([*call, "--lora", "4"]) == 2
    assert "--lora is for the rewards explicit; " in capsys.readouterr().err
