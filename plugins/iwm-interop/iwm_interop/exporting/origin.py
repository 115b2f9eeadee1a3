"""What is known of where weights come from: their licence and source, as an import has recorded them; they go wherever the weights go."""

from pathlib import Path
from typing import NamedTuple, NotRequired, TypedDict

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


class Origin(NamedTuple):
    """The licence of weights (None: nobody has said), and where imported ones come from (None: they were trained here)."""

    licence: str | None
    imported: Imported | None


def origin_of(run: Path, licence: str | None) -> Origin:
    """What is known of the weights of a run; ``licence`` is what its owner says of them.

    Raises:
        UserError: imported weights have another licence; or the record cannot be read.
    """
    file = run / "import.json"
    if not (file.exists() or file.is_symlink()):
        return Origin(licence, None)
    imported: Imported = read_record(file, Imported, "bring back a copy of it: it tells the licence of the weights", run / "config.yaml")
    if licence not in (None, imported["licence"]):
        raise UserError(
            f"these weights were imported under {imported['licence']}, which is kept; leave licence= out, or correct it in an import anew"
        )
    return Origin(imported["licence"], imported)
