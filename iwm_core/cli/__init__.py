"""The verbs of the core, and the door for others."""
