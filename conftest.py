"""Shapes in annotations are enforced while testing: the import hook must come before any of our modules.

Side by side (``pytest -n 2``), each process computes with one thread: together, threads of several processes are many times slower.

What is imported and collected stays until the end: it is not searched for garbage, neither while there is ever more of it nor by tests.
"""

import gc
import os
from importlib.metadata import version
from importlib.util import find_spec

import lazy_jaxtyping  # noqa: F401  # before any function is checked
from jaxtyping import install_import_hook

if lacking := [name for name in ("beartype", "hypothesis", "pytest_timeout", "scipy", "sklearn") if find_spec(name) is None]:
    raise SystemExit(f"the tests need {', '.join(lacking)}: pip install -r requirements-dev.txt")

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

pytest_plugins = ["marks"]

PLUGINS = [
    *("vit", "data", "scenes", "masking", "photometric", "crop", "evals", "tasks", "report", "devkit"),
    *("interop", "bench", "cluster", "repro", "explore"),
]
PACKAGES = ["iwm_core", *(f"iwm_{name}" for name in PLUGINS)]
install_import_hook(PACKAGES, "lazy_jaxtyping.check")
gc.disable()


def pytest_configure(config):
    """What tests are given imports torch and more: not in the process that only hands tests to others, which all of them wait for."""
    if "PYTEST_XDIST_WORKER" in os.environ or not config.getoption("numprocesses", None):
        config.pluginmanager.import_plugin("given")
    else:
        gc.enable()  # as nothing is collected there


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter):
    """Where tests failed, tell a difference of versions from a fault of iwm."""
    from versions import known

    here = {name: version(name).partition("+")[0] for name in known()}
    others = [f"{name} {here[name]} ({pinned})" for name, pinned in known().items() if here[name] != str(pinned)]
    if terminalreporter.stats.get("failed") and others:
        terminalreporter.write_line(f"Not the versions of constraints.txt, with which all tests pass: {', '.join(others)}.")
        terminalreporter.write_line("What fails here and not in `python tests/slow/versions.py known` is a difference of versions.")
