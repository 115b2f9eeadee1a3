"""From a file of published weights to a run: each key of the file is explained, or the file is refused."""
