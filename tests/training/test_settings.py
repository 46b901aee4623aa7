"""Each setting is written once: what is read off it, and what it refuses."""

import inspect
import json
import math
from dataclasses import fields

import numpy as np
import pytest
from tiny import PAIRS, tiny, tokenizer
from transformers import SchedulerType

from minirm import ExplicitRM, Trainer, cli
from minirm.commands.train import _settings
from minirm.training.schedules import SCHEDULES
from minirm.training.settings import Settings, flag

NAMES = [each.name for each in fields(Settings)]


def trainer(**options):
    return Trainer(ExplicitRM(tiny(), tokenizer()), PAIRS, **options)


def test_the_signature_of_the_trainer_shows_every_setting_with_its_default():
    parameters = inspect.signature(Trainer).parameters
    assert [*parameters] == ["model", "train_pairs", "eval_sets", "on_evaluate", "settings", *NAMES]
    for each in fields(Settings):
        assert parameters[each.name].default == each.default
        assert parameters[each.name].kind is inspect.Parameter.KEYWORD_ONLY


def test_the_documentation_lists_every_setting_on_a_line_of_its_own():
    lines = inspect.getdoc(Trainer).splitlines()
    documented = [line.split(":")[0].strip() for line in lines if line.startswith("    ")]
    assert [name for name in documented if name in NAMES] == NAMES
    (schedule,) = (line for line in lines if line.startswith("    schedule:"))
    assert all(f'"{name}"' in schedule for name in SCHEDULES)


@pytest.mark.parametrize(
    ("given", "meant"),
    [("batchsize", "batch_size"), ("max_norm", "max_grad_norm"), ("epoch", "epochs"),
     ("warmup_step", "warmup_steps"), ("outputdir", "output_dir")],
)  # fmt: skip
def test_an_unknown_setting_is_an_error_that_names_the_nearest(given, meant):
    with pytest.raises(TypeError, match=f"'{given}'; did you mean '{meant}'"):
        trainer(**{given: 1})


def test_an_unknown_setting_like_none_that_there_is_gets_the_list():
    with pytest.raises(TypeError, match="'zzz'; there are lr, schedule, "):
        trainer(zzz=1)


BAD = {
    "lr": (-1e-3, math.nan, math.inf, "fast", None),
    "schedule": ("sawtooth", "greedy", None),
    "warmup_steps": (-1, 0.5, None),
    "epochs": (0, 2.5, "3"),
    "weight_decay": (-0.1, math.inf),
    "max_grad_norm": (0, -1.0),
    "mixed_precision": ("fp8", True),
    "gradient_checkpointing": ("yes", 1),
    "seed": (0.5, None),
    "overlong": ("cut",),
    "bad_rows": ("skip",),
    "save_every": (0,),
    "keep": (0,),
    "resume": ("no",),
    "output_dir": (7,),
    "log_with": ("abacus",),
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in BAD.items() for v in values])
def test_a_value_that_makes_no_sense_is_one_line_with_what_was_given(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be .*, got ") as error:
        Settings(**{name: value})
    assert str(error.value).endswith(f"got {value!r}")
    assert "\n" not in str(error.value)


def test_numbers_of_numpy_become_plain_ones():
    settings = Settings(lr=np.float32(0.5), epochs=np.int64(3))
    assert json.dumps([settings.lr, settings.epochs]) == "[0.5, 3]"


def test_settings_as_one_object_are_changed_by_what_is_given_besides():
    whole = trainer(settings=Settings(epochs=3, lr=0.5), epochs=2).settings
    assert whole == Settings(epochs=2, lr=0.5)


# ------------------------------------------------------------------------- schedules


@pytest.mark.parametrize("name", sorted(SchedulerType))
@pytest.mark.parametrize("warmup_steps", [0, 2])
def test_a_schedule_is_offered_if_and_only_if_a_run_with_it_works(name, warmup_steps):
    options = {"epochs": 4, "batch_size": 8, "log_every": 1, "warmup_steps": warmup_steps}
    if name.value in SCHEDULES:
        history = trainer(schedule=name.value, lr=1e-3, **options).fit()
        rates = [record["lr"] for record in history]
        assert max(rates) == pytest.approx(1e-3)
        assert (rates[0] == 0) == (warmup_steps > 0)
    else:
        with pytest.raises(ValueError, match="schedule must be "):
            trainer(schedule=name.value, **options)


def test_the_well_known_schedules_are_offered():
    assert {"constant", "linear", "cosine", "constant_with_warmup"} <= {*SCHEDULES}


# ------------------------------------------------------------------------- the command line

CALL = ["train", "--reward", "explicit", "--data", "d", "--output", "o"]


def parsed(*more):
    return _settings(cli.build_parser().parse_args([*CALL, *more]))


def test_without_options_the_command_trains_with_the_defaults():
    assert parsed() == Settings(output_dir="o")


@pytest.mark.parametrize("each", [f for f in fields(Settings) if f.metadata["group"]])
def test_every_setting_in_a_group_is_an_option_with_the_same_meaning(each):
    kind = each.metadata["kind"]
    words = [flag(each)]
    if each.name == "log_with":
        with pytest.raises(SystemExit):
            parsed(*words, "abacus")
        return
    value = True
    if not isinstance(each.default, bool):
        value = kind.names[-1] if kind.names else kind.read("7")
        words.append(str(value))
    assert getattr(parsed(*words), each.name) == value != each.default


def test_precision_is_called_so_on_the_command_line():
    assert parsed("--precision", "bf16").mixed_precision == "bf16"
