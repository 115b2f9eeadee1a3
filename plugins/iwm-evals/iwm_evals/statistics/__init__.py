"""Numbers over images, with their confidence intervals."""
