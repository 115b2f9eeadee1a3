"""What this process is on: its signals, its device, and what it shows meanwhile."""
