"""The pytest plugin makes a test of each thing that `iwm plugins check` checks, where it is asked to, and is nothing elsewhere."""

import subprocess
import sys

import pytest
from iwm_devkit import CHECKS
from iwm_devkit.plugin_check import components, recipes
from plugin_packages import GAIN, package

pytest_plugins = "pytester"
LOADED = components, recipes, CHECKS
"""What is imported within a pytest of `pytester` is forgotten after it: this must not be imported twice."""

SHIM = {"metadata": "Name: iwm-try-shim\n", "entry_points": "[pytest11]\niwm = iwm_devkit.pytest_plugin\n"}


@pytest.fixture
def tests(site, pytester, monkeypatch):
    """Runs pytest in a folder with one test, where a good and a bad plugin are installed; the core's entry point is there, too."""
    package(site, "iwm-try-shim", "", **SHIM)
    package(site, "iwm-try-good")
    package(site, "iwm-try-bad", gain__py=GAIN.replace("gain", "glare").replace(".clamp(0, 1)", ""))
    monkeypatch.setattr("iwm_devkit.plugin_check.checks.check_import", lambda point: None)  # tested elsewhere, and slow
    monkeypatch.setattr("iwm_devkit.actions.check_compiles", lambda *given: None)  # what torch imports for it is forgotten, too
    monkeypatch.chdir(pytester.path)
    pytester.makepyfile(test_own="def test_own(): pass")

    def run(*words, ini=""):
        pytester.makepyprojecttoml(f'[tool.pytest.ini_options]\naddopts = "-p no:xdist"\niwm_plugins = [{ini}]\n')
        return pytester.runpytest_inprocess(*words)

    return run


def test_it_does_nothing_unless_it_is_asked(tests):
    tests().assert_outcomes(passed=1)


def test_the_option_adds_a_test_for_each_check(tests):
    result = tests("-v", "test_own.py", "--iwm-plugin", "iwm-try-good")
    result.assert_outcomes(passed=9)
    result.stdout.fnmatch_lines(["*collected 9 items", "test_own.py::test_own PASSED*", "iwm-try-good::action: gain PASSED*"])


def test_a_failure_is_its_message_alone(tests):
    result = tests("--iwm-plugin", "bad", "--iwm-plugin", "good")
    result.assert_outcomes(passed=16, failed=1)
    text = result.stdout.str()
    failure = text[text.index("= FAILURES =") : text.index("= short test summary")]
    assert "iwm-try-bad action: glare" in failure
    assert failure.splitlines()[2].startswith("apply() must return images in [0, 1]: clamp; got 0")
    assert len(failure.splitlines()) == 4, failure  # with the edge of the summary


def test_the_ini_counts_where_there_are_no_paths(tests):
    tests(ini='"iwm-try-good"').assert_outcomes(passed=9)
    tests("test_own.py", ini='"iwm-try-good"').assert_outcomes(passed=1)


def test_tests_are_chosen_by_name(tests):
    tests("-k", "gain or own", ini='"iwm-try-good"').assert_outcomes(passed=3, deselected=6)


def test_an_unknown_name_is_one_error(tests):
    result = tests("--iwm-plugin", "iwm-try-god")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.stderr.lines if line.strip()]
    assert line.startswith("ERROR: --iwm-plugin: no plugin 'iwm-try-god' is installed; did you mean iwm-try-good? plugins: iwm, iwm-core")


@pytest.mark.slow
def test_processes_of_xdist_agree(tests, pytester, site, monkeypatch):
    package(site, "iwm-try-light", "x = 1\n", needs=None)
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\niwm_plugins = ["iwm-try-light"]\n')
    monkeypatch.setenv("PYTHONPATH", str(site))
    result = pytester.runpytest_subprocess("-n", "1")
    result.assert_outcomes(passed=4, failed=2)


@pytest.mark.slow
def test_it_is_light():
    """Every pytest of the environment imports it."""
    code = "import sys\nimport iwm_devkit.pytest_plugin\nassert not {'torch', 'iwm_core.plugins.loader'} & set(sys.modules)\n"
    subprocess.run([sys.executable, "-c", code], check=True)
