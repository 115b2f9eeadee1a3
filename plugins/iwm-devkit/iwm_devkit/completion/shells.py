"""The shells for which there is a script. Read before anything else is imported."""

SHELLS = ("bash", "zsh", "fish")
