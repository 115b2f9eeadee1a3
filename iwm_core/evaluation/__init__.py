"""Runs evaluators on a frozen model, keeps what they found, and reads it back."""
