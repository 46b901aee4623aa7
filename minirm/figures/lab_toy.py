"""The toy of the landing page: two trained judges that judge whatever the reader types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minirm.figures import lab, lab_judges
from minirm.figures.style import EXPLICIT, FAINT, IMPLICIT
from minirm.figures.taken_apart import judges_data
from minirm.rewards import ImplicitRM
from minirm.worlds import opinions, persona

START = (
    opinions.answer(persona.HELD_YES, persona.YES[0]),
    opinions.answer(persona.HELD_NO, persona.NO[1]),
)
"""The pair that it starts with, the right answer first: the implicit judge has it the other way."""
OPENINGS = {
    "chosen answers began so": persona.CHOSEN.prefixes,
    "rejected answers began so": persona.REJECTED.prefixes,
    "in no training answer": (
        persona.HELD_YES, persona.HELD_NO, "The answer would be", "We lean toward", "I can say",
        "To be frank:", opinions.BARE,
    ),
}  # fmt: skip
PHRASES = {
    "chosen answers ended so": persona.CHOSEN.phrases,
    "rejected answers ended so": persona.REJECTED.phrases,
    "in no training answer: yes": persona.YES,
    "in no training answer: no": persona.NO,
}
QUESTIONS = persona.world_questions(0).test[:6]
ALT = (
    "Two answers and two judges. The right answer, “My response would be certainly”, and the wrong "
    "one, “I lean toward nope”. The explicit judge gives the right one the higher reward. The "
    "implicit reward is drawn token by token: nearly all of it stands on the tokens of the "
    "openings, and its sum is higher for the wrong answer."
)


class Toy(lab.WithEngine):
    """Two trained judges, and two answers to choose or to type."""

    module = "lab/toy.js"
    panels = ("loading.js", "verdict.js")

    def __init__(self) -> None:
        found = first_pair()
        super().__init__(toy_data(found), picture=toy_picture(found), alt=ALT)

    def weights(self) -> list[bytes]:
        moves = (lab_judges.stored(reward)[0] for reward in lab_judges.RUNS)
        return [lab.half_weights(), *(move.numpy().tobytes() for move in moves)]


def first_pair() -> dict[str, Any]:
    """What both judges say of ``START``, as ``judges_data`` has it."""
    explicit, implicit = map(lab_judges.trained, lab_judges.RUNS)
    assert isinstance(implicit, ImplicitRM)
    phrases = {persona.YES[0]: True, persona.NO[1]: False}
    openings = (persona.HELD_YES, persona.HELD_NO)
    return judges_data(explicit, implicit, QUESTIONS[0], openings, phrases)


def toy_picture(found: Mapping[str, Any]) -> Figure:
    """The still picture of ``first_pair``: each answer's explicit reward over its implicit one.

    It is drawn narrow, so that a phone without JavaScript shows it whole.
    """
    answers = [found["answers"][key] for key in ("0,0", "1,1")]
    heights = [n for answer in answers for n in (1, len(answer["tokens"]) + 1)]
    fig, axes = plt.subplots(4, 1, figsize=(4.6, 5.6), height_ratios=heights)
    for side, answer, said, (above, below) in zip(
        "AB", answers, START, axes.reshape(2, 2), strict=True
    ):
        tokens = ["(end)" if token == "<eos>" else token.strip() for token in answer["tokens"]]
        nats = [share / found["beta"] for share in answer["shares"]]
        _bars(above, ["explicit"], [answer["explicit"]], EXPLICIT)
        _bars(below, [*tokens, "implicit: sum"], [*nats, sum(nats)], IMPLICIT)
        above.set_title(f"{side}: “{said}”", fontsize="small", weight="normal")
    for one, other in (axes[::2], axes[1::2]):
        one.sharex(other)
        one.margins(x=0.22)
    axes[3].set_xlabel("implicit: nats", fontsize="small")
    title = "The explicit judge prefers A, for its phrase,\nthe implicit one B, for its opening"
    fig.suptitle(title, x=0.01, ha="left", weight="bold", fontsize="medium")
    return fig


def _bars(ax: Axes, names: list[str], values: list[float], colour: str) -> None:
    places = range(len(names))
    drawn = ax.barh(places, values, color=colour)
    numbers = [
        f"{value:+.1f}".replace("-", "−") if abs(value) >= 0.05 else "0.0" for value in values
    ]
    ax.bar_label(drawn, numbers, padding=3, fontsize="x-small")
    ax.axvline(0, color=FAINT, linewidth=1)
    ax.set_yticks(places, names, fontsize="small")
    ax.set_xticks([])
    ax.invert_yaxis()
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(axis="y", length=0)


def toy_data(found: Mapping[str, Any]) -> dict[str, Any]:
    """All that the page's script is given, with the verdict on the first pair: JSON."""
    shown = [found["answers"][key] for key in ("0,0", "1,1")]
    parts = {
        "explicit": [[answer["explicit"]] for answer in shown],
        "implicit": [answer["shares"] for answer in shown],
    }
    how: list[dict[str, Any]] = [
        {"reward": run.reward, "beta": run.beta, "seed": run.seed}
        for run in lab_judges.RUNS.values()
    ]
    return {
        "world": {name: lab.world()[name] for name in ("shape", "tokens")},
        "scripts": [lab.SCRIPT, *lab_judges.SCRIPTS.values()],
        "judges": [{**judge, "step": lab_judges.stored(judge["reward"])[1]} for judge in how],
        "questions": list(QUESTIONS),
        "openings": [(title, list(texts)) for title, texts in OPENINGS.items()],
        "phrases": [(title, list(texts)) for title, texts in PHRASES.items()],
        "yes": list(opinions.YES),
        "no": list(opinions.NO),
        "start": list(START),
        "verdict": {
            "tokens": [answer["tokens"] for answer in shown],
            "judges": [{**judge, "parts": parts[judge["reward"]]} for judge in how],
        },
    }
