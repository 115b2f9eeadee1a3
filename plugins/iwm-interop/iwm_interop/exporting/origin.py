"""What is known of where weights come from: their licence and source, as an import has recorded them; they go wherever the weights go."""

from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict

from iwm_core.interfaces.errors import UserError
from iwm_core.run.stored import read_record


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


def origin_of(run: Path, licence: str | None) -> Origin:
    """What is known of the weights of a run; ``licence`` is what its owner says of them.

    Raises:
        UserError: imported or fetched weights have another licence; or the record cannot be read.
    """
    imported: Imported | None = read(run, "import.json", Imported)
    fetched: Fetched | None = read(run, "fetched.json", Fetched)
    known = imported["licence"] if imported else fetched["licence"] if fetched else None
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
