"""What the lab in the browser is made of: its engine, the weights that it loads, the words it uses.

The engine is plain JavaScript, in ``js/lab``: the tiny language model forward and backward, the
rewards, AdamW, the tokenizer, and the random numbers of Python and torch, so that a seed means
there what it means here. Its parts are put one behind the other and have no imports, because a page
that is opened as a file may not load modules.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any, ClassVar

import pandas as pd
import torch
from matplotlib.figure import Figure
from tokenizers import Regex, pre_tokenizers
from torch import Tensor

from minirm.experiments import grids
from minirm.experiments import persona as experiment
from minirm.experiments.controls import load_runs
from minirm.experiments.designs import DESIGNS
from minirm.figures.live import SCRIPTS, LiveFigure
from minirm.figures.shares import plot_shares, summary
from minirm.models.bases import COMMON, load_base
from minirm.worlds import opinions, persona

PARTS = ("network.js", "layers.js", "random.js", "tokenizer.js", "judges.js", "study.js")
"""The engine's files, in the order in which they stand."""
WORKER = "worker.js"
PANELS = ("loading.js", "verdict.js", "setup.js", "progress.js", "asking.js", "tasks.js")
"""What the page itself is put together from, before ``js/lab.js``."""
PRESETS = {
    "paper": "the paper’s design",
    "one prefix": "one prefix on both sides",
    "all prefixes": "all prefixes on both sides",
    "agreement .75": "prefix agreement 75 %",
}
"""The designs that stand on buttons, by their names in ``DESIGNS``."""
ALT = (
    "Bars of the parts of a reward's variance after training, for the explicit and the implicit "
    "reward and four designs of the training answers. Nearly all of the explicit reward is meaning "
    "in all four; of the implicit reward it is less than half, and least where the prefix tells "
    "the label. The rest of it is nearly all opening."
)
SCRIPT = ("weights", "_static/lab-weights.js")
"""What a page of the built book calls the weights, and where (``book/_ext/lab_files.py``)."""
TO_READ = "_static/lab-engine.js"
"""Where it puts the engine once more, for readers."""
BASE = "seed-0"
SHARED = 20  # the openings of the share of meaning, the first of ``grids.ALL_OPENINGS``


def engine() -> str:
    """The engine's text."""
    return "\n".join(map(_read, PARTS))


def _read(part: str) -> str:
    return (SCRIPTS / "lab" / part).read_text("utf-8")


class WithEngine(LiveFigure):
    """A figure that computes in the page: its script has the engine, and it asks for weights."""

    marked = "lab"
    panels: ClassVar[tuple[str, ...]]

    def __init__(self, data: Mapping[str, Any], **options: Any) -> None:
        super().__init__(data, **options)
        self.on_msg(self._answer)

    def weights(self) -> list[bytes]:
        """What a kernel sends, in the order of the scripts that a built page loads."""
        raise NotImplementedError

    def _answer(self, _: Any, asked: Any, buffers: Any) -> None:
        """Send the weights to a front end that asks; a trait would be in every saved page."""
        if asked == "weights":
            self.send("weights", self.weights())

    @classmethod
    def script(cls) -> str:
        inner = json.dumps("\n".join((engine(), _read(WORKER)))).replace("<", "\\u003c")
        panels = (_read(part) for part in cls.panels)
        common, own = ((SCRIPTS / part).read_text("utf-8") for part in ("common.js", cls.module))
        return "\n".join((common, f"const ENGINE = {inner};", *panels, own))


class Lab(WithEngine):
    """Judges that the reader trains and asks: in the built book, or under a kernel as a widget.

    Args:
        state: the set-up to start from, under a kernel; in the page the address has it.
        base: a bundled base; the built book carries the weights of "seed-0" alone.
    """

    module = "lab.js"
    panels = PANELS

    def __init__(self, *, state: Mapping[str, Any] | None = None, base: str = BASE) -> None:
        data = {"world": world(), "scripts": [SCRIPT]}
        super().__init__(data, picture=still(designs_after_training()), alt=ALT, state=state)
        self.base = base

    def weights(self) -> list[bytes]:
        return [half_weights(self.base)]


def designs_after_training() -> pd.DataFrame:
    """What the book's runs gave for the designs on the buttons: means over the four common bases.

    Returns:
        a row a reward and design, as ``minirm.figures.shares.summary`` gives them.
    """
    runs = pd.DataFrame(load_runs())
    runs = runs[runs["base"].isin(COMMON) & runs["design"].isin(PRESETS)]
    return summary(runs[runs["reward"].isin(["explicit", "implicit"])], ["reward", "design"])


def still(rows: pd.DataFrame) -> Figure:
    """The picture that stands in for the lab, from ``designs_after_training``."""
    found = rows.set_index(["reward", "design"])
    bars = {
        f"{reward}, {label}": found.loc[(reward, design)]
        for design, label in PRESETS.items()
        for reward in ("explicit", "implicit")
    }
    return plot_shares(
        bars, title="Explicit rewards end as meaning, implicit ones mostly as opening"
    )


