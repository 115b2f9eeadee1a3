"""Finds plugins through the entry-point group ``iwm`` and collects what they register.

Decisions:
- Our own loader: pluggy's ``load_setuptools_entrypoints`` lets one broken plugin crash the host and drops a duplicate silently.
- A name given by two plugins is an error that names both; neither wins. It is told by every command that loads components.
- Hooks that plugins declare are known before any plugin's own are looked at, so no order of plugins matters.
- Nothing here imports torch: components are asked for only when a kind is needed.
"""

import functools
import importlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pluggy

from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.kinds import ComponentKind
from iwm_core.interfaces.runs import ModelSource, RunKind
from iwm_core.plugins import hookspecs
from iwm_core.plugins.distributions import CORE, Plugin, entry_points, mismatch
from iwm_core.plugins.faults import (
    base_of,
    cause_of,
    clash_text,
    component_fault,
    declared,
    fault_of,
    forgotten_marks,
    hooks_of,
    listed,
    record,
    recorded,
    strict,
    wrong_hooks,
)
from iwm_core.plugins.near import did_you_mean


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
        """One line for each name that several components, verbs or kinds have, as far as they were asked for."""
        return [clash_text(kind, name, givers) for (kind, name), givers in self.clashing.items()]

    def __post_init__(self) -> None:
        self.specs = declared(hookspecs)
        self._entries: dict[str, dict[str, Entry]] = {}
        self.clashing: dict[tuple[str, str], list[Plugin]] = {}

    @functools.cached_property
    def commands(self) -> dict[str, Command]:
        """The verbs by name, the core's first, then common ones; behind each those that begin with it."""
        found = self._named("verb", "iwm_commands", fault_of(Command))
        order = sorted(found, key=lambda name: (found[name].plugin.distribution != CORE, not found[name].component.common))
        words = [name.partition(" ")[0] for name in order]
        return {name: found[name].component for name in sorted(order, key=lambda name: words.index(name.partition(" ")[0]))}

    @functools.cached_property
    def kinds(self) -> dict[str, ComponentKind]:
        """The kinds of components by name."""
        found = self._named("kind of component", "iwm_component_kinds", fault_of(ComponentKind))
        self._declared_by = {name: entry.plugin for name, entry in found.items()}
        return {name: entry.component for name, entry in found.items() if entry.component.hook in self.specs}

    @functools.cached_property
    def run_kinds(self) -> dict[str, RunKind]:
        """The kinds of runs by name."""
        return {name: entry.component for name, entry in self._named("kind of run", "iwm_run_kinds", fault_of(RunKind)).items()}

    @functools.cached_property
    def model_sources(self) -> dict[str, ModelSource]:
        """Where models come from, by scheme."""
        found = self._named("model source", "iwm_model_sources", fault_of(ModelSource), "scheme")
        return {scheme: entry.component for scheme, entry in found.items()}

    def modules(self, hook: str) -> list[Any]:
        """The modules whose names a hook gives; one that cannot be imported is its plugin's problem."""
        found = list[Any]()
        for plugin, given in self._returns(hook):
            with recorded(plugin):
                found += map(importlib.import_module, given)
        return found

    def only(self, hook: str, asked: str) -> Any:
        """The one module whose name a hook gives, or a `UserError`; ``asked`` says in words what for."""
        found = self.modules(hook)
        if len(found) != 1:
            what = "several installed plugins do; uninstall all but one" if found else "no installed plugin does: `pip install iwm`"
            raise UserError(f"{asked}, which {what}; see `iwm plugins`")
        return found[0]

    def entries(self, kind: str) -> dict[str, Entry]:
        """Components of a kind by name, sorted; none of a kind that no plugin declares. Names that clash are left out."""
        if kind not in self.kinds:
            return {}
        if kind not in self._entries:
            of, base = self.kinds[kind], None
            with recorded(self._declared_by[kind]):
                base = base_of(of)
            found = self._named(kind, of.hook, functools.partial(component_fault, of)) if base else {}
            self._entries[kind] = dict(sorted(found.items()))
        return self._entries[kind]

    def component(self, kind: str, name: str, ready: Sequence[str] = ()) -> Any:
        """The class of a component; ``ready`` are ready-made choices by other names, to be told where there is none by this one. A
        `UserError` where no working plugin gives it."""
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
                    record(plugin, NotADirectoryError(f"iwm_recipe_dirs gives {str(folder)!r}, which is not a folder; is it packaged?"))
        return found

    def tell(self, hook: str, event: Any) -> None:
        """Call a lifecycle hook of all plugins; a `UserError` where it is the user's mistake, or a plugin's function failed, which is named
        with cause and remedy."""
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            try:
                implementation.function(*(event for _ in implementation.argnames))
            except UserError:
                raise
            except (Exception, SystemExit) as error:  # any failure of a third party's code; the run ends here, its checkpoints are whole
                plugin = self._of(implementation)
                raise UserError(
                    f"plugin {plugin.name!r} of {plugin.distribution} {plugin.version} failed in {hook}: {cause_of(error)}; repair it, "
                    f"or set IWM_DISABLED_PLUGINS={plugin.name}, then go on with `iwm resume RUN`"
                ) from error

    def _named(self, kind: str, hook: str, fault: Callable[[Any], str | None], key: str = "name") -> dict[str, Entry]:
        """What a registration hook gives, by name, in the order of distributions; what has a fault or a name that clashes is left out."""
        found: dict[str, Entry] = {}
        for plugin, given in self._returns(hook):
            for one in given:
                if wrong := fault(one):
                    record(plugin, TypeError(f"{hook} gives {wrong}"))
                    continue
                name = getattr(one, key)
                if name in found or (kind, name) in self.clashing:
                    first = [found.pop(name).plugin] if name in found else []
                    self.clashing.setdefault((kind, name), first).append(plugin)
                    strict(clash_text(kind, name, self.clashing[kind, name]))
                    continue
                found[name] = Entry(kind, name, one, plugin)
        return found

    def _returns(self, hook: str) -> list[tuple[Plugin, list[Any]]]:
        """What each working plugin returns from a registration hook; one that raises is recorded and left out."""
        results = []
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            plugin = self._of(implementation)
            with recorded(plugin):
                results.append((plugin, listed(hook, implementation.function())))
        return sorted(results, key=lambda result: result[0].distribution)

    def _of(self, implementation: Any) -> Plugin:
        """The plugin that a hook's implementation is of."""
        return next(p for p in self.plugins if p.module is implementation.plugin)


