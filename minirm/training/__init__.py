"""Training: the loop, its settings, what it watches, and what it leaves on the disk."""
