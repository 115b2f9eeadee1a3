"""What is known of where weights come from: their licence and source, as an import has recorded them; they go wherever the weights go."""

from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict

from iwm_core.interfaces.errors import UserError
from iwm_core.run.directory import is_run
from iwm_core.run.saved import read_config
from iwm_core.run.stored import read_record

UNSTATED = "not stated"
"""The licence, or the source, of weights of which nobody has said it."""
HUB = {"CC BY-NC 4.0": "cc-by-nc-4.0", "Apache-2.0": "apache-2.0", "MIT": "mit", "CC0": "cc0-1.0", "CC BY 4.0": "cc-by-4.0"}
"""What the Hub calls some licences; others are told by their names."""
LICENCES = {name: licence for licence, name in HUB.items()}
"""The same, from the Hub's names."""


class Imported(TypedDict):
    """What ``import.json`` of a run tells of its weights; ``keys`` has a line for each key of the file."""

    of: str
    file: str
    sha256: str
    licence: str
    source: str
    keys: NotRequired[list[dict[str, str]]]


class Fetched(TypedDict):
    """What ``fetched.json`` tells of a run that somebody has shared: its address, pinned, and what was said of its licence."""

    address: str
    licence: str | None


class Origin(NamedTuple):
    """The licence of weights (None: nobody has said), and whether they come from an import, and from an address."""

    licence: str | None
    imported: Imported | None = None
    address: str | None = None

    def words(self) -> str:
        """Where the weights come from, as a card goes on."""
        told = f", of weights imported from {one['source']} (`{one['file']}`, SHA-256 `{one['sha256']}`)" if (one := self.imported) else ""
        return told + (f", fetched from `{self.address}`" if self.address else "")


def read_origin(run: Path) -> Imported | None:
    """Where the weights of a run come from; None where they were trained here.

    Raises:
        UserError: the record cannot be read.
    """
    return read(run, "import.json", Imported)


def inherited(run: Path) -> Imported | None:
    """Where the weights come from that a tuning has begun with; None where that cannot be known any more."""
    source: Any = read_config(run / "config.yaml").get("world_model")
    began = Path(str(source.get("run"))) if isinstance(source, dict) else None
    return read_origin(began) if began is not None and is_run(began) else None


def origin_of(run: Path, licence: str | None) -> Origin:
    """What is known of the weights of a run; ``licence`` is what its owner says of them.

    Raises:
        UserError: imported or fetched weights have another licence; or the record cannot be read.
    """
    imported = read_origin(run) or inherited(run)
    fetched: Fetched | None = read(run, "fetched.json", Fetched)
    stated = imported["licence"] if imported and imported["licence"] != UNSTATED else None
    known = stated or (fetched["licence"] if fetched else None)
    if None not in (licence, known) and licence != known:
        raise UserError(
            f"these weights came under {known}, which is kept; leave licence= out, or correct it where they come from and take them anew"
        )
    return Origin(known or licence, imported, fetched["address"] if fetched else None)


def read(run: Path, name: str, shape: Any) -> Any:
    """A record beside a run's config; None where there is none."""
    file = run / name
    if not (file.exists() or file.is_symlink()):
        return None
    return read_record(file, shape, "bring back a copy of it: it tells the licence of the weights", run / "config.yaml")
