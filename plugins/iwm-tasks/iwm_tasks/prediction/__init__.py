"""``iwm predict``: what a tuned model answers for image files, as tables and masks."""
