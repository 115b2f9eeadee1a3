"""What the words of ``iwm reproduce`` ask for."""

from dataclasses import dataclass
from pathlib import Path

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.near import did_you_mean
from iwm_repro.claim import Claim
from iwm_repro.registered import all_claims
from iwm_repro.verbs import Reproduce


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


def read_arguments(words: list[str], given: Reproduce) -> Asked:
    """What a command line asks for.

    Raises:
        UserError: there is no such claim, a seed is given twice, or a word means nothing here.
    """
    if setting := next((word for word in words if "=" in word and not word.startswith("out=")), None):
        raise UserError(f"iwm reproduce takes no settings, as a claim has its own, got {setting!r}; it takes out=FOLDER alone")
    named = [word for word in words if not word.startswith("out=")]
    places = [word.partition("=")[2] for word in words if word.startswith("out=")]
    if len(places) > 1 or "" in places:
        raise UserError("out= names one folder, once: out=FOLDER")
    if len(named) > 1:
        raise UserError(f"iwm reproduce takes one claim, or all, got {' '.join(named)!r}; write iwm reproduce {named[0]}")
    if not named and (places or given.seeds):
        raise UserError("say which claim: iwm reproduce CLAIM, or all; `iwm reproduce` lists them")
    if named and given.json:
        raise UserError("--json lists claims; a claim's record is written as JSON in any case: leave --json out")
    if given.seeds and len(set(given.seeds)) < len(given.seeds):
        raise UserError(f"--seeds takes seeds, each once, got {','.join(map(str, given.seeds))}; write --seeds 3,4,5")
    out = Path(places[0]) if places else None
    if out is not None and out.exists() and not out.is_dir():
        raise UserError(f"out={out} is a file, and records go into a folder; write out=FOLDER")
    return Asked(
        name=named[0] if named else "",
        claims=find(named[0], given.scale) if named else (),
        scale=given.scale,
        seeds=tuple(given.seeds) if given.seeds else None,
        out=out,
        at_once=given.jobs,
        json=given.json,
    )


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
