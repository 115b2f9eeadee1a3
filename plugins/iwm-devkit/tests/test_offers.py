"""`iwm plugins check` on what plugins give besides components: verbs, kinds of components and of runs, model sources, hooks."""

import subprocess
import sys
from dataclasses import field, make_dataclass
from typing import Literal, Optional

import pytest
from iwm_devkit.plugin_check import checks_of
from iwm_devkit.plugin_check.verbs import check_command
from plugin_packages import package

from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.component import option
from iwm_core.plugins.loader import load_plugins

VERB = """
from iwm_core import hookimpl
from iwm_core.interfaces.commands import Command


@hookimpl
def iwm_commands():
    return [Command(name="greet", run="{module}.gain:run", forms={"greet NAME": "say hello"}, examples=("iwm greet me",))]
"""
LAUNCH = """
def together(lead, take_part):
    return lead()


def spawn(run, overrides, processes):
    return 0


def spread(module, launch, accelerator):
    return module


def agreement():
    return max
"""
RUN = "def run(words):\n    return 0\n\n\ndef both(words, more):\n    return 0\n"

KIND = """
from types import ModuleType

from iwm_core import hookimpl
from iwm_core.interfaces.kinds import ComponentKind


@hookimpl
def iwm_hookspecs():
    from {module} import hooks

    return [hooks]


@hookimpl
def iwm_component_kinds():
    return [
        ComponentKind(name="shade", hook="iwm_try_shades", base="{module}.gain:Shade", group="shade", check="{module}.gain:check_shade"),
    ]


@hookimpl
def iwm_try_shades():
    from {module}.gain import Dark

    return [Dark]
"""
HOOKSPECS = """
import pluggy


@pluggy.HookspecMarker("iwm")
def iwm_try_shades():
    \"\"\"Shades.\"\"\"
"""
SHADE = """
from dataclasses import dataclass

from iwm_core.interfaces import Component, option


@dataclass(kw_only=True)
class Shade(Component):
    \"\"\"A shade.\"\"\"


@dataclass(kw_only=True)
class Dark(Shade):
    \"\"\"A dark one.\"\"\"

    name = "dark"
    depth: int = option(3, "how dark", low=1)


def check_shade(shade):
    assert shade.depth < 9, "too dark: set depth to 3"
"""
SOURCE = """
from iwm_core import hookimpl
from iwm_core.interfaces.runs import ModelSource


@hookimpl
def iwm_model_sources():
    return [ModelSource(scheme="try", fetch="{module}.gain:run")]
"""
LAUNCHER = """
from iwm_core import hookimpl


@hookimpl
def iwm_launchers():
    return ["{module}.gain"]
"""
RUN_KIND = """
from dataclasses import dataclass, field

from iwm_core import hookimpl
from iwm_core.interfaces.runs import RunKind, Schema


@dataclass
class Section:
    size: int = 1


@dataclass
class Recipe:
    part: Section
    data: dict


class Distilling(RunKind):
    name = "distilling"

    def schema(self):
        return Schema(base="distilling", recipe=Recipe, sections={"part": Section}, groups=("data",))

    def train(self, run, recipe, checkpoint, display): ...

    def load(self, run, recipe, device, checkpoint=None): ...

    def settings(self, config, name): ...


@hookimpl
def iwm_run_kinds():
    return [Distilling()]
"""
BROUGHT = {
    "verb": {"hooks": VERB, "gain__py": RUN},
    "kind": {"hooks": KIND, "gain__py": SHADE, "hooks__py": HOOKSPECS},
    "source": {"hooks": SOURCE, "gain__py": RUN},
    "launcher": {"hooks": LAUNCHER, "gain__py": LAUNCH},
    "run": {"hooks": RUN_KIND},
}


@pytest.fixture
def found(site, monkeypatch):
    """Check a plugin that is given otherwise; by kind and name, what was found."""

    def run(which="verb", light=True, **changed):
        texts = {**BROUGHT[which]}
        for file, (old, new) in changed.items():
            assert old in texts[file]
            texts[file] = texts[file].replace(old, new)
        package(
            site, "iwm-try-more", texts.pop("hooks"), **{name: text.replace("{module}", "iwm_try_more") for name, text in texts.items()}
        )
        load_plugins.cache_clear()
        if light:
            monkeypatch.setattr("iwm_devkit.plugin_check.checks.check_import", lambda point: None)
        return {(check.kind, check.name): check.result() for check in checks_of("iwm-try-more")}

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("which", "checked"),
    [
        ("verb", [("hook", "more.iwm_commands"), ("command", "greet"), ("name", "greet")]),
        (
            "kind",
            [
                ("hook", "more.iwm_hookspecs"),
                *(("hook", "more.iwm_component_kinds"), ("component_kind", "shade"), ("name", "shade")),
                *(("hook", "more.iwm_try_shades"), ("shade", "dark"), ("name", "dark")),
            ],
        ),
        ("source", [("hook", "more.iwm_model_sources"), ("model_source", "try"), ("name", "try")]),
        ("launcher", [("hook", "more.iwm_launchers"), ("launcher", "iwm_try_more.gain"), ("name", "iwm_try_more.gain")]),
        ("run", [("hook", "more.iwm_run_kinds"), ("run_kind", "distilling"), ("name", "distilling")]),
    ],
)
def test_what_is_right_passes(found, which, checked):
    results = found(which, light=False)
    assert {key: result.problem for key, result in results.items() if not result.passed} == {}
    assert list(results)[5:] == checked


