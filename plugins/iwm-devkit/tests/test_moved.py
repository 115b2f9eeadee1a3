"""`iwm plugins check` names today's line for each import from where the core's parts lay before."""

import ast
from importlib import import_module

import pytest
from iwm_devkit.plugin_check import checks_of
from iwm_devkit.plugin_check.moved import MOVED, rewritten, table
from places import ROOT
from plugin_packages import package

from iwm_core.plugins.loader import load_plugins

PUBLIC = ("events", "testing", "intervals", "bootstrap", "jackknife", "predictors", "resample", "health", "planning")
"""What plugins could import of iwm-core 0.1, besides `iwm_core` and `iwm_core.interfaces`."""


def there(name):
    """Whether a dotted name is a module, or in one."""
    try:
        import_module(name)
        return True
    except ModuleNotFoundError:
        module, _, last = name.rpartition(".")
        return bool(module) and there(module) and hasattr(import_module(module), last)


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_what_is_named_is_there_and_what_is_old_is_not(old, new):
    assert there(new)
    assert not there(old)


def test_the_table_knows_all_that_was_public():
    assert {f"iwm_core.{name}" for name in PUBLIC} <= MOVED.keys()


def test_the_changelog_has_the_table():
    assert table() in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("from iwm_core.testing import check_action, check_head", "from iwm_devkit import check_action, check_head"),
        ("from iwm_core.testing.known_model import SLIDE", "from iwm_devkit.known_model import SLIDE"),
        ("from iwm_core import testing", "import iwm_devkit as testing"),
        ("import iwm_core.testing", "import iwm_devkit"),
        ("import iwm_core.intervals as i, torch", "import iwm_evals.statistics.intervals as i; import torch"),
        ("from iwm_core.predictors.narrow_vit import NarrowViT", "from iwm_vit.predictors.narrow_vit import NarrowViT"),
        ("from iwm_core import health as h", "from iwm_evals.scores import health as h"),
        (
            "from iwm_core.interfaces import Draws, Task as T, Protocol, option",
            "from iwm_core.interfaces import Draws, option; from iwm_tasks.interfaces import Task as T, Protocol",
        ),
        *(
            (line, "")
            for line in (
                "from iwm_core.interfaces import Draws",
                "import iwm_core",
                "from iwm_core.events_too import x",
                "from . import testing",
            )
        ),
    ],
)
def test_lines(old, new):
    assert rewritten(ast.parse(old).body[0]) == new


@pytest.mark.slow
def test_each_old_line_of_a_plugin_is_told_even_where_it_cannot_be_imported(site):
    hooks = "from iwm_core import hookimpl\nfrom iwm_core.events import TrainEnd\n"
    package(site, "iwm-try-old", hooks, gain__py="def f():\n    from iwm_core.testing import check_action\n", torn__py="def")
    load_plugins.cache_clear()
    results = {check.kind: check.result().problem for check in checks_of("iwm-try-old")}
    assert results["imports"] == (
        "iwm_try_old/__init__.py:2: `from iwm_core.events import TrainEnd` is now `from iwm_core.interfaces.events import TrainEnd`; "
        "iwm_try_old/gain.py:2: `from iwm_core.testing import check_action` is now `from iwm_devkit import check_action`"
    )
    assert "cannot import iwm_try_old" in results["entry_point"]


def test_tests_beside_a_package_of_a_checkout_are_looked_at_too(site):
    package(site, "iwm-try-mine")
    (site / "pyproject.toml").write_text("")
    (site / "tests").mkdir()
    (site / "tests" / "test_gain.py").write_text("from iwm_core.testing import check_action\n")
    load_plugins.cache_clear()
    (result,) = [check.result() for check in checks_of("iwm-try-mine") if check.kind == "imports"]
    assert result.problem.startswith("tests/test_gain.py:1: ")
