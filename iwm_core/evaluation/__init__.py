"""Runs evaluators on a frozen model, and says how sure their numbers are."""
