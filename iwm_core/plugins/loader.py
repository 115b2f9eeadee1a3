"""Finds plugins through the entry-point group ``iwm`` and collects their components.

Decisions:
- Our own loader: pluggy's ``load_setuptools_entrypoints`` lets one broken plugin crash the host and drops a duplicate silently.
- A plugin that fails is recorded with its cause and a remedy; the rest works. ``IWM_STRICT_PLUGINS=1`` makes it an error.
- ``IWM_DISABLED_PLUGINS=a,b`` leaves plugins out, by entry-point name or distribution.
- A name given by two plugins is an error that names both; neither wins. It is told by every command that loads components.
- Whatever a third party's code raises is the plugin's problem, `SystemExit` too; Ctrl-C and signals are not.
- Nothing here imports torch: components are asked for only when a kind is needed.
"""

import functools
import importlib.metadata
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pluggy

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.near import did_you_mean
from iwm_core.plugins import hookspecs
from iwm_core.plugins.faults import cause_of, component_fault, forgotten_marks, listed, wrong_hooks
from iwm_core.process.signals import Stopped

CORE = "iwm-core"

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
    def problems(self) -> list[str]:
        """One line for each plugin that does not work."""
        return [f"plugin {p.name!r} of {p.distribution} {p.version} does not work: {p.problem}" for p in self.plugins if p.problem]

    @property
    def clashes(self) -> list[str]:
        """One line for each name that several components have, of the kinds that were asked for."""
        return [clash_text(kind, name, givers) for (kind, name), givers in self.clashing.items()]

    def __post_init__(self) -> None:
        self._entries: dict[str, dict[str, Entry]] = {}
        self.clashing: dict[tuple[str, str], list[Plugin]] = {}

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
        if givers := self.clashing.get((kind, name)):
            raise UserError(clash_text(kind, name, givers))
        words, hint = kind.replace("_", " "), did_you_mean(name, [*found, *ready])
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
        found = []
        for plugin, folders in self._returns("iwm_recipe_dirs"):
            for folder in folders:
                if isinstance(folder, str | Path) and Path(folder).is_dir():
                    found.append((Path(folder), plugin))
                else:
                    record(plugin, NotADirectoryError(f"iwm_recipe_dirs gives {str(folder)!r}, which is no folder; is it packaged?"))
        return found

    def tell(self, hook: str, event: Any) -> None:
        """Call a lifecycle hook of all plugins.

        Raises:
            UserError: a plugin's function failed; it is named with cause and remedy.
        """
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            try:
                implementation.function(*(event for _ in implementation.argnames))
            except (Exception, SystemExit) as error:  # any failure of a third party's code; the run ends here, its checkpoints are whole
                plugin = self._of(implementation)
                raise UserError(
                    f"plugin {plugin.name!r} of {plugin.distribution} {plugin.version} failed in {hook}: {cause_of(error)}; repair it, "
                    f"or set IWM_DISABLED_PLUGINS={plugin.name}, then go on with `iwm resume RUN`"
                ) from error

    def _collect(self, kind: str) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for plugin, classes in self._returns(KINDS[kind]):
            for component in classes:
                if fault := component_fault(kind, component):
                    record(plugin, TypeError(f"{KINDS[kind]} gives {fault}"))
                    continue
                name = component.name
                if name in found or (kind, name) in self.clashing:
                    first = [found.pop(name).plugin] if name in found else []
                    self.clashing.setdefault((kind, name), first).append(plugin)
                    strict(clash_text(kind, name, self.clashing[kind, name]))
                    continue
                found[name] = Entry(kind, name, component, plugin)
        return dict(sorted(found.items()))

    def _returns(self, hook: str) -> list[tuple[Plugin, list[Any]]]:
        """What each working plugin returns from a registration hook; one that raises is recorded and left out."""
        results = []
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            plugin = self._of(implementation)
            try:
                results.append((plugin, listed(hook, implementation.function())))
            except (KeyboardInterrupt, Stopped):
                raise
            except BaseException as error:  # a third party's import may fail in any way; recorded and shown, never hidden
                record(plugin, error)
        return sorted(results, key=lambda result: result[0].distribution)

    def _of(self, implementation: Any) -> Plugin:
        """The plugin that a hook's implementation is of."""
        return next(p for p in self.plugins if p.module is implementation.plugin)


