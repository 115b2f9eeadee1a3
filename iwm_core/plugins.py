"""Finds plugins through the entry-point group ``iwm`` and collects their components.

Decisions:
- Our own loader: pluggy's ``load_setuptools_entrypoints`` lets one broken plugin crash the host and drops a duplicate silently.
- A plugin that fails is recorded with its cause and a remedy; the rest works. ``IWM_STRICT_PLUGINS=1`` makes it an error.
- ``IWM_DISABLED_PLUGINS=a,b`` leaves plugins out, by entry-point name or distribution.
- A name given by two plugins is an error that names both; neither wins.
- Nothing here imports torch: components are asked for only when a kind is needed.
"""

import difflib
import functools
import importlib.metadata
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

import pluggy

from iwm_core import hookspecs
from iwm_core.errors import UserError

KINDS = {
    "encoder": "iwm_encoders",
    "predictor": "iwm_predictors",
    "action": "iwm_actions",
    "target_selector": "iwm_target_selectors",
    "head": "iwm_heads",
    "evaluator": "iwm_evaluators",
    "data_source": "iwm_data_sources",
    "task": "iwm_task_types",
    "protocol": "iwm_protocols",
}
"""Kinds of component and the hook that registers each."""


@dataclass
class Plugin:
    """One entry point of the group ``iwm``."""

    name: str
    distribution: str
    version: str
    module: Any = None
    problem: str | None = None


@dataclass(frozen=True)
class Entry:
    """A component and where it comes from."""

    kind: str
    name: str
    component: Any
    plugin: Plugin


@dataclass
class Plugins:
    """All plugins of this environment, and the hooks of those that work."""

    manager: pluggy.PluginManager
    plugins: list[Plugin] = field(default_factory=list)

    @property
    def hook(self) -> Any:
        """The hooks, as ``plugins.hook.iwm_step_end(event=…)``."""
        return self.manager.hook

    @property
    def problems(self) -> list[str]:
        """One line for each plugin that does not work."""
        return [f"plugin {p.name!r} of {p.distribution} {p.version} does not work: {p.problem}" for p in self.plugins if p.problem]

    def __post_init__(self) -> None:
        self._entries: dict[str, dict[str, Entry]] = {}
        self._clashes: dict[tuple[str, str], str] = {}

    def entries(self, kind: str) -> dict[str, Entry]:
        """Components of a kind by name, sorted; names that clash are left out (asking for one tells why)."""
        if kind not in self._entries:
            self._entries[kind] = self._collect(kind)
        return self._entries[kind]

    def component(self, kind: str, name: str, ready: Sequence[str] = ()) -> Any:
        """The class of a component; ``ready`` are ready-made choices by other names, to be told where there is none by this one.

        Raises:
            UserError: no working plugin gives it.
        """
        found = self.entries(kind)
        if name in found:
            return found[name].component
        if clash := self._clashes.get((kind, name)):
            raise UserError(clash)
        words = kind.replace("_", " ")
        near = difflib.get_close_matches(name, [*found, *ready], n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        made = f"; ready-made: {', '.join(ready)}" if ready else ""
        broken = f" ({'; '.join(self.problems)})" if self.problems else ""
        raise UserError(
            f"no installed plugin gives the {words} {name!r}; {hint}installed: {', '.join(found) or 'none'}{made}; "
            f"pip install the plugin that has it, see `iwm plugins`{broken}"
        )

    def leave_out(self, entry: Entry, error: Exception) -> None:
        """Drop a component that turns out not to work, and note why."""
        del self.entries(entry.kind)[entry.name]
        record(entry.plugin, TypeError(f"the {entry.kind.replace('_', ' ')} {entry.name!r}: {error}"))

    def recipe_dirs(self) -> list[tuple[Path, Plugin]]:
        """Folders of recipes with the plugin that brought each."""
        return [(Path(folder), plugin) for plugin, folders in self._returns("iwm_recipe_dirs") for folder in folders]

    def _collect(self, kind: str) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for plugin, classes in self._returns(KINDS[kind]):
            for component in classes:
                name = getattr(component, "name", None)
                if not (isinstance(component, type) and is_dataclass(component) and isinstance(name, str)):
                    record(plugin, TypeError(f"{KINDS[kind]} gives {component!r}, which is no dataclass with a `name`"))
                    continue
                if name in found or (kind, name) in self._clashes:
                    first = found.pop(name).plugin if name in found else plugin
                    self._clashes[kind, name] = (
                        f"the {kind.replace('_', ' ')} {name!r} is given by both {first.distribution} and {plugin.distribution}; "
                        f"uninstall one, or set IWM_DISABLED_PLUGINS={plugin.name}"
                    )
                    strict(self._clashes[kind, name])
                    continue
                found[name] = Entry(kind, name, component, plugin)
        return dict(sorted(found.items()))

    def _returns(self, hook: str) -> list[tuple[Plugin, Any]]:
        """What each working plugin returns from a registration hook; one that raises is recorded and left out."""
        results = []
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            plugin = next(p for p in self.plugins if p.module is implementation.plugin)
            try:
                found = implementation.function()
                if found is None:
                    raise TypeError(f"{hook} returned nothing; it must return a list")
                results.append((plugin, list(found)))
            except Exception as error:  # a third party's import may fail in any way; recorded and shown, never hidden
                record(plugin, error)
        return sorted(results, key=lambda result: result[0].distribution)


def strict(problem: str) -> None:
    """Raise a problem when the user asked for strictness."""
    if os.environ.get("IWM_STRICT_PLUGINS") == "1":
        raise UserError(f"{problem} (IWM_STRICT_PLUGINS=1)")


def record(plugin: Plugin, error: BaseException) -> None:
    """Note why a plugin does not work, with the remedy."""
    cause = " ".join(str(error).split())
    plugin.problem = (
        f"{type(error).__name__}: {cause}; repair it, `pip uninstall {plugin.distribution}`, or set IWM_DISABLED_PLUGINS={plugin.name}"
    )
    strict(f"plugin {plugin.name!r} of {plugin.distribution}: {plugin.problem}")


def disabled() -> set[str]:
    """Names in ``IWM_DISABLED_PLUGINS``."""
    return {name.strip() for name in os.environ.get("IWM_DISABLED_PLUGINS", "").split(",") if name.strip()}


@functools.cache
def load_plugins() -> Plugins:
    """Import the modules of all entry points once in this process; a broken one is recorded."""
    found = Plugins(pluggy.PluginManager("iwm"))
    found.manager.add_hookspecs(hookspecs)
    seen = set()
    points = importlib.metadata.entry_points(group="iwm")
    for point in sorted(points, key=lambda p: (p.dist.name if p.dist else "", p.name)):
        distribution, version = (point.dist.name, point.dist.version) if point.dist else ("unknown", "0")
        # An editable install beside its checkout is seen twice.
        if (distribution, point.name) in seen or {distribution, point.name} & disabled():
            continue
        seen.add((distribution, point.name))
        plugin = Plugin(point.name, distribution, version)
        found.plugins.append(plugin)
        try:
            plugin.module = point.load()
            found.manager.register(plugin.module, name=f"{distribution}:{point.name}")
            found.manager.check_pending()
        except Exception as error:  # as above: any failure of a third party's module is recorded and shown
            if plugin.module is not None and found.manager.is_registered(plugin.module):
                found.manager.unregister(plugin.module)
            record(plugin, error)
    return found
