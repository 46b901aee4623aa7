"""By check, its solution and wrong answers, each of which has a hint of its own.

``CASES[name]`` is (solution, wrong answers); the teacher's guide prints the code of the latter.
"""

from importlib import import_module
from pkgutil import iter_modules

CASES = {}
for module in iter_modules(__path__):
    CASES |= import_module(f"{__name__}.{module.name}").CASES
