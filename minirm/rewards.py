"""Room: the idea of the whole book. Two rewards (and a third) read from one language model.

    explicit     r(x, y) = <u, h_{x,y}>                            a linear head on the last state
    implicit     r(x, y) = beta * (ln pi(y|x) - ln pi_ref(y|x))    what DPO trains
    generative   r(x, y) = pi("Yes" | is y a good answer to x?)    a language model as a judge

Notation as in arXiv 2507.07981, section 2. All three are trained on the same pairs, are asked for
rewards by the same ``score``, and hold their own copy of the model that they were given.
"""

from __future__ import annotations

import copy as copying
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from minirm import pretrained
from minirm.batches import Rows, answer_groups, plain_rows, shared_rows
from minirm.logprobs import (
    can_share_prompts,
    has_linear_head,
    hidden_states,
    in_full,
    language_model,
    pick_logprobs,
    response_logits,
    response_logprobs,
    sum_by_sequence,
)
from minirm.losses import bradley_terry_losses
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
        return bradley_terry_losses(chosen, rejected), rewards

    def score(
        self, prompts: Sequence[Text], responses: Sequence[Text], *, batch_size: int = 64
    ) -> Tensor:
        """Rewards of B responses to B prompts, without gradient: [B], on the CPU.

        Raises:
            TypeError: a lone string instead of a list.
            ValueError: the two lists differ in length, or one row is empty or too long.
        """
        return self.score_encoded(self._encode_all(prompts, responses), batch_size=batch_size)

    @torch.no_grad()
    def score_encoded(
        self,
        sequences: Sequence[Encoded],
        *,
        batch_size: int = 64,
        plan: Callable[[Iterable], Iterable] = iter,
    ) -> Tensor:
        """``score`` for what ``encode`` returned: [B], in the order given.

        What occurs more than once runs once, and answers to one prompt run in shared rows.
        ``plan`` sees the batches before they run, and may repeat some.
        """
        place = {s: i for i, s in enumerate(dict.fromkeys(sequences))}
        distinct = list(place)
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
            scores |= zip(members, self.rewards(rows.to(self.device)).cpu(), strict=True)
        return torch.stack([scores[place[s]] for s in sequences])

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


class ExplicitRM(RewardModel):
    """r(x, y) = <u, h_{x,y}>: a linear head on the last hidden state (EX-RM).

    The state h is read after the model's final norm at the last token of y, its EOS; the head u
    has no bias and starts at N(0, initializer_range) from ``seed``. The unembedding plays no part.

    Args:
        base: a causal LM, copied; or a sequence classifier with one label, whose head is kept.
        tokenizer: the base's tokenizer.
        pooling: "last", or "mean" over the response's positions (the paper's ablation
            "use all response hidden embeddings").
        seed: of the head's start.
        lora: a ``peft.LoraConfig``, to train adapters and the head alone.
        copy: False trains ``base`` itself.
    """

    kind = "explicit"

    def __init__(
        self,
        base: Any,
        tokenizer: Any,
        *,
        pooling: Literal["last", "mean"] = "last",
        seed: int = 0,
        lora: Any = None,
        copy: bool = True,
    ) -> None:
        if pooling not in ("last", "mean"):
            raise ValueError(f'pooling must be "last" or "mean", got {pooling!r}')
        base = copying.deepcopy(base) if copy else base
        if not hasattr(language_model(base), "score"):
            has_linear_head(base)  # raises where the base is no causal LM
            base = pretrained.as_classifier(base, seed)
        outputs = language_model(base).score.out_features
        if outputs != 1:
            raise ValueError(f"a reward has one number, this head has {outputs}")
        tokenizer = pretrained.ensure_own_pad(base, tokenizer)
        if lora is not None:
            base = pretrained.with_adapter(base, lora, "SEQ_CLS")  # which trains the head too
        super().__init__(base, tokenizer)
        self.pooling = pooling

    def rewards(self, rows: Rows) -> Tensor:
        # <u, h> in full even under autocast: rounded rewards would tie where they differ.
        states, head = self._features(rows), language_model(self.model).score
        bias = None if head.bias is None else in_full(head.bias)
        with torch.autocast(states.device.type, enabled=False):
            # [S, 1], summed: a view, as squeeze would give, is nothing that FSDP likes to return.
            return linear(in_full(states), in_full(head.weight), bias).sum(-1)

    @torch.no_grad()
    def features(self, prompts: Sequence[Text], responses: Sequence[Text]) -> Tensor:
        """h_{x,y}, the states that the head reads: [B, D], on the CPU; same errors as ``score``."""
        return self._features(self.rows(self._encode_all(prompts, responses))).cpu()

    def _features(self, rows: Rows) -> Tensor:
        """What the head is applied to, one row a sequence: [S, D]."""
        hidden = hidden_states(self.model, rows)  # [R, T, D]
        states = hidden.reshape(-1, hidden.shape[-1])
        if self.pooling == "last":
            return states[rows.last]
        states = in_full(states)
        total = states.new_zeros(rows.n_sequences, states.shape[-1])
        total = total.index_add(0, rows.sequence, states[rows.position])
        return total / torch.bincount(rows.sequence).unsqueeze(-1)

    @classmethod
    def from_pretrained(cls, path: Any) -> ExplicitRM:
        """Open what ``save_pretrained`` wrote, or any one-label sequence classifier."""
        return pretrained.load(path, cls)

    def settings(self) -> dict[str, Any]:
        return {"pooling": self.pooling}


