"""The rewards that ``minirm evaluate`` goes by: each distinct answer once, kept as they come."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from minirm.batches import answer_groups
from minirm.commands.kept_rewards import KeptRewards, fingerprint
from minirm.commands.shared import BadCall
from minirm.distributed import processes
from minirm.encoding import Encoded
from minirm.evaluation import pair_rewards, sum_dtype
from minirm.pairs import EncodedPair, PreferencePair
from minirm.progress import progress_bar
from minirm.reward_model import RewardModel
from minirm.rewards import ImplicitRM

BATCHES = 4
"""So many batches of answers are scored between two looks at the clock."""


class SideRewards(NamedTuple):
    """Rewards [B, 2] of the chosen and the rejected answers, and ln pi_ref [B, 2] if there is."""

    rewards: Tensor
    reference: Tensor | None = None


def side_rewards(
    model: RewardModel,
    pairs: Sequence[EncodedPair],
    *,
    batch_size: int,
    keep: KeptRewards | None = None,
) -> SideRewards:
    """Rewards of both answers of every pair, in double precision and on the CPU.

    An answer that occurs in several pairs is scored once, and answers to one prompt share its row.
    The reference of an implicit reward runs anyway, so its ln pi costs nothing.

    Args:
        model: any of the rewards.
        pairs: B of them.
        batch_size: answers at once.
        keep: where they are kept as they come, and taken from where they are there.

    Raises:
        BadCall: rewards are to be kept by several processes.
    """
    if processes().num_processes > 1:
        if keep is not None:
            raise BadCall("--keep is for one process: several would write over each other")
        return SideRewards(torch.stack(pair_rewards(model, pairs, batch_size=batch_size), 1))
    distinct = dict.fromkeys(side for pair in pairs for side in (pair.chosen, pair.rejected))
    found: dict[Encoded, tuple[float, ...]] = {}
    name = "" if keep is None else fingerprint(model)
    with progress_bar(total=sum(map(len, distinct)), desc="tokens") as bar, _told(keep):
        for part in parts(model, list(distinct), batch_size):
            kept = None if keep is None else keep.get(name, part)
            numbers = _numbers(model, part, batch_size) if kept is None else kept
            if keep is not None and kept is None:
                keep.add(name, part, numbers)
            found |= zip(part, numbers, strict=True)
            bar.update(sum(map(len, part)))
    table = torch.tensor([[found[p.chosen], found[p.rejected]] for p in pairs], dtype=torch.float64)
    table = table.to(sum_dtype(model))  # as exact as they came
    return SideRewards(table[..., 0], table[..., 1] if table.shape[-1] > 1 else None)


@contextmanager
def _told(keep: KeptRewards | None) -> Iterator[None]:
    """A run that is stopped, by SIGTERM too, says where its rewards are."""
    before = signal.getsignal(signal.SIGTERM)
    # Only the main thread may set one, and what somebody else has set stays.
    ours = before is signal.SIG_DFL and threading.current_thread() is threading.main_thread()
    try:
        if keep is not None and ours:
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        yield
    except BaseException as error:
        if keep is not None and keep.path.exists():
            error.add_note(f"what was scored until then is in {keep.path}: go on with --resume")
        raise
    finally:
        if keep is not None and ours:
            signal.signal(signal.SIGTERM, before)


def parts(
    model: RewardModel, sequences: Sequence[Encoded], batch_size: int
) -> Iterator[list[Encoded]]:
    """The sequences in parts of ``BATCHES`` batches, in the order of the rows that hold them.

    Rows of like width stand together, as in one pass over all of them, so that parts cost no more.
    """
    groups = [[i] for i in range(len(sequences))]
    if model.shares_prompts:
        groups = answer_groups(sequences, model.model.config.get_text_config().hidden_size)
    width = {id(g): sum(len(sequences[i].response) for i in g) for g in groups}
    part: list[Encoded] = []
    for group in sorted(groups, key=lambda g: len(sequences[g[0]].prompt) + width[id(g)]):
        part += [sequences[i] for i in group]
        if len(part) >= BATCHES * batch_size:
            yield part
            part = []
    if part:
        yield part


def _numbers(
    model: RewardModel, part: Sequence[Encoded], batch_size: int
) -> list[tuple[float, ...]]:
    """Of each answer its reward, and its ln pi_ref where the model has a reference."""
    if isinstance(model, ImplicitRM) and model.has_reference:
        reference = model.map_encoded(model.reference_logprobs, part, batch_size=batch_size)
        rewards = model.map_encoded(model.rewards, part, batch_size=batch_size, reference=reference)
        return list(zip(rewards.tolist(), reference.tolist(), strict=True))
    return [(reward,) for reward in model.score_encoded(part, batch_size=batch_size).tolist()]


def check_finite(
    model: RewardModel,
    pairs: Sequence[PreferencePair],
    encoded: Sequence[EncodedPair],
    rewards: Tensor,
) -> None:
    """Name the first pair with a reward that ranks nothing.

    Args:
        model: whose rewards they are.
        pairs: B of them.
        encoded: the same as token ids.
        rewards: [B, 2].

    Raises:
        ValueError: there is one.
    """
    bad = torch.nonzero(~rewards.isfinite()).tolist()
    if not bad:
        return
    place, alone = bad[0], None
    for i, side in bad:
        # Alone, for in a shared row one that is not finite spoils those beside it.
        reward = model.score_encoded([(encoded[i].chosen, encoded[i].rejected)[side]]).item()
        if not math.isfinite(reward):
            place, alone = [i, side], reward
            break
    i, side = place
    value = rewards[i, side].item() if alone is None else alone
    among = "" if alone is not None else " among others, though not alone"
    raise ValueError(
        f"{pairs[i].origin or f'pair {i}, counted from 0'}: the reward of the "
        f"{('chosen', 'rejected')[side]} response is {value}{among}, so no ranking can be read "
        "from it"
    )
