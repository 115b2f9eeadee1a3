"""What plugins give besides components, and what is checked of each: verbs, kinds, model sources, modules that do a part of the work."""

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.kinds import ComponentKind
from iwm_core.interfaces.runs import ModelSource, RunKind, Schema
from iwm_core.plugins.loader import load_plugins
from iwm_devkit.kinds import OWN
from iwm_devkit.plugin_check.functions import check_arguments, found
from iwm_devkit.plugin_check.verbs import check_command
from iwm_devkit.scaffold.templates import place_of

NAME = re.compile(r"[a-z][a-z0-9_]*")
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


@dataclass(frozen=True)
class Offer:
    """Something that a hook gives instances of.

    Attributes:
        hook: which gives them.
        of: their class.
        kind: of the check.
        told: what the loader calls them when two have one name.
        check: raises AssertionError where one is wrong.
        key: the attribute that tells them apart.
    """

    hook: str
    of: type
    kind: str
    told: str
    check: Callable[[Any], str | None]
    key: str = "name"


def check_component_kind(kind: ComponentKind) -> str:
    """Check a kind of component: its name, its hook, the class that components derive from, its check and its template."""
    from iwm_core.interfaces.component import Component

    what, plugins = f"the kind {kind.name!r}", load_plugins()
    assert NAME.fullmatch(kind.name), f"{what} must be called in lower-case letters, digits and _"
    assert kind.hook in plugins.specs, f"{what} has the hook {kind.hook}, which nothing declares: declare it in a module of iwm_hookspecs"
    base = found("base", kind.base, what)
    derives = isinstance(base, type) and issubclass(base, Component)
    assert derives, f"{what}: its base, {kind.base}, must be a class derived from iwm_core.interfaces.Component"
    twins = [other.name for other in plugins.kinds.values() if other.group == kind.group and other.name != kind.name]
    assert not twins, f"{what} has the group {kind.group!r}, as {', '.join(twins)} has: one group means one kind in all recipes"
    if kind.check:
        check_arguments("check", kind.check, what, "an instance of a component", 1)
    if kind.template:
        _, folder = place_of(kind.template)
        lost = [file for file in ("__init__.py", "example.py", "test_example.py") if not (folder / file).is_file()]
        assert not lost, f"{what}: its template, {kind.template}, lacks {', '.join(lost)}: are they packaged?"
        assert "example" in kind.use, f"{what} has a template and no `use`, a command line with the component `example` that it makes"
    return "" if kind.check or kind.name in OWN else "it has no `check`, so that only its components' documentation is checked"


def check_run_kind(kind: RunKind) -> str:
    """Check a kind of run: its name, and what its recipes are made of."""
    name = getattr(kind, "name", None)
    assert isinstance(name, str), f"{type(kind).__name__} needs a `name`, which is written into config.yaml"
    what = f"the kind of run {name!r}"
    assert NAME.fullmatch(name), f"{what} must be called in lower-case letters, digits and _"
    schema: Any = kind.schema()
    assert isinstance(schema, Schema), f"{what}: schema() must return an iwm_core.interfaces.Schema, got {schema!r}"
    plain = [part for part in (schema.recipe, *schema.sections.values()) if not (isinstance(part, type) and dataclasses.is_dataclass(part))]
    assert not plain, f"{what}: its recipe and its sections must be dataclasses, got {plain[:1]}"
    fields = {field.name for field in dataclasses.fields(schema.recipe)}
    lost = [part for part in (*schema.sections, *schema.groups) if part not in fields]
    assert not lost, f"{what}: its recipe, {schema.recipe.__name__}, has no field for {', '.join(lost)}"
    known = {declared.group for declared in load_plugins().kinds.values()}
    strange = [group for group in (*schema.groups, *schema.choices) if group not in known]
    assert not strange, f"{what} has the group {strange[0]!r}, of which no installed plugin declares a kind: {', '.join(sorted(known))}"
    twins = [other.name for other in load_plugins().run_kinds.values() if other.name != name and other.schema().base == schema.base]
    assert not twins, f"{what}: its recipes begin with {schema.base!r}, as those of {', '.join(twins)} do: choose another `base`"
    assert "{}" in kind.begun_by, f"{what}: begun_by must have {{}} where the recipe's name goes, got {kind.begun_by!r}"
    return ", ".join((*schema.sections, *schema.groups))


def check_model_source(source: ModelSource) -> str:
    """Check where models come from."""
    assert SCHEME.fullmatch(source.scheme), f"the scheme {source.scheme!r} must be lower-case letters and digits, without ://"
    check_arguments("fetch", source.fetch, f"the scheme {source.scheme!r}", "the address", 1)
    return source.fetch