@pytest.mark.parametrize(
    ("which", "file", "change", "kind", "name", "words"),
    [
        ("verb", "hooks", ('name="greet"', 'name="Greet"'), "command", "Greet", "must be one or two words of lower-case"),
        ("verb", "hooks", ('{"greet NAME": "say hello"}', "{}"), "command", "greet", "needs `forms`"),
        ("verb", "hooks", ('"greet NAME"', '"greets NAME"'), "command", "greet", "must begin with the verb, 'greet'"),
        ("verb", "hooks", ('"say hello"', '" "'), "command", "greet", "needs a few words about it"),
        ("verb", "hooks", ('"iwm greet me"', '"greet me"'), "command", "greet", "begins with iwm greet"),
        ("verb", "hooks", (".gain:run", ".gain.run"), "command", "greet", 'must be "module:name"'),
        ("verb", "hooks", (".gain:run", ".gian:run"), "command", "greet", "is not there: No module named"),
        ("verb", "hooks", (".gain:run", ".gain:rum"), "command", "greet", "is not there"),
        ("verb", "hooks", (".gain:run", ".gain:__name__"), "command", "greet", "is not a function"),
        ("verb", "hooks", (".gain:run", ".gain:both"), "command", "greet", "must take the list of words behind the verb alone"),
        ("verb", "hooks", ("[Command(", "[dict("), "hook", "more.iwm_commands", "not an instance of Command: give instances of it"),
        ("verb", "hooks", ("return [Command(", "return [] and [Command("), "hook", "more.iwm_commands", "returns nothing in its list"),
        (
            "verb",
            "hooks",
            ('name="greet", run', 'name="show", run'),
            "name",
            "show",
            "the verb 'show' is given by both iwm-devkit and iwm-try-more",
        ),
        ("kind", "hooks", ('name="shade"', 'name="a shade"'), "component_kind", "a shade", "must be called in lower-case letters"),
        ("kind", "hooks", ('hook="iwm_try_shades"', 'hook="iwm_try_shade"'), "component_kind", "shade", "which nothing declares"),
        ("kind", "hooks", ("gain:Shade", "gain:Shadow"), "component_kind", "shade", "its base, iwm_try_more.gain:Shadow, is not there"),
        ("kind", "hooks", ("gain:Shade", "gain:option"), "component_kind", "shade", "must be a class derived from"),
        ("kind", "hooks", ('group="shade"', 'group="data"'), "component_kind", "shade", "as data_source has: one group means one kind"),
        (
            "kind",
            "hooks",
            ("gain:check_shade", "gain:check"),
            "component_kind",
            "shade",
            "its check, iwm_try_more.gain:check, is not there",
        ),
        (
            "kind",
            "hooks",
            ('check="', 'template="{module}:nowhere", check="'),
            "component_kind",
            "shade",
            "lacks __init__.py, example.py, test_",
        ),
        ("kind", "hooks", ("return [hooks]", "return []"), "hook", "more.iwm_hookspecs", "returns no modules"),
        ("kind", "hooks", ("return [hooks]", "return [ModuleType('empty')]"), "hook", "more.iwm_hookspecs", "empty declares no hooks"),
        ("kind", "gain__py", ("depth: int = option(3", "depth: int = option(10"), "shade", "dark", "too dark: set depth to 3"),
        ("source", "hooks", ('"try"', '"try://"'), "model_source", "try://", "without ://"),
        ("launcher", "gain__py", ("lead, take_part", "lead"), "launcher", "iwm_try_more.gain", "must take what carries a command out"),
        ("launcher", "gain__py", ("def spawn", "def start"), "launcher", "iwm_try_more.gain", "gain:spawn, is not there"),
        ("launcher", "gain__py", ("def agreement()", "def agreement(n)"), "launcher", "iwm_try_more.gain", "must take nothing alone"),
        ("run", "hooks", ('name = "distilling"', 'name = "Distilling"'), "run_kind", "Distilling", "must be called in lower-case letters"),
        ("run", "hooks", ("return Schema(", "return dict("), "run_kind", "distilling", "must return an iwm_core.interfaces.Schema"),
        ("run", "hooks", ('{"part": Section}', '{"part": 3}'), "run_kind", "distilling", "must be dataclasses"),
        ("run", "hooks", ('groups=("data",)', 'groups=("heads",)'), "run_kind", "distilling", "Recipe, has no field for heads"),
        (
            "run",
            "hooks",
            ('groups=("data",)', 'groups=("part",)'),
            "run_kind",
            "distilling",
            "of which no installed plugin declares a kind",
        ),
        ("run", "hooks", ('base="distilling"', 'base="base"'), "run_kind", "distilling", "as those of pretraining do"),
    ],
)
def test_what_is_wrong_is_named(found, which, file, change, kind, name, words):
    results = found(which, **{file: change})
    assert words in results[kind, name].problem, results
    assert "\n" not in results[kind, name].problem


