"""A run's directory: its lock, its frozen config, checkpoints, records and logs."""
