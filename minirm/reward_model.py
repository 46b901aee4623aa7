"""What the three rewards share: encoding, scoring, saving. What a reward is says ``rewards``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from minirm.batches import Rows, answer_groups, plain_rows, shared_rows
from minirm.logprobs import can_share_prompts
from minirm.losses import bradley_terry_losses
from minirm.models import pretrained
from minirm.pairs import Encoded, Text, encode, placed


class RewardModel(nn.Module):
    """What the three rewards share: tokenising, scoring, saving. Not for use on its own.

    Raises:
        ValueError: the tokenizer has more tokens than the model has embedding rows.
    """

    kind: ClassVar[str]

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__()
        rows = model.get_input_embeddings().num_embeddings
        if len(tokenizer) > rows:
            raise ValueError(
                f"the tokenizer has {len(tokenizer)} tokens, the model's embedding {rows} rows: "
                "give the model's own tokenizer, or resize_token_embeddings first"
            )
        self.model = pretrained.without_dropout(model)
        self.tokenizer = tokenizer

    def rewards(self, rows: Rows) -> Tensor:
        """Rewards of the sequences in ``rows``: [S], with gradient."""
        raise NotImplementedError

    def forward(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """One training step's numbers for rows of B pairs (chosen first).

        Returns:
            the loss of each pair, [B], and the rewards, [2B].
        """
        rewards = self.rewards(rows)
        chosen, rejected = rewards.chunk(2)
        return bradley_terry_losses(chosen, rejected, rows.margin), rewards

    def score(
        self, prompts: Sequence[Text], responses: Sequence[Text], *, batch_size: int = 64
    ) -> Tensor:
        """Rewards of B responses to B prompts, without gradient: [B], on the CPU.

        Raises:
            TypeError: a lone string instead of a list.
            ValueError: the two lists differ in length, or one row is empty or too long.
        """
        return self.score_encoded(self._encode_all(prompts, responses), batch_size=batch_size)

    def score_encoded(self, sequences: Sequence[Encoded], *, batch_size: int = 64) -> Tensor:
        """``score`` for what ``encode`` returned: [B], in the order given."""
        return self.map_encoded(self.rewards, sequences, batch_size=batch_size)

    @torch.no_grad()
    def map_encoded(
        self,
        function: Callable[[Rows], Tensor],
        sequences: Sequence[Encoded],
        *,
        batch_size: int = 64,
        plan: Callable[[Iterable], Iterable] = iter,
        reference: Tensor | None = None,
    ) -> Tensor:
        """A number for each of B sequences, without gradient: [B], on the CPU, in their order.

        What occurs more than once runs once, and answers to one prompt run in shared rows.

        Args:
            function: from rows to [S], such as ``rewards``.
            sequences: as ``encode`` returns them.
            batch_size: sequences at once.
            plan: sees the batches before they run, and may repeat some.
            reference: [B], ln pi_ref(y|x), where it was computed beforehand.
        """
        first: dict[Encoded, int] = {}
        for i, sequence in enumerate(sequences):
            first.setdefault(sequence, i)
        distinct, origin = list(first), list(first.values())
        groups = [[i] for i in range(len(distinct))]
        if self.shares_prompts:
            groups = answer_groups(distinct, self.model.config.get_text_config().hidden_size)
        scores: dict[int, Tensor] = {}
        for batch in plan(_by_width(groups, distinct, batch_size)):
            members = [i for group in batch for i in group]
            where = {i: k for k, i in enumerate(members)}
            rows = shared_rows(
                [distinct[i] for i in members],
                [[where[i] for i in group] for group in batch],
                self.pad_token_id,
            )
            origins = [origin[i] for i in members]
            if reference is not None:
                rows = replace(rows, reference=reference[origins])
            scores |= zip(origins, function(rows.to(self.device)).cpu(), strict=True)
        return torch.stack([scores[first[s]] for s in sequences])

    @cached_property
    def shares_prompts(self) -> bool:
        """Whether rows may share a prompt between answers, measured at first use.

        False, with one warning, where the model would then give other numbers.
        """
        shares = all(can_share_prompts(m) for m in self._networks())
        if not shares:
            warnings.warn(
                f"{type(self.model).__name__} gives other numbers where two answers share a row "
                "with their prompt (a sliding window, or attention that takes no mask): prompts "
                "are encoded once per answer instead, which is slower and as exact",
                stacklevel=2,
            )
        return shares

    def _networks(self) -> list[Any]:
        """The models that the reward runs."""
        return [self.model]

    def rows(self, sequences: Sequence[Encoded]) -> Rows:
        """Lay encoded sequences out for this model, on its device."""
        return plain_rows(sequences, self.pad_token_id).to(self.device)

    def encode(self, prompt: Text, response: Text) -> Encoded:
        """Token ids of one prompt and one response, as this model reads them."""
        return encode(self.tokenizer, prompt, response)

    def save_pretrained(self, path: Any) -> None:
        """Write the model and its tokenizer as safetensors and JSON, in Hugging Face's form."""
        pretrained.save(self, path)

    @property
    def max_length(self) -> int | None:
        """The most tokens that prompt and response may have together; None where unlimited."""
        return getattr(self.model.config, "max_position_embeddings", None)

    @property
    def pad_token_id(self) -> int:
        pad = self.tokenizer.pad_token_id
        return self.tokenizer.eos_token_id if pad is None else pad

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def settings(self) -> dict[str, Any]:
        """What besides the weights makes this reward: keyword arguments of the constructor."""
        raise NotImplementedError

    def _encode_all(self, prompts: Sequence[Text], responses: Sequence[Text]) -> list[Encoded]:
        for name, texts in (("prompts", prompts), ("responses", responses)):
            if isinstance(texts, str):
                raise TypeError(f"{name} must be a list, got the lone string {texts!r}")
        if len(prompts) != len(responses):
            raise ValueError(f"got {len(prompts)} prompts and {len(responses)} responses")
        if not len(prompts):
            raise ValueError("there is nothing to score: prompts and responses are empty")
        sequences = []
        for row, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
            try:
                sequence = self.encode(prompt, response)
            except (TypeError, ValueError) as error:
                raise placed(error, f"row {row}") from error
            if self.max_length is not None and len(sequence) > self.max_length:
                raise ValueError(
                    f"row {row}: prompt and response have {len(sequence)} tokens, "
                    f"the model's context is {self.max_length}"
                )
            sequences.append(sequence)
        return sequences


def _by_width(
    groups: list[list[int]], sequences: Sequence[Encoded], batch_size: int
) -> Iterator[list[list[int]]]:
    """Rows of similar width, as many as hold ``batch_size`` sequences (at least one row)."""
    prompt = {id(g): len(sequences[g[0]].prompt) for g in groups}
    width = {id(g): prompt[id(g)] + sum(len(sequences[i].response) for i in g) for g in groups}
    batch: list[list[int]] = []
    for group in sorted(groups, key=lambda g: width[id(g)]):
        if batch and sum(map(len, batch)) + len(group) > batch_size:
            yield batch
            batch = []
        batch.append(group)
    yield batch
