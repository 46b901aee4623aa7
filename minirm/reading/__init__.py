"""What a reward model reads: its rewards asked for on texts that differ in one thing.

``rewrites`` changes answers without a model, ``wordings`` finds rewrites that the data has,
``prompts`` exchanges what they answer, ``surface`` counts, ``growth`` and ``attribution`` look
inside one answer. ``asking`` has all of them scored in one pass; ``report`` puts them together and
``findings`` says in words what came out.
"""
