"""What there is to learn of images, and how to tell how well it was learned: one module a task type."""
