"""Shapes in annotations are enforced while testing: the import hook must come before any of our modules.

Side by side (``pytest -n 2``), each process computes with one thread: together, threads of several processes are many times slower.
"""

import os

from jaxtyping import install_import_hook

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

PACKAGES = ["iwm_core", "iwm_masking", "iwm_photometric", "iwm_crop", "iwm_scenes", "iwm_evals", "iwm_tasks"]
install_import_hook(PACKAGES, "shape_checker.check")
