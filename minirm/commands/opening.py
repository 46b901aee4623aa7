"""Opening a reward model by what a user calls it: ours, a published one, or a policy from DPO."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError
from transformers import AutoConfig

from minirm import ExplicitRM, ImplicitRM, load_base
from minirm.commands.shared import REWARDS, BadCall, positive, told_in_one_line, unescaped
from minirm.distributed import processes
from minirm.models.bases import NAMES, resolve
from minirm.models.saving import SETTINGS, saved_kind
from minirm.reward_model import RewardModel

AS_PUBLISHED: Any = "auto"  # the dtype that the folder names


def add_model_arguments(command: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Which model is asked (or which ones), and what it is an implicit reward over."""
    add = command.add_argument
    add(
        "model",
        metavar="MODEL",
        nargs="+" if several else None,
        help="a folder that `minirm train` wrote, or a classifier with one label (a folder, or "
        "owner/name on the hub), or with --reference any language model"
        + ("; two are compared" if several else ""),
    )
    add(
        "--reference",
        metavar="NAME_OR_FOLDER",
        help="the model from which DPO trained MODEL; the reward is the implicit one",
    )
    add("--beta", type=positive, help="with --reference: reward per nat (default: 0.01)")


def open_reward(options: argparse.Namespace) -> RewardModel:
    """The model that ``add_model_arguments`` was answered with, on the device that it runs on.

    It reads text as its folder says. What says nothing of it reads text as the arguments ``chat``
    and ``separator`` say, which are None where they were not given.

    Raises:
        BadCall: --beta without --reference.
        FileNotFoundError: there is no such model.
        ValueError: it holds no reward and no reference was named, or it has a reward of its own
            and one was, or it reads text otherwise than the arguments say.
    """
    if options.beta is not None and options.reference is None:
        raise BadCall("--beta is for an implicit reward: name its --reference too")
    with told_in_one_line(options.model):
        source = fetched(options.model)
        kind = saved_kind(source)
        if kind is not None:
            if options.reference is not None:
                raise ValueError(
                    f"--reference {options.reference}: {options.model!r} is {_a(kind)} reward "
                    "that was saved with all it needs; leave --reference out"
                )
            model: RewardModel = REWARDS[kind].from_pretrained(source)
        elif options.reference is not None:
            model = _from_policy(source, options)
        else:
            model = _published(source, options.model)
    read_text_as_told(model, options, known=says_how_it_reads(source))
    return model.to(processes().device).eval()


def holds_reward(name: str) -> bool:
    """Whether a model has a reward of its own, so that it needs no reference."""
    with told_in_one_line(name):
        source = fetched(name)
        return saved_kind(source) is not None or is_classifier(source)


def is_classifier(source: str) -> bool:
    """Whether a folder, or a name on the hub, says of itself that it holds a classifier."""
    names = AutoConfig.from_pretrained(resolve(source)).architectures or []
    return any(name.endswith("ForSequenceClassification") for name in names)


def fetched(name: str) -> str:
    """Where transformers finds a model: its folder, or its name on the hub.

    What `minirm train` wrote is more than transformers would fetch, so that it is copied whole.

    Raises:
        FileNotFoundError: ``name`` is no folder, nor written like a name on the hub.
    """
    if name in NAMES or Path(name).expanduser().is_dir():
        return resolve(name)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise FileNotFoundError(
            f"there is no folder {name!r}; give one that holds a model, or the name of one on "
            'the hub, written "owner/name"'
        )
    try:
        hf_hub_download(name, SETTINGS)
    except EntryNotFoundError:  # somebody else's
        return name
    return snapshot_download(name)


def _published(source: str, name: str) -> ExplicitRM:
    if is_classifier(source):
        return ExplicitRM.from_pretrained(source)
    raise ValueError(
        f"{name!r} is a language model, which is no reward by itself: pass --reference with the "
        "model from which DPO trained it, or train a reward with `minirm train`"
    )


def _from_policy(source: str, options: argparse.Namespace) -> ImplicitRM:
    if is_classifier(source):
        raise ValueError(
            f"--reference {options.reference}: {options.model!r} is a classifier, whose reward "
            "has no reference; leave --reference out"
        )
    policy, tokenizer = load_base(source, dtype=AS_PUBLISHED)
    with told_in_one_line(options.reference):
        reference, words = load_base(options.reference, dtype=AS_PUBLISHED)
    _check_vocabulary(tokenizer, words, reference, options)
    beta = {} if options.beta is None else {"beta": options.beta}
    return ImplicitRM(policy, tokenizer, reference=reference, copy=False, **beta)


def _check_vocabulary(
    tokenizer: Any, words: Any, reference: Any, options: argparse.Namespace
) -> None:
    """The reference reads the policy's token ids: they have to mean the same there."""
    mine, theirs = tokenizer.get_vocab(), words.get_vocab()
    other = sorted(token for token in mine.keys() & theirs.keys() if mine[token] != theirs[token])
    rows = reference.get_input_embeddings().num_embeddings
    if other or len(mine.keys() & theirs.keys()) < len(theirs) / 2:
        example = f" ({other[0]!r} is {mine[other[0]]} and {theirs[other[0]]})" if other else ""
        raise ValueError(
            f"--reference {options.reference} has another vocabulary than {options.model}"
            f"{example}: log-probabilities of different tokens cannot be compared"
        )
    if len(tokenizer) > rows:
        raise ValueError(
            f"--reference {options.reference} has {rows} rows in its embedding, {options.model} "
            f"has {len(tokenizer)} tokens: it is not the model that this one was trained from"
        )


def says_how_it_reads(source: str) -> bool:
    """Whether a folder of ours says how it reads text; those of others do not."""
    file = Path(source) / SETTINGS
    return file.is_file() and "text_format" in json.loads(file.read_text())


def read_text_as_told(model: RewardModel, options: argparse.Namespace, *, known: bool) -> None:
    """Let ``model`` read text as --chat and --separator say.

    Args:
        model: any reward.
        options: ``chat`` and ``separator``, None where they were not given.
        known: whether the model says itself how it reads, and must not be contradicted.

    Raises:
        ValueError: it says otherwise.
    """
    own = model.text_format
    asked: dict[str, Any] = {}
    if options.chat:
        asked["chat"] = True
    if options.separator is not None:
        asked["separator"] = unescaped(options.separator)
    for name, value in asked.items():
        if known and getattr(own, name) != value:
            flag = "--chat" if name == "chat" else f"--separator {value!r}"
            raise ValueError(
                f"{flag}: {options.model!r} was trained with {name}={getattr(own, name)!r}, and "
                f"scores as it was trained only with that; leave --{name} out"
            )
    model.text_format = replace(own, **asked)


def _a(kind: str) -> str:
    return f"{'a' if kind == 'generative' else 'an'} {kind}"
