"""What this package brings to iwm. Not in its ``__init__``: a loader looks at every name of a module, and there it would import all checks."""
