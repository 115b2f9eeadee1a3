"""A plugin made for another version of the core is named by `iwm plugins`, and not imported."""

import subprocess
import sys

import pytest
from iwm_devkit.versions import bounds
from plugin_packages import HOOKS, package

from iwm_core import __version__
from iwm_core.interfaces import UserError
from iwm_core.plugins.loader import load_plugins


def problem(name):
    load_plugins.cache_clear()
    return next(plugin.problem for plugin in load_plugins().plugins if plugin.distribution == name)


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        ("iwm-core>=7,<8", "iwm-core<8,>=7"),
        ("iwm-core<0.1", "iwm-core<0.1"),
        ("Iwm_Core (>=7)", "iwm-core>=7"),
        ("iwm-core>=7; python_version >= '3'", "iwm-core>=7"),
    ],
)
def test_another_version_is_named_in_one_line_and_nothing_is_imported(site, needs, told):
    package(site, "iwm-try-late", "raise RuntimeError('imported')\n", needs=needs)
    package(site, "iwm-try-good")
    assert problem("iwm-try-late") == (
        f"it is made for {told}, and {__version__} is installed; `pip install --upgrade iwm-try-late`, `pip uninstall iwm-try-late`, "
        "or set IWM_DISABLED_PLUGINS=late"
    )
    assert problem("iwm-try-good") is None


@pytest.mark.parametrize(
    "needs",
    [
        *(None, f"iwm-core{bounds(__version__)}", "iwm-core", "iwm-core-more>=7", "numpy>=1", "iwm core = 1"),
        *("iwm-core>=7; extra == 'test'", "iwm-core>=7; python_version < '3'"),
    ],
)
def test_what_fits_or_says_nothing_works(site, needs):
    package(site, "iwm-try-fine", needs=needs)
    assert problem("iwm-try-fine") is None
    assert list(load_plugins().entries("action")) == ["gain"]


def test_strictness_makes_it_an_error(site, monkeypatch):
    package(site, "iwm-try-late", needs="iwm-core>=7")
    monkeypatch.setenv("IWM_STRICT_PLUGINS", "1")
    load_plugins.cache_clear()
    with pytest.raises(UserError, match="plugin 'late' of iwm-try-late: it is made for iwm-core>=7"):
        load_plugins()


@pytest.mark.slow
def test_iwm_plugins_shows_it_without_torch(site, monkeypatch):
    package(site, "iwm-try-late", HOOKS, needs="iwm-core>=7")
    monkeypatch.setenv("PYTHONPATH", str(site))
    code = (
        "import sys, time\nfrom iwm_core.cli.main import dispatch\nassert dispatch(['plugins']) == 0\n"
        "assert 'torch' not in sys.modules\nassert time.process_time() < 0.5, time.process_time()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("late")]
    assert "it is made for iwm-core>=7" in line
