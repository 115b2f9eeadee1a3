"""Shapes in annotations are enforced while testing: the import hook must come before any of our modules."""

from jaxtyping import install_import_hook

PACKAGES = ["iwm_core", "iwm_masking", "iwm_photometric", "iwm_crop", "iwm_scenes", "iwm_evals", "iwm_tasks"]
install_import_hook(PACKAGES, "shape_checker.check")
