"""Every distribution's README has one shape, which `iwm plugins new` gives to others: what it is, install, use, more, test."""

import re

import pytest
from places import ROOT

READMES = [
    *sorted(ROOT.glob("plugins/*/README.md")),
    ROOT / "recipes/README.md",
    *ROOT.glob("plugins/*/iwm_devkit/scaffold/shared/README.md"),
]


def test_each_distribution_has_one():
    assert len(READMES) == len([*ROOT.glob("plugins/*/pyproject.toml")]) + 2


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_its_sections(readme):
    text = readme.read_text(encoding="utf-8")
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert re.match(r"# iwm(-\w+)?\n\n\w", text), "a title, then what it is"
    assert sections[:2] == ["Install", "Use"]
    assert sections[-1] == "Test"
    assert text.index("\n## Install") < 1200, "what it is, is told in short"
