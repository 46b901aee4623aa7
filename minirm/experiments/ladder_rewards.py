"""The rewards between the explicit and the implicit one that the library itself has no use for.

Each is one of the library's two with one thing changed: where its states are read, or what a token
counts. They are trained and asked for rewards like any other. ``save_pretrained`` writes their
weights, but no class of the library opens that again: ``kind`` says that they are something else.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from minirm.batches import Rows
from minirm.forward import hidden_states, response_logits, upcast
from minirm.logprobs import pick_logprobs
from minirm.rewards import ExplicitRM, ImplicitRM


class SummedStates(ExplicitRM):
    """r(x, y) = sum_k <u, h_k>: the explicit head, summed over states and not read off the last.

    Args:
        base: a causal LM, copied.
        tokenizer: its tokenizer.
        at: "token": h_k is the state at response token k, so the sum is |y| times what pooling
            "mean" gives. "before": h_k is the state before token k, which has not seen it yet: the
            states that an implicit reward reads. The EOS itself is then read nowhere.
        options: as for ``ExplicitRM``.
    """

    kind = "explicit, summed"

    def __init__(
        self, base: Any, tokenizer: Any, *, at: Literal["token", "before"], **options: Any
    ) -> None:
        super().__init__(base, tokenizer, **options)
        self.at = at

    def _features(self, rows: Rows) -> Tensor:
        """What the head is applied to, one row a sequence: [S, D]."""
        states = upcast(hidden_states(self.model, rows)).flatten(0, 1)
        places = rows.position if self.at == "token" else rows.source
        total = states.new_zeros(rows.n_sequences, states.shape[-1])
        return total.index_add(0, rows.sequence, states[places])


class VectorPerToken(ImplicitRM):
    """r(x, y) = beta sum_k <U_{y_k}, h_{x, y<k}>: the raw logits of the response's tokens.

    The implicit reward without its softmax, and without its reference unless one is asked for.
    Every token has a vector of its own, so rho is 1 for two equal tokens and 0 for any others
    (``dynamics.predicted_change`` has the softmax's rho, and so does not hold here).

    Args:
        base: a causal LM, copied.
        tokenizer: its tokenizer.
        reference: whose logits are subtracted, as for ``ImplicitRM``.
        options: as for ``ImplicitRM``.
    """

    kind = "vector a token"

    def __init__(self, base: Any, tokenizer: Any, *, reference: Any = None, **options: Any) -> None:
        super().__init__(base, tokenizer, reference=reference, **options)

    def token_logprobs(self, model: Any, rows: Rows) -> Tensor:
        """Not ln pi but the logit of each response token: [N]."""
        logits = response_logits(model, rows, linear_head=self._linear_head)
        return upcast(logits.gather(-1, rows.target[:, None]).squeeze(-1))


class EosApart(ImplicitRM):
    """r(x, y) = beta (sum_k s(y_k) + s'(EOS)), minus the same under the reference.

    The sum is over the words of the response, all its tokens but the EOS. s and s' are either
    ln pi of the token or its raw logit <U_{y_k}, h_{x, y<k}>; s' may be 0 as well. With ln pi for
    both this is the implicit reward, with the logit for both ``VectorPerToken`` with a reference.

    Args:
        base: a causal LM, copied.
        tokenizer: its tokenizer.
        words: "logprob" or "logit": s, what a word counts.
        eos: "logprob", "logit" or "nothing": s', what the EOS counts.
        options: as for ``ImplicitRM``.
    """

    kind = "implicit, EOS apart"

    def __init__(
        self,
        base: Any,
        tokenizer: Any,
        *,
        words: Literal["logprob", "logit"],
        eos: Literal["logprob", "logit", "nothing"],
        **options: Any,
    ) -> None:
        super().__init__(base, tokenizer, **options)
        self.words, self.eos = words, eos

    def token_logprobs(self, model: Any, rows: Rows) -> Tensor:
        """s of each word of the responses and s' of each EOS: [N]."""
        logits = response_logits(model, rows, linear_head=self._linear_head)
        logit = upcast(logits.gather(-1, rows.target[:, None]).squeeze(-1))
        counts = {
            "logit": logit,
            "logprob": pick_logprobs(logits, rows.target),
            "nothing": torch.zeros_like(logit),
        }
        ends = rows.target == self.tokenizer.eos_token_id
        return torch.where(ends, counts[self.eos], counts[self.words])


class LoweredEos(ImplicitRM):
    """The implicit reward of two models that expect the EOS less, everywhere.

    r(x, y) = beta sum_k (ln pi'(y_k) - ln pi'_ref(y_k)), where pi' and pi'_ref are the softmax of
    the policy's and the reference's logits after ``by`` is taken off that of the EOS: every softmax
    is kept, but the EOS is no longer certain where an answer ends.

    Args:
        base: a causal LM, copied.
        tokenizer: its tokenizer.
        by: what is taken off, in nats.
        options: as for ``ImplicitRM``.
    """

    kind = "implicit, EOS lowered"

    def __init__(self, base: Any, tokenizer: Any, *, by: float, **options: Any) -> None:
        super().__init__(base, tokenizer, **options)
        self.by = by

    def token_logprobs(self, model: Any, rows: Rows) -> Tensor:
        """ln pi' of each response token: [N], in nats."""
        logits = response_logits(model, rows, linear_head=self._linear_head)
        lowered = torch.zeros(logits.shape[-1], dtype=logits.dtype, device=logits.device)
        lowered[self.tokenizer.eos_token_id] = self.by
        return pick_logprobs(logits - lowered, rows.target)


class PerTokenImplicit(ImplicitRM):
    """r(x, y) = beta / |y| * (ln pi(y|x) - ln pi_ref(y|x)): the implicit reward of a mean token.

    |y| counts the EOS. ``dynamics.predicted_change`` knows nothing of the division.
    """

    kind = "implicit, per token"

    def rewards(self, rows: Rows) -> Tensor:
        return super().rewards(rows) / torch.bincount(rows.sequence)
