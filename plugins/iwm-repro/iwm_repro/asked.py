"""Reads the command line of ``iwm reproduce``."""

from dataclasses import dataclass
from pathlib import Path

from iwm_cluster.commands import take_jobs

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.near import did_you_mean
from iwm_repro.claim import SCALES, Claim
from iwm_repro.registered import all_claims

SWITCHES = ("--scale", "--seeds")
MOST_SEED = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a command line asks for.

    Attributes:
        name: of a claim, or ``all``; empty: they are listed.
        claims: that it stands for.
        scale: in `SCALES`.
        seeds: in place of the claims' own; None: those.
        out: the folder of records; None: each claim's own.
        at_once: jobs that run at a time.
        json: list them for programs.
    """

    name: str = ""
    claims: tuple[Claim, ...] = ()
    scale: str = "cpu"
    seeds: tuple[int, ...] | None = None
    out: Path | None = None
    at_once: int = 1
    json: bool = False

    @property
    def words(self) -> list[str]:
        """As it is typed, after ``iwm``."""
        seeds = ["--seeds", ",".join(map(str, self.seeds))] if self.seeds else []
        jobs = ["--jobs", str(self.at_once)] if self.at_once > 1 else []
        return ["reproduce", self.name, "--scale", self.scale, *seeds, *jobs, *([f"out={self.out}"] if self.out else [])]


def read_arguments(words: list[str]) -> Asked:
    """What a command line asks for.

    Raises:
        UserError: there is no such claim, scale or seed, or a word that means nothing here.
    """
    at_once, words = take_jobs(words)
    as_json, words = "--json" in words, [word for word in words if word != "--json"]
    switches, rest = split(words)
    scale = switches.get("--scale", "cpu")
    if scale not in SCALES:
        raise UserError(f"there is no --scale {scale}; {did_you_mean(scale, SCALES)}there are {', '.join(SCALES)}")
    named = [word for word in rest if not word.startswith("out=")]
    places = [word.partition("=")[2] for word in rest if word.startswith("out=")]
    if len(places) > 1 or "" in places:
        raise UserError("out= names one folder, once: out=FOLDER")
    if len(named) > 1:
        raise UserError(f"iwm reproduce takes one claim, or all, got {' '.join(named)!r}; write iwm reproduce {named[0]}")
    if not named and (places or "--seeds" in switches):
        raise UserError("say which claim: iwm reproduce CLAIM, or all; `iwm reproduce` lists them")
    if named and as_json:
        raise UserError("--json lists claims; a claim's record is written as JSON in any case: leave --json out")
    out = Path(places[0]) if places else None
    if out is not None and out.exists() and not out.is_dir():
        raise UserError(f"out={out} is a file, and records go into a folder; write out=FOLDER")
    return Asked(
        name=named[0] if named else "",
        claims=find(named[0], scale) if named else (),
        scale=scale,
        seeds=read_seeds(switches["--seeds"]) if "--seeds" in switches else None,
        out=out,
        at_once=at_once,
        json=as_json,
    )


def split(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """The switches with their values, written ``--scale cpu`` or ``--scale=cpu``, and the other words."""
    switches: dict[str, str] = {}
    rest, left = list[str](), iter(words)
    for word in left:
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            if equals and name != "out":
                raise UserError(f"iwm reproduce takes no settings, as a claim has its own, got {word!r}; it takes out=FOLDER alone")
            rest.append(word)
            continue
        if name not in SWITCHES:
            known = (*SWITCHES, "--jobs", "--json")
            raise UserError(f"iwm reproduce has no {name}; {did_you_mean(name, known)}there are {', '.join(known)}")
        if name in switches:
            raise UserError(f"{name} is given twice; give it once")
        switches[name] = value if equals else next(left, "")
        if not switches[name]:
            raise UserError(f"{name} needs a value: `iwm reproduce --help` shows them")
    return switches, rest


def find(name: str, scale: str) -> tuple[Claim, ...]:
    """The claims that a name stands for, which have the scale."""
    claims = {name: one.claim for name, one in all_claims().items()}
    if not claims:
        raise UserError("no installed plugin brings claims; `pip install iwm` brings the paper's")
    if name == "all":
        return tuple(claim for claim in claims.values() if scale in claim.sizes)
    if name not in claims:
        raise UserError(f"there is no claim {name!r}; {did_you_mean(name, claims)}there are {', '.join(claims)}, and all")
    if scale not in claims[name].sizes:
        raise UserError(f"{name} has no --scale {scale}; it has {', '.join(claims[name].sizes)}")
    return (claims[name],)


def read_seeds(text: str) -> tuple[int, ...]:
    """Seeds in ``3,4,5``."""
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) <= MOST_SEED for part in parts) or len(set(map(int, parts))) < len(parts):
        raise UserError(f"--seeds takes whole numbers, each once, up to {MOST_SEED}, got {text!r}; write --seeds 3,4,5")
    return tuple(map(int, parts))
