"""The verbs of the core, and the entry point for plugins' verbs."""
