"""What the distributions require of others: lower bounds, and pins within them; `slow/versions.py` runs the tests on both."""

import ast
import re
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from places import ROOT
from versions import dependencies, known, lowest

PROJECTS = sorted(path.parent for path in (ROOT / "pyproject.toml", *ROOT.glob("*/pyproject.toml"), *ROOT.glob("plugins/*/pyproject.toml")))
BROUGHT = {
    **{"PIL": "pillow", "yaml": "pyyaml", "hydra": "hydra-core", "omegaconf": "hydra-core", "markupsafe": "jinja2"},
    "umap": "umap-learn",
    "fastapi": "gradio",
    **{"torch": "iwm-core", "jaxtyping": "iwm-core"},  # what interfaces are made of
}
"""The distributions that bring modules of another name."""
LATE = {"iwm_explore.calls", "iwm_explore.page"}
"""Modules that are imported by functions alone, with what an extra brings."""


@pytest.mark.parametrize("folder", PROJECTS, ids=lambda folder: folder.name)
def test_what_a_distribution_imports_it_requires(folder):
    told = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    required = {Requirement(text).name for text in told["project"]["dependencies"]} | {told["project"]["name"]}
    extras = {name: {Requirement(text).name for text in texts} for name, texts in told["project"].get("optional-dependencies", {}).items()}
    kit, core = extras.pop("kit", set()), tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = set[str]().union(*extras.values(), core["optional-dependencies"])
    (package,) = told["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    required.add(package.replace("_", "-"))
    imported = {}
    for path in (folder / package).rglob("*.py"):
        if not re.search(r"scaffold/\w+/", path.as_posix()):  # templates of other packages
            module = ast.parse(path.read_text(encoding="utf-8"))
            first = {*module.body}  # what is imported when the module is
            for node in ast.walk(module):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]
                    assert node not in first or not {*names} & LATE
                    late = node not in first or f"{package}.{path.stem}" in LATE
                    extra = (kit if path.parent.name == "kit" else set()) | (optional if late else set())
                    imported |= {
                        top: path.relative_to(folder)
                        for name in names
                        if BROUGHT.get(top := name.split(".")[0], top.replace("_", "-")) not in extra
                    }
    needed = {BROUGHT.get(name, name.replace("_", "-")): where for name, where in imported.items() if name not in sys.stdlib_module_names}
    assert {name: str(where) for name, where in needed.items() if name not in required} == {}


def test_every_dependency_has_a_lower_bound():
    bounds = {name: [r for r in asked if not any(part.operator == ">=" for part in r.specifier)] for name, asked in dependencies().items()}
    assert {name: bare for name, bare in bounds.items() if bare} == {}
    assert len(bounds) > 10


def test_one_dependency_has_one_bound():
    several = {name: {str(r.specifier) for r in asked} for name, asked in dependencies().items()}
    assert {name: texts for name, texts in several.items() if len(texts) > 1} == {}


def test_the_known_versions_are_those_of_all_dependencies_and_within_their_bounds():
    assert sorted(known()) == sorted(dependencies())
    outside = {name: str(v) for name, v in known().items() for r in dependencies()[name] if not r.specifier.contains(str(v))}
    assert outside == {}
    assert all(known()[name] >= version for name, version in lowest().items())


def test_the_readme_and_contributing_say_how_they_are_run():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "tests/slow/versions.py lowest" in text
