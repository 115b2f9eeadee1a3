"""What the distributions require of others: lower bounds, and pins within them; `slow/versions.py` runs the tests on both."""

from slow.versions import ROOT, dependencies, known, lowest


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
