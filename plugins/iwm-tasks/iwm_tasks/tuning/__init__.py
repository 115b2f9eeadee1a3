"""Tuning a world model for tasks (PAPER §7): what is trained, on what, what it costs, how protocols compare, what a tuned model answers."""
