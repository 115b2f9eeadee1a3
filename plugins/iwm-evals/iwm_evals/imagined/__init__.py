"""Pictures of what a model imagines, beside what is true: cases, strips, two actions in sequence, and plans."""
