"""`iwm plugins new`: every package passes its own tests and linters as written, and each mistake ends in one line."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from fresh_environment import OURS
from iwm_devkit.scaffold.installed import giver
from iwm_devkit.scaffold.naming import LONGEST, read_name
from iwm_devkit.scaffold.package import package_files
from iwm_devkit.scaffold.templates import template_names, template_of
from iwm_devkit.versions import bounds
from one_line import assert_one_line
from packaging.requirements import Requirement
from places import ROOT

from iwm_core import __version__
from iwm_core.cli.main import dispatch, guarded
from iwm_core.plugins.loader import load_plugins

LONG = "a" * LONGEST
KINDS = template_names()
NAMES = dict(zip(KINDS, ("gamma", "iwm-film-grain", "x", LONG, "zoom9", "stripes", "iwm_d2", "glow", "scaled", "last-loss"), strict=True))
"""A name for each kind: short, long, of several words, with and without the prefix."""

EACH = """
import os, sys
import pytest, torch._dynamo, iwm_devkit, iwm_vit.predictors.narrow_vit, iwm_evals.statistics.bootstrap  # once, for all packages
for folder in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        imported = "ignore::pytest.PytestAssertRewriteWarning"
        os._exit(pytest.main(["-v", "-W", "error", "-W", imported, "-p", "no:cacheprovider", "-p", "no:xdist"]))
    _, status = os.waitpid(child, 0)
    print(f"status {os.waitstatus_to_exitcode(status)}", flush=True)
"""
"""Runs pytest in several packages, each in a process of its own."""


@pytest.fixture
def new(monkeypatch, tmp_path, capsys):
    """Run ``iwm plugins new`` in an empty directory; returns status, standard error and standard output."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        status = guarded(lambda: dispatch(["plugins", "new", *words]))
        output, error = capsys.readouterr()
        return status, error, output

    return run


@pytest.mark.slow
def test_packages_of_all_kinds_pass_their_own_tests_and_the_check(new, tmp_path, monkeypatch):
    """They are installed by pip, so that their entry points are real."""
    for kind, name in NAMES.items():
        assert new(name, "--kind", kind)[0] == 0
    packages = sorted(tmp_path.iterdir())
    assert len(packages) == len(KINDS)
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--no-compile"]
    subprocess.run([*pip, "--target", site, *packages], check=True)
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    done = subprocess.run([sys.executable, "-c", EACH, *packages], capture_output=True, text=True)
    assert re.findall(r"status (\S+)", done.stdout) == ["0"] * len(KINDS), done.stdout + done.stderr
    for kind, name in NAMES.items():
        names = read_name(name)
        assert f"::{kind.replace('_', ' ')}: {names.component} PASSED" in done.stdout, f"pytest runs the whole check: {done.stdout}"
        own = "test_help_says_how_it_is_used" if kind == "command" else "test_contract"
        assert f"tests/test_{names.component}.py::{own} PASSED" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a", "iwm-core2", "example-two", "examples", LONG])