@functools.cache
def load_plugins() -> Plugins:
    """Import the modules of all entry points once in this process; a broken one is recorded. A `UserError` where one is broken, or two give
    one name, and IWM_STRICT_PLUGINS is 1."""
    found = Plugins(pluggy.PluginManager("iwm"))
    found.manager.add_hookspecs(hookspecs)
    points = entry_points()
    found.plugins = [plugin for plugin, _ in points]
    modules: list[tuple[Plugin, Any]] = []
    for plugin, point in points:
        if wrong := mismatch(point.dist):
            plugin.problem = f"{wrong}, `pip uninstall {plugin.distribution}`, or set IWM_DISABLED_PLUGINS={plugin.name}"
            strict(f"plugin {plugin.name!r} of {plugin.distribution}: {plugin.problem}")
            continue
        with recorded(plugin):
            module = point.load()
            for more in listed("iwm_hookspecs", hooks_of(module).get("iwm_hookspecs", list)()):
                found.manager.add_hookspecs(more)
                found.specs |= declared(more)
            modules.append((plugin, module))
    for plugin, module in modules:
        with recorded(plugin):
            if wrong := wrong_hooks(module, found.specs):
                raise TypeError("; ".join(wrong))
            same = next((p.name for p in found.plugins if p.module is module), None)
            if same is not None:
                raise TypeError(f"its entry point names the same module as {same!r}; remove one of the two from its pyproject.toml")
            found.manager.register(module, name=f"{plugin.distribution}:{plugin.name}")
            plugin.module = module
            if forgotten := forgotten_marks(module, found.specs):
                raise TypeError(f"{', '.join(forgotten)} is not a hook without @hookimpl; write @hookimpl above it")
    if os.environ.get("IWM_STRICT_PLUGINS") == "1":  # else only what a command needs is asked for: it imports torch
        for kind in found.kinds:
            found.entries(kind)
    return found
