"""The conformance kit: what is installed conforms, good components pass, and what all kinds have in common is checked (DESIGN §4)."""

import ast
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import iwm_devkit as testing
import pytest
from iwm_devkit import CHECKS, check_component
from kit_examples import Brighter, Halves, Letters, MeanHead, Patches, Spread, Told, broken, caught
from kit_tuning import Name, Probe

from iwm_core.interfaces import Component, option
from iwm_core.plugins.loader import KINDS, load_plugins

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
    "task": Name,
    "protocol": Probe,
}
NEEDED = {"regress": {"of": ["size"], "turns": ["hue"]}}


def installed(*kinds):
    found = [(kind, name, entry.component) for kind in kinds for name, entry in load_plugins().entries(kind).items()]
    return [pytest.param(kind, component, id=f"{kind}-{name}") for kind, name, component in found]


@pytest.mark.parametrize(("kind", "component"), installed("action", "target_selector", *MODULES, "task", "protocol"))
def test_what_is_installed_conforms(kind, component):
    known = {field.name for field in fields(component)} if kind in ("encoder", "predictor") else set()
    CHECKS[kind](component(**NEEDED.get(component.name, {}), **{key: value for key, value in SMALL.items() if key in known}))


@pytest.mark.parametrize(("kind", "component"), installed("data_source", "evaluator"))
def test_what_is_installed_is_documented(kind, component):
    needed = {"path": "somewhere"} if "path" in {field.name for field in fields(component)} else {}
    check_component(component(**needed))


@pytest.mark.parametrize(("kind", "component"), GOOD.items())
def test_good_components_pass(kind, component):
    CHECKS[kind](component())


def test_there_is_a_check_for_each_kind_and_an_example():
    assert CHECKS.keys() == KINDS.keys() == GOOD.keys()


def assertions():
    """Of each assertion of the kit, and each AssertionError that it raises, the texts that its message is made of."""
    for path in sorted(Path(testing.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            message = node.msg if isinstance(node, ast.Assert) else None
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and getattr(node.exc.func, "id", "") == "AssertionError":
                (message,) = node.exc.args
            if message is not None:
                texts = [part.value for part in ast.walk(message) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
                yield pytest.param(texts, id=f"{path.name}:{node.lineno}")
            else:
                assert not isinstance(node, ast.Assert), f"{path.name}:{node.lineno} says nothing"


def words_of_tests():
    """All texts in the kit's tests: `caught` makes sure that each is in the message which a broken component gets."""
    here = Path(__file__).parent
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(here.glob("test_kit*.py"))]
    return {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def tens(texts):
    """All ten letters that stand together in some text."""
    return {text[i : i + 10] for text in texts for i in range(len(text) - 9)}


EXPECTED = tens(words_of_tests())


@pytest.mark.parametrize("texts", list(assertions()))
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
