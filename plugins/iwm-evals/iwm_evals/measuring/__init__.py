"""Measures runs: evaluators at work on a frozen model, what they find kept by the settings that they measured with, and read back."""
