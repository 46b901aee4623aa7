"""The idea of the whole book. Two rewards (and a third) read from one language model.

    explicit     r(x, y) = <u, h_{x,y}>                            a linear head on the last state
    implicit     r(x, y) = beta * (ln pi(y|x) - ln pi_ref(y|x))    what DPO trains
    generative   r(x, y) = pi("Yes" | is y a good answer to x?)    a language model as a judge

Notation as in arXiv 2507.07981, section 2. All three are trained on the same pairs, are asked for
rewards by the same ``score``, and hold their own copy of the model that they were given.
"""

from __future__ import annotations

import copy as copying
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import linear

from minirm.batches import Rows
from minirm.conversations import Tools, apply_template, as_plain_text
from minirm.encoding import Encoded, Text, TextFormat, encode, without_padding
from minirm.forward import hidden_states, language_model, response_logits, upcast
from minirm.logprobs import pick_logprobs, response_logprobs, sum_by_sequence
from minirm.models.adapters import is_adapted
from minirm.models.dropout import without_dropout
from minirm.models.heads import ensure_pad, with_head
from minirm.models.probes import has_linear_head
from minirm.reward_model import RewardModel
from minirm.tokens import single_token


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
        text_format: how strings are put together and which day it is; kept with the model.

    Raises:
        ValueError: the base is no causal LM, or its head has more than one output.
    """

    kind = "explicit"
    adapter_task = "SEQ_CLS"

    def __init__(
        self,
        base: Any,
        tokenizer: Any,
        *,
        pooling: Literal["last", "mean"] = "last",
        seed: int = 0,
        lora: Any = None,
        copy: bool = True,
        text_format: TextFormat | None = None,
    ) -> None:
        if pooling not in ("last", "mean"):
            raise ValueError(f'pooling must be "last" or "mean", got {pooling!r}')
        model = with_head(base, seed, copy=copy)
        if text_format is None or text_format.ends_in_eos:
            tokenizer = ensure_pad(model, tokenizer)
        super().__init__(model, tokenizer, lora=lora, copy=False, text_format=text_format)
        self.pooling = pooling

    def encode(self, prompt: Text, response: Text, tools: Tools | None = None) -> Encoded:
        encoded = super().encode(prompt, response, tools)
        if not self.text_format.ends_in_eos:  # a classifier: read at the last token but padding
            encoded = without_padding(encoded, self.model.config.get_text_config().pad_token_id)
        return encoded

    def rewards(self, rows: Rows) -> Tensor:
        # <u, h> in full even under autocast: rounded rewards would tie where they differ.
        states, head = self._features(rows), language_model(self.model).score
        bias = None if head.bias is None else upcast(head.bias)
        with torch.autocast(states.device.type, enabled=False):
            # [S, 1], summed: a view, as squeeze would give, is nothing that FSDP likes to return.
            return linear(upcast(states), upcast(head.weight), bias).sum(-1)

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
        states = upcast(states)
        total = states.new_zeros(rows.n_sequences, states.shape[-1])
        total = total.index_add(0, rows.sequence, states[rows.position])
        return total / torch.bincount(rows.sequence).unsqueeze(-1)

    def settings(self) -> dict[str, Any]:
        return {"pooling": self.pooling}


class ImplicitRM(RewardModel):
    """r(x, y) = beta * (ln pi(y|x) - ln pi_ref(y|x)): the reward that DPO trains (IM-RM).

    Log-probabilities are summed over the response's tokens, EOS included. The reference is a
    frozen copy of the base as handed over, so a fresh IM-RM gives every response exactly 0.

    Args:
        base: a causal LM, copied.
        tokenizer: its tokenizer.
        beta: reward per nat, > 0; the paper uses 0.01.
        reference: "base", another causal LM (same vocabulary), or None for r = beta ln pi(y|x).
        lora: a ``peft.LoraConfig``, to train adapters alone. The base is then its own reference,
            with the adapters off: no second copy of it exists.
        copy: False trains ``base`` itself; the reference is a copy all the same.
        text_format: how strings are put together and which day it is; kept with the model.

    Raises:
        ValueError: beta is not positive, or the base or the reference is no causal LM.
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
        text_format: TextFormat | None = None,
    ) -> None:
        if not beta > 0:
            raise ValueError(f"beta must be positive, got {beta!r}")
        if isinstance(reference, str) and reference != "base":
            raise ValueError(f'reference must be "base", a model or None, got {reference!r}')
        self._linear_head = has_linear_head(base)
        self._base_is_reference = isinstance(reference, str) and (
            lora is not None or is_adapted(base)
        )
        frozen = base if isinstance(reference, str) else reference
        if self._base_is_reference:
            frozen = None
        elif frozen is not None and frozen is not base:
            self._linear_head &= has_linear_head(frozen)
        if frozen is not None:  # copied before the dropout of a base trained in place is changed
            frozen = without_dropout(copying.deepcopy(frozen)).requires_grad_(False)
        super().__init__(base, tokenizer, lora=lora, copy=copy, text_format=text_format)
        self.beta = beta
        self.reference = frozen

    def rewards(self, rows: Rows) -> Tensor:
        return self.beta * (self.logprobs(rows) - self.reference_logprobs(rows))

    def logprobs(self, rows: Rows) -> Tensor:
        """ln pi(y|x) under the model being trained: [S], in nats."""
        return sum_by_sequence(self.token_logprobs(self.model, rows), rows)

    @torch.no_grad()
    def reference_logprobs(self, rows: Rows) -> Tensor:
        """ln pi_ref(y|x): [S], in nats; zeros without a reference."""
        if rows.reference is not None:
            return rows.reference
        if not self.has_reference:
            return torch.zeros(rows.n_sequences, device=rows.last.device)
        with self._reference_model() as model:
            return sum_by_sequence(self.token_logprobs(model, rows), rows)

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
        shares = self.token_logprobs(self.model, rows)
        if self.has_reference:
            with self._reference_model() as model:
                shares = shares - self.token_logprobs(model, rows)
        return [self.tokenizer.decode([t]) for t in sequence.response], self.beta * shares.cpu()

    def token_logprobs(self, model: Any, rows: Rows) -> Tensor:
        """ln pi of each response token under ``model``, policy or reference: [N], in nats.

        The one place to override for a policy that can say less, or says it otherwise.
        """
        return response_logprobs(model, rows, linear_head=self._linear_head)

    def _networks(self) -> list[Any]:
        other = self.reference is not None and type(self.reference) is not type(self.model)
        return [self.model, self.reference] if other else [self.model]

    def settings(self) -> dict[str, Any]:
        return {"beta": self.beta}


