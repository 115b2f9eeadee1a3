"""Reads the command line of ``iwm bench``."""

from dataclasses import dataclass
from pathlib import Path

from iwm_bench.record import Record, check_place, read_record
from iwm_bench.verbs import ARMS, Bench
from iwm_core.cli.words import read_recipe
from iwm_core.interfaces.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a command line asks for.

    Attributes:
        recipe, overrides: what is measured.
        given: the switches.
        arms: names in `ARMS`, in their order.
        trace: where a trace is written; None: there is none.
        earlier: the record that is compared with, and where it lies.
        out: where the record is written.
    """

    recipe: str
    overrides: list[str]
    given: Bench
    arms: tuple[str, ...]
    trace: Path | None
    earlier: tuple[Record, Path] | None
    out: Path | None


def read_arguments(words: list[str], given: Bench) -> Asked:
    """What a command line asks for.

    Raises:
        UserError: there is no such recipe or record, what is asked for does not go together, or a word means nothing here.
    """
    places = [word.partition("=")[2] for word in words if word.startswith("out=")]
    if len(places) > 1 or "" in places:
        raise UserError("out= names one file, once: out=FILE.json")
    recipe, overrides = read_recipe([word for word in words if not word.startswith("out=")])
    out = Path(places[0]) if places else None
    trace = (out.with_suffix(".trace.json") if out else Path("bench.trace.json")) if given.profile else None
    earlier = None
    if name := given.compare:
        earlier = read_record(name), name
        if earlier[0].recipe != recipe:
            raise UserError(f"{name} measures recipe={earlier[0].recipe}, not {recipe}; compare measurements of one recipe")
    if earlier and given.json:
        raise UserError("--json prints the record alone; leave it out to compare, or write the record with out=FILE.json")
    if out:
        check_place(out)
    for name, peer in (("--ijepa", given.ijepa), ("--lightly", given.lightly)):
        if peer and "model" not in given.arms:
            raise UserError(f"{name} stands beside the arm model; add it to --arms")
    if (ijepa := given.ijepa) and not (ijepa / "src/models/vision_transformer.py").is_file():
        raise UserError(f"{ijepa} is no checkout of I-JEPA's reference code: it has no src/models/vision_transformer.py")
    arms = tuple(name for name in ARMS if name in given.arms)
    return Asked(recipe=recipe, overrides=overrides, given=given, arms=arms, trace=trace, earlier=earlier, out=out)
