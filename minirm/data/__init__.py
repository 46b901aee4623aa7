"""Preference data as people have it: files, datasets on the hub, and their many formats."""
