"""What runs are called in a report, and the folder that holds them all."""

import os
from pathlib import Path

from iwm_core.interfaces.errors import UserError


def label_runs(paths: list[Path]) -> list[str]:
    """The name of each run's directory, with as many of the folders above it as tell runs of one name apart.

    Raises:
        UserError: a run is given twice.
    """
    parts: list[tuple[str, ...]] = []
    for path in paths:
        place = path.resolve()
        if place.parts in parts:
            raise UserError(f"the run {path} is given twice; name each run once")
        parts.append(place.parts)
    labels = []
    for own in parts:
        depth = 1
        while sum(other[-depth:] == own[-depth:] for other in parts) > 1:
            depth += 1
        labels.append(Path(*own[-depth:]).as_posix())
    return labels


def common_folder(paths: list[Path]) -> Path:
    """The folder that holds all of the runs' directories, as a path from here where the user gave such."""
    folder = Path(os.path.commonpath([path.resolve().parent for path in paths]))
    return folder if all(path.is_absolute() for path in paths) else Path(os.path.relpath(folder))
