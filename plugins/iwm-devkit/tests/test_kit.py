"""The conformance kit: what is installed conforms, good components pass, and what all kinds have in common is checked (DESIGN §4)."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import iwm_devkit
import pytest
from iwm_devkit import CHECKS, check_component
from iwm_devkit.fitting import Unfit
from iwm_devkit.kinds import OWN
from kit_assertions import assertions, expected, tens
from kit_examples import Brighter, Halves, Letters, Patches, Spread, Told, broken, caught

from iwm_core.cli.builtin import iwm_component_kinds
from iwm_core.interfaces import Component, ComponentKind, option
from iwm_core.plugins.loader import load_plugins

SMALL = {"width": 24, "depth": 2, "heads": 2, "patch_size": 16}
GOOD = {
    "action": Brighter,
    "target_selector": Halves,
    "encoder": Patches,
    "predictor": Told,
    "data_source": Letters,
    "evaluator": Spread,
}


def installed(*kinds):
    found = [(kind, name, entry.component) for kind in kinds for name, entry in load_plugins().entries(kind).items()]
    return [pytest.param(kind, component, id=f"{kind}-{name}") for kind, name, component in found]


@pytest.mark.parametrize(("kind", "component"), installed("action", "target_selector", "encoder", "predictor"))
def test_what_is_installed_conforms(kind, component):
    known = {field.name for field in fields(component)} if kind in ("encoder", "predictor") else set()
    CHECKS[kind](component(**{key: value for key, value in SMALL.items() if key in known}))


@pytest.mark.parametrize(("kind", "component"), installed("data_source", "evaluator"))
def test_what_is_installed_is_documented(kind, component):
    needed = {"path": "somewhere"} if "path" in {field.name for field in fields(component)} else {}
    check_component(component(**needed))


@pytest.mark.parametrize(("kind", "component"), GOOD.items())
def test_good_components_pass(kind, component):
    CHECKS[kind](component())


def test_there_is_a_check_for_each_kind_and_an_example():
    assert set(OWN) == {kind.name for kind in iwm_component_kinds()} == GOOD.keys()
    assert CHECKS.keys() == load_plugins().kinds.keys()


def test_a_kind_names_its_own_check(monkeypatch):
    """`CHECKS` and the names `check_…` follow the plugins that are installed."""
    declared = ComponentKind(name="shade", hook="iwm_shades", base="m:B", group="shades", check="kit_examples:caught")
    silent = ComponentKind(name="tone", hook="iwm_tones", base="m:B", group="tones")
    monkeypatch.setattr(load_plugins(), "kinds", {kind.name: kind for kind in (*iwm_component_kinds(), declared, silent)})
    assert iwm_devkit.CHECKS.keys() == {*OWN, "shade"}
    assert iwm_devkit.CHECKS["shade"] is iwm_devkit.check_shade is caught
    assert "check_shade" in dir(iwm_devkit)
    with pytest.raises(AttributeError, match="check_tone"):
        _ = iwm_devkit.check_tone


def test_what_cannot_be_tried_is_told_apart_from_what_fails():
    def build(self, image_size):
        raise ValueError(f"{image_size} is too small")

    with pytest.raises(Unfit, match="224 is too small"):
        CHECKS["encoder"](broken(Patches, build=build))

    def choosy(self, image_size):
        if image_size % 14:
            raise ValueError("14 pixels")
        return Patches.build(self, image_size)

    CHECKS["encoder"](broken(Patches, build=choosy))


EXPECTED = expected(Path(__file__).parent)


@pytest.mark.parametrize("texts", list(assertions(Path(iwm_devkit.__file__).parent)))
def test_each_assertion_has_a_broken_component(texts):
    """Some text of a test has ten letters or more in common with its message."""
    assert tens(texts) & EXPECTED, f"no test of the kit expects: {' … '.join(texts)}"


class Unmarked(Brighter):
    """An option that @dataclass has not seen."""

    less: float = option(0.1, "least light")


@dataclass(kw_only=True)
class Silent(Brighter):
    most: float = option(0.5, "most light", low=0, high=1)


@dataclass(kw_only=True)
class Undocumented(Brighter):
    """An option without a word."""

    less: float = 0.1


@dataclass(kw_only=True)
class Unholdable(Brighter):
    """An option that no recipe can hold."""

    side: Literal["left", "right"] = option("left", "where")


@dataclass(kw_only=True)
class Unchecked(Brighter):
    """Takes whatever it is given."""

    def __post_init__(self):
        self.least = 0


@pytest.mark.parametrize(
    ("component", "words"),
    [
        (Unmarked, ("Unmarked", "@dataclass(kw_only=True)", "less")),
        (Silent, ("Silent needs a docstring",)),
        (Undocumented, ("Undocumented.less needs documentation", "option(")),
        (Unholdable, ("Unholdable.side", "Literal", "a recipe cannot hold", "use bool")),
        (Unchecked, ("Unchecked.most = -1 must be refused", "super().__post_init__()")),
    ],
)
def test_options(component, words):
    caught("action", component(), *words)


@pytest.mark.parametrize(("name", "words"), [(None, "needs a `name`"), ("Very Bright", "must be lower-case letters")])
def test_names(name, words):
    caught("action", broken(Brighter, name=name), words)


def test_a_class_in_the_place_of_an_instance():
    with pytest.raises(AssertionError, match=r"give an instance to the check: Brighter\(\)"):
        check_component(Brighter)


def test_a_forgotten_name_is_told_by_the_kit_not_by_python():
    @dataclass(kw_only=True)
    class Nameless(Component):
        """Has no name."""

        size: int = option(1, "a number", low=0)

    with pytest.raises(AssertionError, match="Nameless needs a `name`"):
        check_component(Nameless())
    with pytest.raises(ValueError, match="Nameless.size must be at least 0"):
        Nameless(size=-1)
