"""How the training pairs of the Persona experiment may be worded. The questions never change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from minirm.pairs import PreferencePair
from minirm.worlds import persona
from minirm.worlds.persona import CHOSEN, REJECTED, Wording


@dataclass(frozen=True)
class Design:
    """Wordings of the two sides of the training pairs.

    Args:
        chosen: the prefixes and phrases of the chosen responses.
        rejected: those of the rejected ones.
        agreement: share of responses that open in a prefix of their own side; the others open in
            one of the other side's.
    """

    chosen: Wording = CHOSEN
    rejected: Wording = REJECTED
    agreement: float = 1.0

    def training_pairs(self, prompts: Sequence[str], seed: int) -> list[PreferencePair]:
        """As ``persona.training_pairs``."""
        return persona.training_pairs(
            prompts, seed, chosen=self.chosen, rejected=self.rejected, agreement=self.agreement
        )


ONE = ("A truthful reply is",)
NO_MY = ("The judgement:", "Considering the statement, I say")
NO_SHARED = ("The judgement:", "Considering the statement, it seems")
DESIGNS: Mapping[str, Design] = {
    "paper": Design(),
    "agreement .99": Design(agreement=0.99),
    "agreement .9": Design(agreement=0.9),
    "agreement .75": Design(agreement=0.75),
    "all prefixes": Design(agreement=0.5),
    "one prefix": Design(replace(CHOSEN, prefixes=ONE), replace(REJECTED, prefixes=ONE)),
    "no My": Design(rejected=replace(REJECTED, prefixes=NO_MY)),
    "no shared word": Design(rejected=replace(REJECTED, prefixes=NO_SHARED)),
    "exchanged": Design(
        replace(CHOSEN, prefixes=REJECTED.prefixes), replace(REJECTED, prefixes=CHOSEN.prefixes)
    ),
}
"""From the paper's, in which the prefix foretells the label, to those in which it says nothing.

"all prefixes" has all four on both sides, each response's drawn anew, half of them from its own
side. "one prefix" has the same one on both. "no shared word": no word of the paper's two held-out
prefixes is in any training response. "exchanged": the chosen side has the paper's rejected prefixes
and the other way round; the phrases stay.
"""
