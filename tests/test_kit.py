"""The conformance kit: what is installed conforms, good components pass, and what all kinds have in common is checked (DESIGN §4)."""

from dataclasses import dataclass, fields
from typing import Literal

import pytest
from kit_examples import Brighter, Halves, Letters, MeanHead, Patches, Spread, Told, broken, caught

from iwm_core.interfaces import option
from iwm_core.plugins import load_plugins
from iwm_core.testing import CHECKS, check_component

SMALL = {"width": 24, "depth": 2, "heads": 2, "patch_size": 16}
MODULES = ("encoder", "predictor", "head")
GOOD = {
    "action": Brighter,
    "target_selector": Halves,
    "encoder": Patches,
    "predictor": Told,
    "head": MeanHead,
    "data_source": Letters,
    "evaluator": Spread,
}


def installed(*kinds):
    found = [(kind, name, entry.component) for kind in kinds for name, entry in load_plugins().entries(kind).items()]
    return [pytest.param(kind, component, id=f"{kind}-{name}") for kind, name, component in found]


@pytest.mark.parametrize(("kind", "component"), installed("action", "target_selector", *MODULES))
def test_what_is_installed_conforms(kind, component):
    known = {field.name for field in fields(component)}
    CHECKS[kind](component(**{key: value for key, value in SMALL.items() if key in known and kind in ("encoder", "predictor")}))


@pytest.mark.parametrize(("kind", "component"), installed("task", "protocol", "data_source", "evaluator"))
def test_what_is_installed_is_documented(kind, component):
    needed = {"path": "somewhere"} if "path" in {field.name for field in fields(component)} else {}
    check_component(component(**needed))


@pytest.mark.parametrize(("kind", "component"), GOOD.items())
def test_good_components_pass(kind, component):
    CHECKS[kind](component())


def test_there_is_a_check_for_each_kind_and_an_example():
    assert CHECKS.keys() == GOOD.keys()


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


@pytest.mark.parametrize(("name", "words"), [(None, "needs a `name`"), ("Very Bright", "lower-case")])
def test_names(name, words):
    caught("action", broken(Brighter, name=name), words)
