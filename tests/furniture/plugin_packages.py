"""Plugins as installers leave them: a folder with a module and its metadata, on Python's path."""

import functools
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from iwm_core.plugins.loader import load_plugins

GAIN = """
from dataclasses import dataclass

import torch

from iwm_core.interfaces import Action, ActionParams, option


@dataclass(kw_only=True)
class Gain(Action):
    \"\"\"Brightness times a factor.\"\"\"

    name = "gain"
    labels = ("log2",)
    identity = torch.zeros(1)

    strength: float = option(1.0, "largest factor, in powers of two", low=0)

    def sample(self, draws):
        both = draws.uniform(2, -self.strength, self.strength)
        return ActionParams(both[:, :1], both[:, 1:])

    def apply(self, images, params):
        return (images * params.exp2()[:, :, None, None]).clamp(0, 1)

    def encode(self, source, target):
        return (target - source) / 2
"""

HOOKS = """
from iwm_core import hookimpl


@hookimpl
def iwm_actions():
    from {module}.gain import Gain

    return [Gain]
"""


def package(folder: Path, name: str, hooks: str = HOOKS, *, needs: str | None = "iwm-core>=0.1,<0.2", **more: str) -> Path:
    """Write a plugin into a folder that is, or will be, on Python's path.

    Args:
        folder: where it is installed.
        name: of the distribution and, with _, of the module; the entry point has the last word of it.
        hooks: the module's text; ``{module}`` is its name.
        needs: what it depends on.
        more: ``metadata``, the whole of it; ``entry_points``, likewise; other modules and files by name, with __ for a dot.
    """
    module = name.replace("-", "_")
    home, told = folder / module, folder / f"{module}-1.0.dist-info"
    home.mkdir(parents=True)
    told.mkdir()
    requires = f"Requires-Dist: {needs}\n" if needs else ""
    told.joinpath("METADATA").write_text(more.pop("metadata", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}"))
    default = f"[iwm]\n{name.rpartition('-')[2]} = {module}\n"
    told.joinpath("entry_points.txt").write_text(more.pop("entry_points", default))
    home.joinpath("__init__.py").write_text(hooks.replace("{module}", module))
    for file, text in {"gain__py": GAIN, **more}.items():
        home.joinpath(file.replace("__", ".")).write_text(text)
    return home


OURS = ("iwm-core", "iwm", "iwm-devkit")
"""The distributions of ours that stay: verbs, recipes and the kit, and no component."""


@functools.cache
def others() -> str:
    """All other distributions of this environment that bring plugins, as ``IWM_DISABLED_PLUGINS`` names them."""
    return ",".join(sorted({point.dist.name for point in entry_points(group="iwm") if point.dist} - {*OURS}))


@pytest.fixture
def site(monkeypatch, tmp_path):
    """A folder on Python's path, for plugins called iwm-try-…, in an empty working directory; of ours, `OURS` alone are there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IWM_DISABLED_PLUGINS", others())
    monkeypatch.syspath_prepend(tmp_path / "site")
    load_plugins.cache_clear()
    before = set(sys.modules)
    yield tmp_path / "site"
    for name in set(sys.modules) - before:
        if name.startswith("iwm_try"):
            del sys.modules[name]
    load_plugins.cache_clear()
