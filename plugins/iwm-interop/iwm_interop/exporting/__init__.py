"""From a run to files that others read without iwm: written, read back, found equal, and only then put in place."""
