"""One answer to ``check_reward_gradients``, written in every way that a kernel takes.

``# %`` starts a cell. Where no cell defines ``my_gradients``, one that calls ``pull`` follows.
"""

RIGHT_ANSWERS = {
    "star import": r"""
from torch.nn.functional import *
# %
def pull(m):
    return -logsigmoid(m).expm1() / len(m)
""",
    "filled by a key": r"""
cfg = {}
# %
cfg['sign'] = -1.0
# %
def pull(m):
    return torch.sigmoid(cfg['sign'] * m) / len(m)
""",
    "filled after its use": r"""
def pull(m):
    return steps[0](m) / len(m)
# %
steps = []
# %
steps.append(lambda m: torch.sigmoid(-m))
""",
    "attributes": r"""
class Box:
    pass
# %
box = Box()
box.sign = 1
# %
box.sign = -box.sign
# %
def pull(m):
    return torch.sigmoid(box.sign * m) / len(m)
""",
    "deleted": r"""
abs = 'hides the built-in'
# %
del abs
# %
def pull(m):
    return torch.sigmoid(-m) / abs(len(m))
""",
    "global state": r"""
sign = 1
# %
def turn():
    global sign
    sign = -sign
# %
turn()
# %
def pull(m):
    return torch.sigmoid(sign * m) / len(m)
""",
    "a loop": r"""
signs = {}
for name, sign in [('up', 1), ('down', -1)]:
    signs[name] = sign
# %
def pull(m):
    return torch.sigmoid(signs['down'] * m) / len(m)
""",
    "a with block": r"""
with torch.no_grad():
    minus = -torch.ones(())
# %
def pull(m):
    return torch.sigmoid(minus * m) / len(m)
""",
    "augmented": r"""
minus = 1
# %
minus -= 2
# %
def pull(m):
    return torch.sigmoid(minus * m) / len(m)
""",
    "decorated": r"""
known = {}
def known_as(name):
    def keep(f):
        known[name] = f
        return f
    return keep
# %
@known_as('pull')
def nobody(m):
    return torch.sigmoid(-m) / len(m)
# %
def my_gradients(c, r):
    g = known['pull'](c - r)
    return -g, g
""",
    "scripted": r"""
@torch.jit.ignore
def pull(m):
    return torch.sigmoid(-m) / len(m)
""",
    "classes": r"""
MINUS = -1
# %
class Sign:
    of = MINUS
# %
class Pull(Sign):
    def __call__(self, m):
        return torch.sigmoid(self.of * m) / len(m)
# %
pull = Pull()
""",
    "dataclass": r"""
from dataclasses import dataclass
# %
@dataclass
class Pull:
    sign: int = -1
    def __call__(self, m):
        return torch.sigmoid(self.sign * m) / len(m)
# %
pull = Pull()
""",
    "shell output": r"""
files = !echo one; echo two
# %
def pull(m):
    return torch.sigmoid(-m) * len(files) / 2 / len(m)
""",
    "magics in the cell": r"""
%matplotlib inline
!pip install x
?torch
torch.sigmoid??
%load_ext autoreload
def my_gradients(chosen, rejected):
    g = torch.sigmoid(-(chosen - rejected)) / len(chosen)
    return -g, g
%timeit my_gradients(x, x)
""",
    "timed": r"""
t = %time torch.sigmoid
%time minus = -1
# %
def pull(m):
    return t(minus * m) / len(m)
""",
    "a timed cell": r"""
%%time
def my_gradients(chosen, rejected):
    g = torch.sigmoid(-(chosen - rejected)) / len(chosen)
    return -g, g
""",
    "a captured cell": r"""
%%capture
%%time
def my_gradients(chosen, rejected):
    g = torch.sigmoid(-(chosen - rejected)) / len(chosen)
    return -g, g
""",
    "percent in a docstring": r'''
def my_gradients(chosen, rejected):
    """
    % of all
    !x?
    """
    g = torch.sigmoid(-(chosen - rejected)) / len(chosen)
    return -g, g
''',
    "percent goes on": r"""
def pull(m):
    return torch.sigmoid(-m) / (2 * len(m)
% (len(m) + 1) + 1)
""",
    "indented": r"""
    def pull(m):
        return torch.sigmoid(-m) / len(m)
""",
    "types for later": r"""
from __future__ import annotations
# %
def my_gradients(chosen: T, rejected):
    g = torch.sigmoid(-(chosen - rejected)) / len(chosen)
    return -g, g
""",
    "the last wins": r"""
def pull(m):
    return m
# %
def pull(m):
    return m / 0
# %
1 / 0
# %
def pull(m):
    return torch.sigmoid(-m) / len(m)
""",
    "a broken copy below": r"""
def my_gradients(chosen, rejected):
    g = torch.sigmoid(-(chosen - rejected)) / len(chosen)
    return -g, g
# %
def my_gradients(c, r) return 1
""",
    "a default that is needed": r"""
minus = -1
# %
def pull(m, by=minus):
    return torch.sigmoid(by * m) / len(m)
""",
    "a partial": r"""
from functools import partial
# %
def scaled(m, by):
    return torch.sigmoid(by * m) / len(m)
# %
pull = partial(scaled, by=-1)
""",
    "try": r"""
try:
    from gone import sigmoid
except ImportError:
    from torch import sigmoid
# %
def pull(m):
    return sigmoid(-m) / len(m)
""",
    "a setting": r"""
torch.set_default_dtype(torch.float64)
# %
one = torch.ones(())
# %
def pull(m):
    assert one.dtype == torch.float64
    return torch.sigmoid(-m) / len(m)
# %
torch.set_default_dtype(torch.float32)
""",
}
