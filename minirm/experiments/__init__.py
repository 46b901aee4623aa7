"""Experiments: one file each, run by ``minirm experiment NAME``, recorded as results files."""
