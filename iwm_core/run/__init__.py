"""A run's directory: its lock, its frozen config, checkpoints, records and logs; and the door to what measures it."""
