"""The loader: one broken plugin is named with cause and remedy, and everything else works."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Literal

import iwm_vit
import pytest
import tiny_plugin

from iwm_core import hookimpl
from iwm_core.cli.main import dispatch, guarded
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import Plugin


def hooks(**functions):
    return SimpleNamespace(**{name: hookimpl(function) for name, function in functions.items()})


GOOD = ("tiny", "tiny-plugin", tiny_plugin)


def test_good_plugin_gives_its_components(fake_entry_points):
    plugins = fake_entry_points(GOOD)
    assert plugins.component("action", "gain") is tiny_plugin.Gain
    assert plugins.entries("action")["gain"].plugin.distribution == "tiny-plugin"
    assert plugins.problems == []


def test_a_new_conditioning_scheme_comes_by_plugin(fake_entry_points):
    plugins = fake_entry_points(GOOD, ("vit", "iwm-vit", iwm_vit))
    assert set(plugins.entries("predictor")) == {"adaln", "feature", "identity", "none", "sequence", "shift"}


@pytest.mark.parametrize(
    ("module", "cause"),
    [
        (ImportError("no module named quux"), "ImportError: no module named quux"),
        (SyntaxError("invalid syntax"), "SyntaxError"),
        (hooks(iwm_acttions=lambda: []), "iwm_acttions"),
        (hooks(iwm_step_end=lambda evnt: None), "evnt"),
    ],
    ids=["import", "syntax", "misspelt hook", "misspelt argument"],
)
def test_broken_plugin_is_named_and_the_rest_works(fake_entry_points, module, cause):
    plugins = fake_entry_points(("bad", "bad-plugin", module), GOOD)
    (problem,) = plugins.problems
    assert "bad-plugin" in problem
    assert cause in problem
    assert "IWM_DISABLED_PLUGINS=bad" in problem
    assert "\n" not in problem
    assert plugins.component("action", "gain") is tiny_plugin.Gain


def test_plugin_that_fails_when_asked_is_named(fake_entry_points):
    def broken():
        raise ModuleNotFoundError("No module named 'librosa'")

    plugins = fake_entry_points(("late", "late-plugin", hooks(iwm_actions=broken)), GOOD)
    assert set(plugins.entries("action")) == {"gain"}
    with pytest.raises(UserError, match=r"no installed plugin gives the action 'echo'.*late-plugin.*librosa"):
        plugins.component("action", "echo")


def test_duplicate_names_are_errors_that_name_both(fake_entry_points):
    twin = hooks(iwm_actions=lambda: [type("Gain", (tiny_plugin.Gain,), {})], iwm_target_selectors=lambda: [tiny_plugin.Halves])
    other = hooks(iwm_target_selectors=lambda: [type("Other", (tiny_plugin.Halves,), {"name": "other"})])
    plugins = fake_entry_points(GOOD, ("twin", "twin-plugin", twin), ("other", "other-plugin", other))
    with pytest.raises(UserError, match="given by both tiny-plugin and twin-plugin"):
        plugins.component("action", "gain")
    assert plugins.component("target_selector", "other").name == "other"


def test_disabled_plugins_are_left_out(fake_entry_points, monkeypatch):
    monkeypatch.setenv("IWM_DISABLED_PLUGINS", "bad, tiny-plugin")
    plugins = fake_entry_points(("bad", "bad-plugin", ImportError("x")), GOOD)
    assert [plugin.name for plugin in plugins.plugins] == ["core"]


def test_an_optional_hook_of_a_plugin_that_is_not_installed_breaks_nothing(fake_entry_points):
    module = hooks(iwm_actions=lambda: [tiny_plugin.Gain])
    module.iwm_page_footers = hookimpl(optionalhook=True)(lambda page: None)
    plugins = fake_entry_points(("more", "more-plugin", module))
    assert plugins.problems == []
    assert set(plugins.entries("action")) == {"gain"}


@pytest.mark.parametrize("module", [ImportError("x"), hooks(iwm_acttions=lambda: [])])
def test_strict_mode_fails(fake_entry_points, monkeypatch, module):
    monkeypatch.setenv("IWM_STRICT_PLUGINS", "1")
    with pytest.raises(UserError, match=r"bad-plugin.*IWM_STRICT_PLUGINS"):
        fake_entry_points(("bad", "bad-plugin", module))


def test_an_entry_point_seen_twice_counts_once(fake_entry_points):
    assert [plugin.name for plugin in fake_entry_points(GOOD, GOOD).plugins] == ["core", "tiny"]


def test_misspelt_component_gets_a_suggestion(fake_entry_points):
    with pytest.raises(UserError, match="did you mean gain"):
        fake_entry_points(GOOD).component("action", "gian")


class Unnamed(tiny_plugin.Gain):
    name = None


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        (lambda: None, "iwm_actions returned nothing"),
        (lambda: [Unnamed], "is not a dataclass with a `name`"),
        (lambda: ["Gain"], "'Gain' is not a class"),
    ],
    ids=["return forgotten", "no name", "no class"],
)
def test_a_hook_that_gives_no_components_is_named(fake_entry_points, given, cause):
    plugins = fake_entry_points(("bad", "bad-plugin", hooks(iwm_actions=given)), GOOD)
    assert set(plugins.entries("action")) == {"gain"}
    (problem,) = plugins.problems
    assert "bad-plugin" in problem
    assert cause in problem


@dataclass(kw_only=True)
class Tupled(tiny_plugin.Gain):
    name = "tupled"
    sizes: Literal["a", "b"] = "a"


def test_a_component_whose_fields_are_no_config_leaves_the_rest_working(tiny, capsys):
    module = hooks(iwm_actions=lambda: [Tupled])
    tiny.plugins.append(Plugin("bad", "bad-plugin", "0", module))
    tiny.manager.register(module)
    assert guarded(lambda: dispatch(["show", "recipe=tiny"])) == 0
    assert guarded(lambda: dispatch(["show", "recipe=tiny", "actions=[tupled]"])) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no installed plugin gives the action 'tupled'" in line
    assert "bad-plugin" in line