def weights(model: Any, *, unembedding: bool = True) -> list[Tensor]:
    """A GPT-NeoX's weights in the order of the engine (``layout`` in ``js/lab/network.js``).

    Args:
        model: a causal LM, or a classifier on its body.
        unembedding: whether it has one; a classifier has not.
    """
    body = model.gpt_neox
    parts: list[Any] = [body.embed_in.weight]
    for layer in body.layers:
        attention, mlp = layer.attention, layer.mlp
        for part in (
            layer.input_layernorm, attention.query_key_value, attention.dense,
            layer.post_attention_layernorm, mlp.dense_h_to_4h, mlp.dense_4h_to_h,
        ):  # fmt: skip
            parts += [part.weight, part.bias]
    last = body.final_layer_norm
    parts += [last.weight, last.bias]
    return parts + ([model.get_output_embeddings().weight] if unembedding else [])


@cache
def half_weights(base: str = BASE) -> bytes:
    """All weights of a bundled base in half precision, little-endian, one after the other."""
    flat = torch.cat([weight.detach().flatten() for weight in weights(load_base(base)[0])])
    return flat.numpy().astype("<f2").tobytes()


def rounded_base(base: str = BASE) -> tuple[Any, Any]:
    """A bundled base with its weights rounded to half precision, as the browser has it."""
    model, tokenizer = load_base(base)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.half().float())
    return model, tokenizer


def weights_script(base: str = BASE) -> str:
    """The weights of a bundled base for ``fromScript`` in ``js/lab/loading.js``."""
    return bytes_script(SCRIPT[0], half_weights(base))


def bytes_script(name: str, data: bytes) -> str:
    """Bytes as a script, for a page that is opened as a file may load nothing else."""
    text = base64.b64encode(data).decode("ascii")
    return f'(window.minirmBytes ??= {{}}).{name} = "{text}";\n'


@cache
def world() -> dict[str, Any]:
    """Words, tokens and sizes that the engine needs; JSON."""
    model, tokenizer = load_base(BASE)
    vocabulary = tokenizer.get_vocab()
    symbols = {b: s for s, b in _byte_symbols().items()}
    alone = {*symbols.values(), *opinions.SPECIALS}
    special = {name: vocabulary[name] for name in opinions.SPECIALS}
    pieces = {tokenizer.decode([i]): i for t, i in vocabulary.items() if t not in alone}
    config = model.config
    return {
        "shape": {
            "vocabulary": config.vocab_size, "width": config.hidden_size,
            "layers": config.num_hidden_layers, "heads": config.num_attention_heads,
            "inner": config.intermediate_size, "context": config.max_position_embeddings,
        },
        "tokens": {
            "pieces": pieces,
            "bytes": [vocabulary[symbols[byte]] for byte in range(256)],
            "special": special,
            **character_classes(),
        },
        "question": opinions.QUESTIONS[0],
        "verbs": opinions.POSITIVE_VERBS, "objects": opinions.OBJECTS, "adverbs": opinions.ADVERBS,
        "chosen": asdict(persona.CHOSEN), "rejected": asdict(persona.REJECTED),
        "presets": [{"label": label, **_wordings(name)} for name, label in PRESETS.items()],
        "yes": opinions.YES, "no": opinions.NO,
        "openings": grids.ALL_OPENINGS, "shareOpenings": SHARED,
        "heldYes": persona.HELD_YES, "heldNo": persona.HELD_NO,
        "heldOut": [
            {"text": phrase, "right": right}
            for phrase, right in zip(grids.PHRASES, grids.RIGHT, strict=True)
        ],
        "run": {
            "lr": experiment.Run.lr, "beta": experiment.Run.beta, "epochs": experiment.Run.epochs,
            "batch": experiment.Run.batch_size,
        },
    }  # fmt: skip


def _wordings(design: str) -> dict[str, Any]:
    found = DESIGNS[design]
    sides = {"chosen": asdict(found.chosen), "rejected": asdict(found.rejected)}
    return {**sides, "agreement": found.agreement}


def character_classes() -> dict[str, str]:
    r"""What the tokenizer takes for a letter and for a mark, as ranges of JavaScript classes.

    Browsers know newer editions of Unicode than the tokenizer does, and each its own. Nor is the
    one class the other's complement: superscripts such as ² are in both ``\w`` and ``[^\w\s]``.

    Returns:
        "letters", what ``\w`` matches, and "unmarked", what ``[^\w\s]`` does not.
    """
    known = (*range(0xD800), *range(0xE000, 0x40000), *range(0xE0000, 0xE1000))  # else: no letter
    text = "".join(map(chr, known))
    runs = {
        "letters": pre_tokenizers.Split(Regex(r"\w+"), "removed", invert=True),
        "unmarked": pre_tokenizers.Split(Regex(r"[^\w\s]+"), "removed"),
    }
    return {
        name: "".join(
            f"\\u{{{ord(run[0]):x}}}-\\u{{{ord(run[-1]):x}}}"
            for run, _ in split.pre_tokenize_str(text)
        )
        for name, split in runs.items()
    }


def _byte_symbols() -> dict[str, int]:
    """The printable symbol that stands for each byte in the tokenizer's file."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    symbols = {chr(byte): byte for byte in printable}
    symbols |= {chr(256 + place): byte for place, byte in enumerate(others)}
    assert symbols.keys() == set(pre_tokenizers.ByteLevel.alphabet())
    return symbols
