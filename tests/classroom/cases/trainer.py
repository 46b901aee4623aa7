"""Solutions and wrong answers of the chapter "Inside the trainer"."""

import torch


def block_mask(n, answers, see_prompt=True, causal=True, apart=True):
    sizes = torch.tensor([n, *answers])
    s = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
    allowed = torch.ones(len(s), len(s), dtype=torch.bool)
    if apart:
        allowed = (s[:, None] == s) | ((s == 0) & see_prompt)
    return allowed.tril() if causal else allowed


def restarted(n, answers):
    return torch.cat([torch.arange(n), *(torch.arange(n, n + k) for k in answers)])


CASES = {
    "block_mask": (
        block_mask,
        [
            lambda n, a: block_mask(n, a, apart=False),
            lambda n, a: block_mask(n, a, causal=False),
            lambda n, a: block_mask(n, a).T,
            lambda n, a: block_mask(n, a, see_prompt=False),
            lambda n, a: block_mask(n, a).tril(-1),
            lambda n, a: ~block_mask(n, a),
            lambda n, a: torch.zeros(n + sum(a), n + sum(a)),
            lambda n, a: block_mask(n, a)[n:],
            lambda n, a: None,
        ],
    ),
    "restarted_positions": (
        restarted,
        [
            lambda n, a: torch.arange(n + sum(a)),
            lambda n, a: torch.cat([torch.arange(k) for k in (n, *a)]),
            lambda n, a: restarted(n, a) + (torch.arange(n + sum(a)) >= n),
            lambda n, a: restarted(n, a) - (torch.arange(n + sum(a)) >= n).long(),
            lambda n, a: restarted(n, a) + 1,
            lambda n, a: restarted(n, a).flip(0),
            lambda n, a: restarted(n, a)[n:],
        ],
    ),
}
