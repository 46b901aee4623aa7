"""A run on the small model of the fixture ``base``, which stands for a real one."""

from minirm.experiments import real


def run(**changes):
    """Two steps, two questions, and whatever is changed."""
    small = {"base": "base", "data": "persona.jsonl", "epochs": 1, "batch_size": 40, "prompts": 2}
    return real.Run(**small | {"lr": 1e-3} | changes)