def clash_text(kind: str, name: str, givers: Sequence[Plugin]) -> str:
    """One line about a name that several plugins give, or one of them twice; ``kind`` may be that of a recipe."""
    names = list(dict.fromkeys(plugin.distribution for plugin in givers))
    what = f"the {kind.replace('_', ' ')} {name!r} is given"
    if len(names) == 1:
        return f"{what} twice by {names[0]}; rename one of the two"
    other = next(name for name in reversed(names) if name != CORE)
    by = "both " if len(names) == 2 else ""
    return f"{what} by {by}{', '.join(names[:-1])} and {names[-1]}; uninstall one, or set IWM_DISABLED_PLUGINS={other}"


def strict(problem: str) -> None:
    """Raise a problem when the user asked for strictness."""
    if os.environ.get("IWM_STRICT_PLUGINS") == "1":
        raise UserError(f"{problem} (IWM_STRICT_PLUGINS=1)")


def record(plugin: Plugin, error: BaseException) -> None:
    """Note why a plugin does not work, with the remedy."""
    plugin.problem = f"{cause_of(error)}; repair it, `pip uninstall {plugin.distribution}`, or set IWM_DISABLED_PLUGINS={plugin.name}"
    strict(f"plugin {plugin.name!r} of {plugin.distribution}: {plugin.problem}")


def disabled() -> set[str]:
    """Names in ``IWM_DISABLED_PLUGINS``."""
    return {name.strip() for name in os.environ.get("IWM_DISABLED_PLUGINS", "").split(",") if name.strip()}


def entry_points() -> list[tuple[Plugin, Any]]:
    """The entry points of this environment, sorted, without those that are left out; nothing is imported."""
    found: dict[tuple[str, str], tuple[Plugin, Any]] = {}
    for point in importlib.metadata.entry_points(group="iwm"):
        told: Any = (point.dist.metadata if point.dist else None) or {}  # which may lack anything
        plugin = Plugin(point.name, told.get("Name") or "unknown", told.get("Version") or "unknown")
        if not {plugin.distribution, plugin.name} & disabled():
            found.setdefault((plugin.distribution, plugin.name), (plugin, point))  # an editable install beside its checkout is seen twice
    return [found[key] for key in sorted(found)]


@functools.cache
def load_plugins() -> Plugins:
    """Import the modules of all entry points once in this process; a broken one is recorded.

    Raises:
        UserError: one is broken, or two give one name, and IWM_STRICT_PLUGINS is 1.
    """
    found = Plugins(pluggy.PluginManager("iwm"))
    found.manager.add_hookspecs(hookspecs)
    for plugin, point in entry_points():
        found.plugins.append(plugin)
        try:
            module = point.load()
            if wrong := wrong_hooks(module):
                raise TypeError("; ".join(wrong))
            same = next((p.name for p in found.plugins if p.module is module), None)
            if same is not None:
                raise TypeError(f"its entry point names the same module as {same!r}; remove one of the two from its pyproject.toml")
            found.manager.register(module, name=f"{plugin.distribution}:{plugin.name}")
            plugin.module = module
            if forgotten := forgotten_marks(module):
                raise TypeError(f"{', '.join(forgotten)} is no hook without its mark; write @hookimpl above it")
        except (KeyboardInterrupt, Stopped):
            raise
        except BaseException as error:  # as above: any failure of a third party's module, SystemExit too, is recorded and shown
            record(plugin, error)
    if os.environ.get("IWM_STRICT_PLUGINS") == "1":  # else only what a command needs is asked for: it imports torch
        for kind in KINDS:
            found.entries(kind)
    return found
