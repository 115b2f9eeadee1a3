"""Protocols: what of a world model is trained for tasks (PAPER §7)."""