class ImplicitRM(RewardModel):
    """r(x, y) = beta * (ln pi(y|x) - ln pi_ref(y|x)): the reward that DPO trains (IM-RM).

    Log-probabilities are summed over the response's tokens, EOS included. The reference is a
    frozen copy of the base as handed over, so a fresh IM-RM gives every response exactly 0.

    Args:
        base: a causal LM, copied. tokenizer: its tokenizer.
        beta: reward per nat, > 0; the paper uses 0.01.
        reference: "base", another causal LM (same vocabulary), or None for r = beta ln pi(y|x).
        lora: a ``peft.LoraConfig``, to train adapters alone. The base is then its own reference,
            with the adapters off: no second copy of it exists.
        copy: False trains ``base`` itself; the reference is a copy all the same.
    """

    kind = "implicit"

    def __init__(
        self,
        base: Any,
        tokenizer: Any,
        *,
        beta: float = 0.01,
        reference: Any = "base",
        lora: Any = None,
        copy: bool = True,
    ) -> None:
        if not beta > 0:
            raise ValueError(f"beta must be positive, got {beta!r}")
        if isinstance(reference, str) and reference != "base":
            raise ValueError(f'reference must be "base", a model or None, got {reference!r}')
        self._linear_head = has_linear_head(base)
        adapted = lora is not None or language_model(base) is not base
        self._base_is_reference = adapted and isinstance(reference, str)
        frozen = base if isinstance(reference, str) else reference
        if self._base_is_reference:
            frozen = None
        elif frozen is not None and frozen is not base:
            self._linear_head &= has_linear_head(frozen)
        if frozen is not None:  # copied before the dropout of a base trained in place is changed
            frozen = pretrained.without_dropout(copying.deepcopy(frozen)).requires_grad_(False)
        base = copying.deepcopy(base) if copy else base
        if lora is not None:
            base = pretrained.with_adapter(base, lora, "CAUSAL_LM")
        super().__init__(base, tokenizer)
        self.beta = beta
        self.reference = frozen

    def rewards(self, rows: Rows) -> Tensor:
        return self.beta * (self.logprobs(rows) - self.reference_logprobs(rows))

    def logprobs(self, rows: Rows) -> Tensor:
        """ln pi(y|x) under the model being trained: [S], in nats."""
        return sum_by_sequence(self._token_logprobs(self.model, rows), rows)

    @torch.no_grad()
    def reference_logprobs(self, rows: Rows) -> Tensor:
        """ln pi_ref(y|x): [S], in nats; zeros without a reference."""
        if rows.reference is not None:
            return rows.reference
        if not self.has_reference:
            return torch.zeros(rows.n_sequences, device=rows.last.device)
        with self._reference_model() as model:
            return sum_by_sequence(self._token_logprobs(model, rows), rows)

    @property
    def has_reference(self) -> bool:
        return self._base_is_reference or self.reference is not None

    @contextmanager
    def _reference_model(self) -> Iterator[Any]:
        if not self._base_is_reference:
            yield self.reference
            return
        with self.model.disable_adapter():
            yield self.model

    @torch.no_grad()
    def token_rewards(self, prompt: Text, response: Text) -> tuple[list[str], Tensor]:
        """How the reward of one response is made up: its tokens as text, and [N] shares of r.

        The shares sum to ``score([prompt], [response])``.
        """
        (sequence,) = self._encode_all([prompt], [response])
        rows = self.rows([sequence])
        shares = self._token_logprobs(self.model, rows)
        if self.has_reference:
            with self._reference_model() as model:
                shares = shares - self._token_logprobs(model, rows)
        return [self.tokenizer.decode([t]) for t in sequence.response], self.beta * shares.cpu()

    def _token_logprobs(self, model: Any, rows: Rows) -> Tensor:
        return response_logprobs(model, rows, linear_head=self._linear_head)

    def _networks(self) -> list[Any]:
        other = self.reference is not None and type(self.reference) is not type(self.model)
        return [self.model, self.reference] if other else [self.model]

    @classmethod
    def from_pretrained(cls, path: Any) -> ImplicitRM:
        """Open what ``save_pretrained`` wrote, its beta and its reference with it."""
        return pretrained.load(path, cls)

    def settings(self) -> dict[str, Any]:
        return {"beta": self.beta}


