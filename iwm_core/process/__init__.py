"""What this process is on: its signals, children and devices, and what it shows meanwhile."""