QUESTION = "Question: {prompt}\nAnswer: {response}\nVerification: Is the answer correct (Yes/No)? "


class GenerativeRM(RewardModel):
    """r(x, y) = pi("Yes" | question about x and y): the model as its own judge (EX-GRM).

    The reward is the full-softmax probability of the token ``yes`` after a verification question.
    It is trained as in the paper's appendix A, by cross-entropy: "Yes" after the chosen response,
    "No" after the rejected one, averaged over the two.

    Args:
        base: a causal LM, copied.
        tokenizer: its tokenizer.
        yes: the verdict on a good answer, one token.
        no: the verdict on a bad one, one token.
        question: a template with ``{prompt}`` and ``{response}``; put into a user turn where the
            tokenizer has a chat template.
        lora: a ``peft.LoraConfig``, to train adapters alone.
        copy: False trains ``base`` itself.
        text_format: how strings are put together and which day it is; kept with the model.

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
        text_format: TextFormat | None = None,
    ) -> None:
        self._linear_head = has_linear_head(base)
        if "{prompt}" not in question or "{response}" not in question:
            raise ValueError(f"question needs {{prompt}} and {{response}}, got {question!r}")
        self.yes_id, self.no_id = (single_token(tokenizer, word) for word in (yes, no))
        if self.yes_id == self.no_id:
            raise ValueError(f"this tokenizer reads {yes!r} and {no!r} as the same token")
        super().__init__(base, tokenizer, lora=lora, copy=copy, text_format=text_format)
        self.yes, self.no, self.question = yes, no, question

    def encode(self, prompt: Text, response: Text, tools: Tools | None = None) -> Encoded:
        how = self.text_format
        encode(self.tokenizer, prompt, response, tools=tools, text_format=how)  # the same errors
        texts = {"prompt": as_plain_text(prompt, tools), "response": as_plain_text(response)}
        # In one pass: a response may itself speak of "{prompt}".
        asked = re.sub(r"\{(prompt|response)\}", lambda m: texts[m[1]], self.question)
        if getattr(self.tokenizer, "chat_template", None):
            turn = [{"role": "user", "content": asked}]
            asked = apply_template(self.tokenizer, turn, date=how.date, add_generation_prompt=True)
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
        yes, no = (torch.full_like(rows.target, token) for token in (self.yes_id, self.no_id))
        return pick_logprobs(logits, yes), pick_logprobs(logits, no)

    def settings(self) -> dict[str, Any]:
        return {"yes": self.yes, "no": self.no, "question": self.question}