def test_packages_are_clean_by_their_own_linter_whatever_their_name(new, name):
    """The order of imports and the length of lines depend on it."""
    for kind in KINDS:
        status, error, _ = new(name, "--kind", kind)
        assert (status, error) == (0, "")
        names = read_name(name)
        project = tomllib.loads(Path(names.distribution, "pyproject.toml").read_text())
        assert project["project"]["name"] == names.distribution
        assert project["project"]["entry-points"]["iwm"] == {names.component: names.module}
        hooks = Path(names.distribution, *project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"], "__init__.py")
        told = (
            f"from {names.module}.{names.component} import {names.cls}\n" if kind != "command" else f"{names.module}.{names.component}:run"
        )
        assert told in hooks.read_text()
        Path(names.distribution).rename(kind)
    for command in ("check", "format --check"):
        done = subprocess.run([sys.executable, "-m", "ruff", *command.split(), "--no-cache", "."], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_what_is_written(new):
    status, error, output = new("film-grain", "--kind", "target_selector", "--into=.")
    assert (status, error) == (0, "")
    for line in ("cd iwm-film-grain", 'pip install -e ".[test]"', "pytest", "iwm plugins check iwm-film-grain", "targets=film_grain"):
        assert line in output
    package = Path("iwm-film-grain")
    texts = {str(path.relative_to(package)): path.read_text() for path in package.rglob("*") if path.is_file()}
    module, test = "iwm_film_grain/film_grain.py", "tests/test_film_grain.py"
    assert set(texts) == {"pyproject.toml", "README.md", "LICENSE", "iwm_film_grain/__init__.py", module, test}
    assert "class FilmGrain(TargetSelector)" in texts[module]
    assert texts["LICENSE"] == (ROOT / "LICENSE").read_text()
    assert not re.search("(?i)example", "".join(text for name, text in texts.items() if name != "LICENSE")), "all by its own name"
    assert not re.search("action", texts["README.md"] + texts["pyproject.toml"]), "and its own kind"
    project = tomllib.loads(texts["pyproject.toml"])
    assert project["project"]["name"] == "iwm-film-grain"
    assert project["project"]["entry-points"] == {"iwm": {"film_grain": "iwm_film_grain"}}
    assert project["project"]["dependencies"] == [f"iwm-core{bounds(__version__)}"]
    assert f"iwm-devkit{bounds(__version__)}" in project["project"]["optional-dependencies"]["test"]
    assert project["tool"]["pytest"]["ini_options"]["iwm_plugins"] == ["iwm-film-grain"]


def test_templates_are_short():
    files = [file for kind in KINDS for file in template_of(kind).folder.glob("*.py")]
    assert len(files) == 3 * len(KINDS)
    assert {file.name: count for file in files if (count := len(file.read_text().splitlines())) >= 60} == {}


@pytest.mark.parametrize(
    ("version", "expected"),
    [("0.1.0", ">=0.1,<0.2"), ("0.12.3rc1", ">=0.12.3rc1,<0.13"), ("0.2rc1", ">=0.2rc1,<0.3"), ("2.5.1", ">=2.5,<3"), ("2", ">=2.0,<3")],
)
def test_bounds_on_what_it_needs(version, expected):
    assert bounds(version) == expected


def test_it_needs_what_its_template_imports():
    """A package of each kind: the core, and whatever else of ours its code imports."""
    names = read_name("gamma")
    for kind in KINDS:
        files = package_files(template_of(kind), names)
        imported = {f"iwm-{name}" for name in re.findall(r"^from iwm_(\w+)", files["iwm_gamma/gamma.py"], re.MULTILINE)} - {"iwm-gamma"}
        needed = {Requirement(text).name for text in tomllib.loads(files["pyproject.toml"])["project"]["dependencies"]}
        assert needed == imported | ({"iwm-tasks"} if kind == "head" else set()), "which declares the hook of heads"


@pytest.mark.slow
def test_no_torch(tmp_path):
    code = (
        "import sys\nfrom iwm_core.cli.main import dispatch\nassert dispatch(['plugins', 'new', 'gamma', '--kind', 'action']) == 0\n"
        "assert not {'torch', 'hydra', 'timm', 'jaxtyping'} & set(sys.modules), sorted(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=tmp_path)


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ((), ("say what it is called", "iwm plugins new NAME --kind action|")),
        (("--kind", "action"), ("say what it is called",)),
        (("gamma",), ("--kind: action, target_selector",)),
        (("gamma", "--kind"), ("--kind needs a value: write --kind KIND",)),
        (("gamma", "--kind", "actoin"), ("'actoin'", "did you mean action?")),
        (("gamma", "--kind", "target-selector"), ("did you mean target_selector?",)),
        (("gamma", "--kind", "recipe"), ("no template of the kind 'recipe'", "kinds: action")),
        (("tune", "--kind", "command"), ("the verb 'tune' is installed already, from iwm-tasks",)),
        (("plugins", "--kind", "command"), ("the verb 'plugins' is installed already, from iwm-core",)),
        (("gamma", "beta", "--kind", "action"), ("beta",)),
        (("gamma", "--kind", "action", "--force"), ("--force",)),
        (("Gamma", "--kind", "action"), ("'Gamma'", "lower-case", "such as gamma")),
        (("FilmGrain", "--kind", "action"), ("such as film-grain",)),
        (("2d", "--kind", "action"), ("'2d'", "such as d")),
        (("film grain", "--kind", "action"), ("such as film-grain",)),
        (("film--grain", "--kind", "action"), ("such as film-grain",)),
        (("gamma_", "--kind", "action"), ("such as gamma",)),
        (("../gamma", "--kind", "action"), ("such as gamma",)),
        (("größe", "--kind", "action"), ("lower-case",)),
        (("iwm-", "--kind", "action"), ("'iwm-'", "such as film-grain")),
        (("", "--kind", "action"), ("such as film-grain",)),
        (("class", "--kind", "action"), ("class is a word of Python's",)),
        (("none", "--kind", "predictor"), ("None is a word of Python's",)),
        (("draws", "--kind", "action"), ("Draws", "which its module has already")),
        (("a" * (LONGEST + 1), "--kind", "action"), (f"at most {LONGEST}",)),
        (("core", "--kind", "action"), ("iwm-core is installed already",)),
        (("crop", "--kind", "encoder"), ("iwm-crop is installed already",)),
        (("jitter", "--kind", "action"), ("the action 'jitter' is installed already, from iwm-photometric",)),
        (("gamma", "--kind", "action", "--into", "nowhere"), ("no folder nowhere", "--into FOLDER")),
        (("gamma", "--kind", "action", "--into", "/proc"), ("cannot write /proc/iwm-gamma", "--into FOLDER")),
    ],
    ids=lambda v: " ".join(v)[:48] if isinstance(v, tuple) else None,
)
def test_mistakes(new, tmp_path, words, fix):
    status, error, output = new(*words)
    assert_one_line((status, error), *fix)
    assert output == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("empty", [False, True])
def test_nothing_is_overwritten(new, tmp_path, empty):
    (tmp_path / "iwm-gamma").mkdir()
    if not empty:
        (tmp_path / "iwm-gamma" / "mine.py").write_text("kept")
    assert_one_line(new("gamma", "--kind", "action")[:2], "iwm-gamma exists", "--into FOLDER")
    assert [path.name for path in tmp_path.rglob("*")] == (["iwm-gamma"] if empty else ["iwm-gamma", "mine.py"])


def test_half_a_package_does_not_remain(new, tmp_path, monkeypatch):
    real = Path.write_text

    def full(path, *given, **named):
        if path.name.startswith("test_"):
            raise OSError(28, "No space left on device")
        return real(path, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        assert_one_line(new("gamma", "--kind", "action")[:2], "cannot write iwm-gamma: No space left on device")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_whoever_gives_a_component_is_found_without_asking():
    """The sources tell the same as the plugins themselves do."""
    kinds = load_plugins().kinds
    found = {(kind, name): giver(kind, kinds[kind].hook, name) for kind in kinds for name in load_plugins().entries(kind)}
    asked = {(kind, name): entry.plugin.distribution for kind in kinds for name, entry in load_plugins().entries(kind).items()}
    ours = {key: distribution for key, distribution in asked.items() if distribution in OURS}
    assert len(ours) > 40
    assert {key: found[key] for key in ours} == ours
    assert giver("action", "iwm_actions", "vit") is giver("action", "iwm_actions", "no such action") is None
