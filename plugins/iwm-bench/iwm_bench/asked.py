"""Reads the command line of ``iwm bench``."""

from dataclasses import dataclass
from pathlib import Path

from iwm_bench.record import Record, check_place, read_record
from iwm_core.cli.words import read_recipe
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.near import did_you_mean

ARMS = {
    "model": "forward, backward and step on fixed tensors",
    "step": "with draws, views and target selection",
    "data": "fed by the recipe's data",
    "feed": "the data alone: its batches, taken and put away",
    "decode": "what data workers make, not sent: the most that they could feed",
    "actions": "the actions alone",
}
"""What can be measured, in the order in which it is shown."""

FED = ("data", "feed", "decode")
"""Those that read the recipe's data."""

DEFAULT = ("model", "step", "data")
"""Those that train the model."""
SWITCHES = ("--arms", "--repeats", "--seconds", "--compare", "--ijepa", "--lightly", "--json", "--profile")
PLAIN = ("--json", "--profile", "--lightly")
"""The switches without a value."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a command line asks for.

    Attributes:
        recipe, overrides: what is measured.
        arms: names in `ARMS`, in their order.
        repeats: blocks of each arm.
        seconds: that a block lasts at least.
        json: print the record, not the table.
        trace: where a trace is written; None: there is none.
        earlier: the record that is compared with, and where it lies.
        out: where the record is written.
        ijepa: a checkout of I-JEPA's reference code, whose step is measured beside the model's.
        lightly: whether lightly's I-JEPA is, too.
    """

    recipe: str
    overrides: list[str]
    arms: tuple[str, ...] = DEFAULT
    repeats: int = 5
    seconds: float = 1.0
    json: bool = False
    trace: Path | None = None
    earlier: tuple[Record, Path] | None = None
    out: Path | None = None
    ijepa: Path | None = None
    lightly: bool = False


def read_arguments(words: list[str]) -> Asked:
    """What a command line asks for.

    Raises:
        UserError: there is no such recipe, arm or record, or a word that means nothing here.
    """
    switches, rest = split(words)
    places = [word.partition("=")[2] for word in rest if word.startswith("out=")]
    if len(places) > 1 or "" in places:
        raise UserError("out= names one file, once: out=FILE.json")
    recipe, overrides = read_recipe([word for word in rest if not word.startswith("out=")])
    out = Path(places[0]) if places else None
    trace = (out.with_suffix(".trace.json") if out else Path("bench.trace.json")) if "--profile" in switches else None
    earlier = None
    if name := switches.get("--compare"):
        earlier = read_record(Path(name)), Path(name)
        if earlier[0].recipe != recipe:
            raise UserError(f"{name} measures recipe={earlier[0].recipe}, not {recipe}; compare measurements of one recipe")
    if earlier and "--json" in switches:
        raise UserError("--json prints the record alone; leave it out to compare, or write the record with out=FILE.json")
    if out:
        check_place(out)
    arms = read_arms(switches["--arms"]) if "--arms" in switches else DEFAULT
    ijepa = Path(switches["--ijepa"]) if "--ijepa" in switches else None
    if ijepa and "model" not in arms:
        raise UserError("--ijepa stands beside the arm model; add it to --arms")
    if "--lightly" in switches and "model" not in arms:
        raise UserError("--lightly stands beside the arm model; add it to --arms")
    if ijepa and not (ijepa / "src/models/vision_transformer.py").is_file():
        raise UserError(f"{ijepa} is no checkout of I-JEPA's reference code: it has no src/models/vision_transformer.py")
    return Asked(
        recipe=recipe,
        overrides=overrides,
        arms=arms,
        repeats=int(read_number("--repeats", switches.get("--repeats", "5"), whole=True)),
        seconds=read_number("--seconds", switches.get("--seconds", "1"), whole=False),
        json="--json" in switches,
        trace=trace,
        earlier=earlier,
        out=out,
        ijepa=ijepa,
        lightly="--lightly" in switches,
    )


def split(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """The switches with their values, written ``--arms model`` or ``--arms=model``, and the other words."""
    switches: dict[str, str] = {}
    rest, left = [], iter(words)
    for word in left:
        name, equals, value = word.partition("=")
        if not word.startswith("--"):
            rest.append(word)
            continue
        if name not in SWITCHES:
            raise UserError(f"iwm bench has no {name}; {did_you_mean(name, SWITCHES)}there are {', '.join(SWITCHES)}")
        if name in switches:
            raise UserError(f"{name} is given twice; give it once")
        if name in PLAIN and equals:
            raise UserError(f"{name} takes no value, got {word!r}")
        switches[name] = "" if name in PLAIN else value if equals else next(left, "")
        if name not in PLAIN and not switches[name]:
            raise UserError(f"{name} needs a value: `iwm bench --help` shows them")
    return switches, rest


def read_arms(text: str) -> tuple[str, ...]:
    """The arms in ``a,b``."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in ARMS:
            raise UserError(f"there is no arm {name!r}; {did_you_mean(name, ARMS)}write --arms with some of {','.join(ARMS)}")
    if not names:
        raise UserError(f"--arms names none; write --arms with some of {','.join(ARMS)}")
    return tuple(name for name in ARMS if name in names)


def read_number(name: str, text: str, whole: bool) -> float:
    """A number above 0, and at most a million."""
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        value = 0
    if not 0 < value <= 1e6:
        raise UserError(f"{name} is a {'whole ' if whole else ''}number above 0, got {text!r}; write {name} {5 if whole else 1}")
    return value
