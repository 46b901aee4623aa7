"""Figures of the book. Needs the ``book`` extra; ``import minirm`` never comes here."""
