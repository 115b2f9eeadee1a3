"""Tuning a world model for tasks (PAPER §7): what is trained, on what, and what it costs."""