def check_launcher(place: str) -> str:
    """Check a module that knows how several processes compute one run: all that the core asks of it."""
    what = f"the launcher {place}"
    check_arguments("function", f"{place}:together", what, "what carries a command out, and what takes part in a training,", 2)
    check_arguments("function", f"{place}:spawn", what, "a run's directory, the overrides on its config and the number of processes", 3)
    check_arguments("function", f"{place}:spread", what, "a module, the settings of launch and an accelerator", 3)
    check_arguments("function", f"{place}:agreement", what, "nothing", 0)
    return place


def check_cache(place: str) -> str:
    """Check a module that keeps decoded images: both of its functions."""
    what = f"the cache {place}"
    check_arguments("function", f"{place}:kept", what, "a reader, the number of workers and a progress bar", 3)
    check_arguments("function", f"{place}:views", what, "a reader, workers, a progress bar, a view, the device, and whether it is there", 6)
    return place


def check_measurer(place: str) -> str:
    """Check a module that measures runs: all that the core asks of it."""
    what, run = f"the measurer {place}", "a run, its recipe, a display, names, a checkpoint and its own recipe"
    check_arguments("function", f"{place}:evaluate", what, run, 6)
    check_arguments("function", f"{place}:evaluate_in_training", what, "names, a run, its recipe, model, step, device, display, tracker", 8)
    check_arguments("function", f"{place}:missing", what, "a run, its recipe, names and a checkpoint", 4)
    check_arguments("function", f"{place}:mended", what, "a run and names", 2)
    check_arguments("function", f"{place}:measured", what, "a run", 1)
    return place


def check_precision(place: str) -> str:
    """Check a module that decides between precisions: its function."""
    check_arguments("function", f"{place}:faster_precision", f"the timer {place}", "a device, and what makes a pass to be timed,", 2)
    return place


def check_display(place: str) -> str:
    """Check a module that shows progress: its function."""
    check_arguments("function", f"{place}:display", f"the display {place}", "nothing", 0)
    return place


def check_workers(place: str) -> str:
    """Check a module that has data workers: its function."""
    given = "what makes something of a part, the parts, the number of workers, what is told of their end, pin and ahead"
    check_arguments("function", f"{place}:made_in_order", f"the workers {place}", given, 6)
    return place


ADVICE = {
    "check_words": 1,
    "refuse_sweeps": 1,
    "check_choices": 2,
    "check_settings": 3,
    "check_files": 3,
    "check_recipe": 4,
    "check_composed": 4,
}
ADVICE |= {"explain_name": 1, "explain_file": 1, "explain_run": 1, "explain_section": 3}
ADVICE |= {"explain": 4, "explain_change": 4, "explain_key": 4, "explain_type": 4}
"""What `iwm_core.plugins.advice.advise` asks for, and how many arguments it gives."""


def check_adviser(place: str) -> str:
    """Check a module that knows what is wrong with a recipe or a command line: all that the core asks of it."""
    for name, count in ADVICE.items():
        check_arguments("function", f"{place}:{name}", f"the adviser {place}", "what the core asks about", count)
    return place


def check_python(place: str) -> str:
    """Check a module that trains and makes views in Python: both of its functions."""
    check_arguments("function", f"{place}:train", f"the module for Python {place}", "a recipe, data, overrides, a run and a device", 5)
    assert callable(found("function", f"{place}:views", f"the module for Python {place}")), f"{place}:views is not a function"
    return place


OFFERS = (
    Offer("iwm_commands", Command, "command", "verb", check_command),
    Offer("iwm_component_kinds", ComponentKind, "component_kind", "kind of component", check_component_kind),
    Offer("iwm_run_kinds", RunKind, "run_kind", "kind of run", check_run_kind),
    Offer("iwm_model_sources", ModelSource, "model_source", "model source", check_model_source, "scheme"),
    Offer("iwm_launchers", str, "launcher", "launcher", check_launcher),
    Offer("iwm_caches", str, "cache", "cache", check_cache),
    Offer("iwm_measurers", str, "measurer", "measurer", check_measurer),
    Offer("iwm_precisions", str, "precision", "precision", check_precision),
    Offer("iwm_displays", str, "display", "display", check_display),
    Offer("iwm_workers", str, "workers", "workers", check_workers),
    Offer("iwm_advisers", str, "adviser", "adviser", check_adviser),
    Offer("iwm_python", str, "python", "module for Python", check_python),
)