QUESTION = "Question: {prompt}\nAnswer: {response}\nVerification: Is the answer correct (Yes/No)? "


class GenerativeRM(RewardModel):
    """r(x, y) = pi("Yes" | question about x and y): the model as its own judge (EX-GRM).

    The reward is the full-softmax probability of the token ``yes`` after a verification question.
    It is trained as in the paper's appendix A, by cross-entropy: "Yes" after the chosen response,
    "No" after the rejected one, averaged over the two.

    Args:
        base: a causal LM, copied. tokenizer: its tokenizer.
        yes, no: two answers of one token each.
        question: a template with ``{prompt}`` and ``{response}``; put into a user turn where the
            tokenizer has a chat template.
        lora: a ``peft.LoraConfig``, to train adapters alone.
        copy: False trains ``base`` itself.

    Raises:
        ValueError: ``yes`` or ``no`` is not a single token (the message names the pieces), or
            they are the same one.
    """

    kind = "generative"

    def __init__(
        self,
        base: Any,
        tokenizer: Any,
        *,
        yes: str = "Yes",
        no: str = "No",
        question: str = QUESTION,
        lora: Any = None,
        copy: bool = True,
    ) -> None:
        self._linear_head = has_linear_head(base)
        if "{prompt}" not in question or "{response}" not in question:
            raise ValueError(f"question needs {{prompt}} and {{response}}, got {question!r}")
        self.yes_id, self.no_id = (_single_token(tokenizer, word) for word in (yes, no))
        if self.yes_id == self.no_id:
            raise ValueError(f"this tokenizer reads {yes!r} and {no!r} as the same token")
        base = copying.deepcopy(base) if copy else base
        if lora is not None:
            base = pretrained.with_adapter(base, lora, "CAUSAL_LM")
        super().__init__(base, tokenizer)
        self.yes, self.no, self.question = yes, no, question

    def encode(self, prompt: Text, response: Text) -> Encoded:
        encode(self.tokenizer, prompt, response)  # the same errors as everywhere
        texts = {"prompt": _as_text(prompt), "response": _as_text(response)}
        # In one pass: a response may itself speak of "{prompt}".
        asked = re.sub(r"\{(prompt|response)\}", lambda m: texts[m[1]], self.question)
        if getattr(self.tokenizer, "chat_template", None):
            turn = [{"role": "user", "content": asked}]
            asked = self.tokenizer.apply_chat_template(
                turn, tokenize=False, add_generation_prompt=True
            )
            ids = self.tokenizer(asked, add_special_tokens=False)["input_ids"]
        else:
            ids = encode(self.tokenizer, asked, self.yes).prompt
        return Encoded(tuple(ids), (self.yes_id,))

    def rewards(self, rows: Rows) -> Tensor:
        return self._verdicts(rows)[0].exp()

    def forward(self, rows: Rows) -> tuple[Tensor, Tensor]:
        yes, no = self._verdicts(rows)
        n = len(yes) // 2
        return -(yes[:n] + no[n:]) / 2, yes.exp()

    def _verdicts(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """ln pi("Yes") and ln pi("No") after each question: [S], [S]."""
        logits = response_logits(self.model, rows, linear_head=self._linear_head)
        return tuple(
            pick_logprobs(logits, torch.full_like(rows.target, token))
            for token in (self.yes_id, self.no_id)
        )

    @classmethod
    def from_pretrained(cls, path: Any) -> GenerativeRM:
        """Open what ``save_pretrained`` wrote, its question and answers with it."""
        return pretrained.load(path, cls)

    def settings(self) -> dict[str, Any]:
        return {"yes": self.yes, "no": self.no, "question": self.question}


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


def _single_token(tokenizer: Any, word: str) -> int:
    ids = tokenizer(word, add_special_tokens=False)["input_ids"]
    if len(ids) != 1:
        pieces = [tokenizer.decode([token]) for token in ids]
        raise ValueError(f"{word!r} must be one token, this tokenizer cuts it into {pieces}")
    return ids[0]


def _as_text(text: Text) -> str:
    """A conversation as plain text: one message alone as it is, several with their roles."""
    if isinstance(text, str):
        return text
    if len(text) == 1:
        return text[0]["content"]
    return "\n".join(f"{message['role']}: {message['content']}" for message in text)
