"""Switches of all installed verbs: read as they are declared, told in help, and each slip answered in one line that names the fix."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest
from one_line import assert_one_line

from iwm_core import hookimpl
from iwm_core.cli.main import dispatch, guarded, verb_in
from iwm_core.cli.switches import read_switches, switches_of
from iwm_core.cli.usage import overview
from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.component import option
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import Plugin, load_plugins
from iwm_core.process.shown import LONGEST

COMMANDS = load_plugins().commands
EVERY = [
    pytest.param(command, switch, id=f"{name} {switch.name}")
    for name, command in COMMANDS.items()
    for switch in switches_of(command).values()
]


def right(switch):
    """Texts of values that a switch takes: both ends of a range, all choices, or two texts."""
    told = switch.field.metadata
    if switch.kind in (int, float):
        return [f"{told[end]:.{0 if switch.kind is int else 3}f}" for end in ("low", "high")]
    return [*(told["choices"] or ("some", "other"))]


def needed(command, but=""):
    """What must be given besides."""
    fields = dataclasses.fields(command.switches)
    lacking = [f for f in fields if f.default is f.default_factory is dataclasses.MISSING and f"--{f.name}" != but]
    return [word for f in lacking for word in (f"--{f.name}", right(switches_of(command)[f"--{f.name}"])[0])]


def refused(command, *words):
    with pytest.raises(UserError) as error:
        read_switches(command, list(words))
    line = str(error.value)
    assert "\n" not in line
    assert len(line) <= LONGEST
    return line


@pytest.mark.parametrize(("command", "switch"), EVERY)
def test_a_switch_is_read_as_declared_wherever_it_stands(command, switch):
    text = ",".join(right(switch)) if switch.many is list else right(switch)[0]
    wanted = True if switch.kind is bool else list(map(switch.kind, text.split(","))) if switch.many is list else switch.kind(text)
    word = ["train"] if command.words != 0 else []
    for own in [[switch.name]] if switch.kind is bool else [[switch.name, text], [f"{switch.name}={text}"]]:
        own = [*needed(command, switch.name), *own]
        for line in [[*own, *word]] if command.leads else [[*own, *word], [*word, *own]]:
            rest, (found,) = read_switches(command, line)
            assert (rest, getattr(found, switch.field.name)) == (word, (wanted,) if switch.many is tuple else wanted)
            for field in dataclasses.fields(found):
                if field.name != switch.field.name and field.default is not dataclasses.MISSING:
                    assert getattr(found, field.name) == field.default


@pytest.mark.parametrize(("command", "switch"), EVERY)
def test_every_slip_is_answered(command, switch):
    first = [switch.name] if switch.kind is bool else [switch.name, right(switch)[0]]
    assert f"did you mean {switch.name}?" in refused(command, f"{switch.name}x")
    if switch.many is not tuple:
        assert refused(command, *first, *first) == f"{switch.name} is given twice; give it once"
    if switch.kind is bool:
        assert f"write {switch.name}" in refused(command, f"{switch.name}=yes")
        return
    for words in ([switch.name], [f"{switch.name}="], [switch.name, "--other"]):
        assert refused(command, *words) == f"{switch.name} needs a value: write {switch.form}"
    told = switch.field.metadata
    wrong = [
        text
        for text, holds in {
            "x": switch.kind in (int, float),
            "²": switch.kind in (int, float),
            "9" * 5000: switch.kind in (int, float) and told["high"] is not None,
            "nan": switch.kind in (int, float),
            f"{(told['low'] or 0) - 1:.0f}": told["low"] is not None,
            f"{(told['high'] or 0) + 1:.0f}": told["high"] is not None,
            "nothing-of-it": told["choices"] is not None,
        }.items()
        if holds
    ]
    for text in wrong:
        line = refused(command, f"{switch.name}={text}")
        assert line.startswith(switch.name)
        assert f"; write {switch.form}" in line
    if told["choices"]:
        assert f"did you mean {switch.name} {told['choices'][0]}?" in refused(command, switch.name, f"{told['choices'][0]}x")


def test_numbers_are_bounded_and_every_switch_is_told(capsys):
    for name, command in COMMANDS.items():
        assert dispatch([*name.split(), "--help"]) == 0
        said = " ".join(capsys.readouterr().out.split())
        for switch in switches_of(command).values():
            doc = switch.field.metadata["doc"]
            assert f"{switch.form} {doc}" in said
            assert len(doc) > 3
            assert switch.kind not in (int, float) or None not in (switch.field.metadata["low"], switch.field.metadata["high"])


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if not command.leads])
def test_what_is_no_switch_of_the_verb_is_none(iwm, name):
    assert_one_line(iwm(*name.split(), "x", "--nonsense"), "--nonsense")


def test_a_switch_in_a_verbs_name_may_stand_anywhere_and_a_word_may_not():
    for words in (["-m", "recipe=a"], ["recipe=a", "-m"], ["recipe=a", "--multirun"]):
        assert verb_in(["train", *words], COMMANDS) == ("train -m", ["recipe=a"])
    assert verb_in(["plugins", "new", "x"], COMMANDS) == ("plugins new", ["x"])
    assert verb_in(["plugins", "x", "new"], COMMANDS) == ("plugins", ["x", "new"])
    assert verb_in(["compare", "x", "-m"], COMMANDS) == ("compare", ["x", "-m"])


def test_a_path_may_begin_at_home(monkeypatch):
    """Shells leave ``~`` as it is behind an equals sign."""
    monkeypatch.setenv("HOME", "/home/me")
    assert read_switches(COMMANDS["plugins new"], ["x", "--into=~/mine"])[1][0].into == Path("/home/me/mine")
    assert "write --into FOLDER" in refused(COMMANDS["plugins new"], "x", "--into=~no-such-user/mine")


# --- a verb of a third party


@dataclasses.dataclass(frozen=True, kw_only=True)
class Greet:
    """Its switches."""

    times: int = option(1, "how often", low=1, high=9)
    tone: str = option(doc="how it sounds", choices=("warm", "cool"))
    also: tuple[str, ...] = option((), "others", value="NAME")
    loud: float = 1.0


greeted = []


def run(words, given):
    greeted.append((words, given))
    return 0


@pytest.fixture
def greet(tiny):
    forms = {"greet NAME out=FILE --tone warm|cool": "say hello"}
    command = Command(name="greet", run=f"{__name__}:run", switches=Greet, words=1, forms=forms)
    module = SimpleNamespace(iwm_commands=hookimpl(lambda: [command]))
    tiny.plugins.append(Plugin("greet", "greet-plugin", "0", module))
    tiny.manager.register(module)
    greeted.clear()
    return command


def test_a_verb_of_somebody_else_gets_its_switches_read(greet, iwm):
    assert guarded(lambda: dispatch(["greet", "--also", "a", "me", "--tone=warm", "--also=b,c"])) == 0
    assert greeted == [(["me"], Greet(tone="warm", also=("a", "b,c")))]
    assert_one_line(iwm("greet", "me"), "say --tone warm|cool; `iwm greet --help` shows how it is used")
    assert dispatch(["greet", "--help"]) == 0, "a field that says nothing of itself breaks no help"
    assert_one_line(iwm("greet", "me", "--tone=warm", "--loud=very"), "--loud is a number, got 'very'; write --loud 1.0")
    assert_one_line(iwm("greet", "me", "you", "--tone", "warm"), "cannot read 'you'; `iwm greet --help` shows how it is used")
    assert_one_line(iwm("greet", "me", "--tone", "worm"), "did you mean --tone warm?")
    for words in (["--out=x"], ["--out", "x"]):
        assert_one_line(iwm("greet", "me", *words), "write out=x; it has --times, --tone, --also, --loud")


@dataclasses.dataclass
class Unresolved:
    """Switches of a type that is not there."""

    port: "Nowhere" = 1  # pyright: ignore


@pytest.mark.parametrize(
    "words", [["--help=1"], ["-h=1"], ["train", "--help=1"], ["train", "recipe=x", "-h="], ["submit", "train", "--help=1"]]
)
def test_help_takes_no_value(iwm, words):
    name = words[-1].partition("=")[0]
    assert_one_line(iwm(*words), f"iwm: {name} takes no value, got '{words[-1]}'; write {name}")


@pytest.mark.parametrize("switches", [int, Unresolved])
def test_a_declaration_that_cannot_be_read_ends_its_own_verb_alone(switches):
    command = Command(name="greet", run="somewhere:greet", forms={"greet NAME": "say hello"}, switches=switches)
    assert switches_of(command) == {}
    assert "greet NAME" in overview([command]), "help goes on"
    with pytest.raises(UserError, match="the plugin of iwm greet declares switches that cannot be read"):
        read_switches(command, ["you"])