def test_a_kind_without_a_check_is_told(found):
    results = found("kind", hooks=(', check="{module}.gain:check_shade"', ""))
    assert "has no `check`" in results["component_kind", "shade"].note
    assert results["shade", "dark"].passed
    assert "its kind has no check" in results["shade", "dark"].note


@pytest.mark.slow
def test_hooks_that_every_verb_asks_import_no_torch(found):
    results = found("verb", light=False, hooks=("    return [Command", "    import torch  # noqa: F401\n\n    return [Command"))
    assert "iwm_commands of iwm_try_more imports torch" in results["entry_point", "more"].problem


@pytest.mark.slow
def test_a_verb_works(site, monkeypatch):
    """The door itself: a verb of a third party's, in an interpreter of its own."""
    package(site, "iwm-try-more", VERB, gain__py="def run(words):\n    print('hello', *words)\n    return 3\n")
    monkeypatch.setenv("PYTHONPATH", str(site))
    done = subprocess.run([sys.executable, "-m", "iwm_core.cli", "greet", "you"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (3, "hello you\n", "")


@pytest.mark.slow
def test_ours_pass():
    """First-party plugins, as far as they give more than components; components are tried elsewhere."""
    for name in ("iwm-core", "iwm-tasks", "iwm-report", "iwm-devkit", "iwm-bench", "iwm-cluster", "iwm-repro", "iwm-explore"):
        checks = [check for check in checks_of(name) if check.kind in ("command", "component_kind", "run_kind", "hook", "hooks", "imports")]
        assert len(checks) > 3
        assert {check.name: check.result().problem for check in checks if not check.result().passed} == {}


TOLD, UNTOLD = "iwm_devkit.scaffold:run_new", "iwm_core.cli.verbs:run_train"
"""Functions that take a verb's words and switches, and words alone."""
ODD = (int | str, int | str | None, list[bool], list[list[int]], tuple[int, str], tuple[int], dict[str, int], Literal["a"], Optional[int])  # noqa: UP045
"""Types that no switch is of."""


@pytest.mark.parametrize(
    ("fields", "run", "fault"),
    [
        ([("port", int, option(8642, "of the page"))], TOLD, ""),
        (
            [("port", int, option(8642, "of the page"))],
            UNTOLD,
            "must take the list of words behind the verb, and its",
        ),
        ([("port", int, option(8642))], TOLD, "its switch --port needs a few words about it"),
        ([("port", int, field(default=8642))], TOLD, "its switch --port needs a few words about it"),
        ([("port", int | None, option(None, "of the page"))], TOLD, "its switch --port needs a value to show in help"),
        ([("port", complex, option(1j, "of the page"))], TOLD, "it may be of bool, int, float, str, Path"),
        *(([("port", of, option(None, "of the page", value="8642"))], TOLD, "--port is of .*; it may be of bool") for of in ODD),
        ([("quick", bool, option(True, "be quick"))], TOLD, "--quick is bool, and not False where it is not given"),
        ([("quick", bool, option(doc="be quick"))], TOLD, "--quick is bool, and not False where it is not given"),
        ([("quick", bool, option(False, "be quick"))], TOLD, ""),
        ([("port", int, option("8642", "of the page"))], TOLD, "its switch --port has the default '8642', of another type"),
        ([("ports", list[int], option(["8642"], "of the page", value="1,2"))], TOLD, r"has the default \['8642'\], of another type"),
        ([("port", int, option(80, "of the page", low=1024))], TOLD, "its switch --port: its default must be at least 1024, got 80"),
        ([("tone", str, option("worm", "of it", choices=("warm", "cool")))], TOLD, "its switch --tone: its default must be one of"),
        ([("share", float, option(1, "of the images"))], TOLD, ""),
        (None, TOLD, "must be a dataclass"),
    ],
)
def test_switches_of_a_verb_are_checked(fields, run, fault):
    switches = int if fields is None else make_dataclass("Switches", fields, frozen=True, kw_only=True)
    command = Command(name="greet", run=run, forms={"greet NAME": "say hello"}, switches=switches)
    if not fault:
        assert check_command(command) == command.run
        return
    with pytest.raises(AssertionError, match=fault):
        check_command(command)
