"""What the core itself brings through the hooks: no component."""
