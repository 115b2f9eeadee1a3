"""Runs evaluators on a frozen model, says how sure their numbers are, keeps what they found, and reads it back."""
