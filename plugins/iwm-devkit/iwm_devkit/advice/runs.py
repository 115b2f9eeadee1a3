"""Why a path is no run."""

import os
from pathlib import Path

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.near import did_you_mean
from iwm_core.run.directory import is_run
from iwm_core.run.files import exists


def explain_run(path: str) -> None:
    """Say why a path is no run."""
    raise UserError(f"{path} is not a run: {why_no_run(path)}")


def why_no_run(path: str) -> str:
    """What a path is that is not a run, with the words to type where a run is near: it lies above, or below, or elsewhere by this name."""
    there = "it is a file" if exists(path) else "it does not exist"
    what = "it has no config.yaml" if os.path.isdir(path) else there  # noqa: PTH112
    above = [folder for folder in Path(path).absolute().parents[:3] if is_run(folder)]
    inside = Path(path).glob("*/config.yaml") if os.path.isdir(path) else ()  # noqa: PTH112
    below = sorted((file.parent for file in inside), key=lambda run: (run / "config.yaml").stat().st_mtime)
    if above:
        return f"{what}, and lies in the run {os.path.relpath(above[0])}; write that"
    if below:
        return f"{what}; it holds {len(below)} runs, of which {below[-1]} is the newest"
    known = [file.parent.as_posix() for file in sorted([*Path("runs").glob("*/config.yaml"), *Path("runs").glob("*/*/config.yaml")])]
    begun = " and ".join(dict.fromkeys(f"`{' '.join(kind.begun_by.split()[:2])}`" for kind in load_plugins().run_kinds.values()))
    near = did_you_mean(Path(path).as_posix(), known) or did_you_mean(Path(path).name, known)
    return f"{what}; {near}{begun} print a run's directory on their first line"
