"""Shared runs on this machine: each in a folder of the user's cache that is named by its exact version, found whole before it has its name.

Decisions:
- A folder of its own, not a hub's cache of links: a run follows no link, and `iwm eval` and `iwm report` write into it.
- Of a stranger's folder, only the files that a shared run has are taken, and each must have the checksum that ``iwm.json`` tells.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from iwm_core.interfaces.errors import UserError
from iwm_core.run.files import write_record, writing
from iwm_core.run.stored import Damaged, read_record
from iwm_interop.sharing.manifest import MANIFEST, Manifest
from iwm_interop.sums import sha256_of

FILES = re.compile(
    r"config\.yaml|import\.json|metrics\.jsonl|README\.md|eval/[A-Za-z0-9_][\w.-]*\.json|checkpoints/step_\d+/(model\.safetensors|state\.json)"
)
"""What a shared run may hold."""
ORIGIN = "fetched.json"


def cached(folder: Path, name: str, version: str, address: str) -> Path:
    """The run of a shared folder, in the cache; made there where it is not yet.

    Args:
        folder: of the shared run, which may hold links.
        name, version: of the folder in the cache.
        address: what is recorded in the run, so that what is made of it can tell.

    Raises:
        UserError: it is no shared run, or a file of it is damaged.
    """
    if (known := kept(name, version)) is not None:
        return known
    place = place_of(name, version)
    if not (folder / MANIFEST).exists():
        raise UserError(f"{address} holds no run of iwm: it lacks {MANIFEST}, which `iwm push` writes")
    with writing(place, "keep", "set XDG_CACHE_HOME to another place"):
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=place.parent, prefix=".partial-"))
        try:
            shutil.copyfile(folder / MANIFEST, partial / MANIFEST)
            manifest = read_manifest(partial / MANIFEST, address)
            for file, expected in manifest["files"].items():
                there = partial / file
                there.parent.mkdir(parents=True, exist_ok=True)
                if not (folder / file).is_file():
                    raise UserError(f"{address} lacks {file}, which its {MANIFEST} names; ask its owner to push it again")
                shutil.copyfile(folder / file, there)
                if sha256_of(there) != expected:
                    raise UserError(f"{file} of {address} is damaged: its SHA-256 is not the one that {MANIFEST} tells; fetch it again")
            write_record(partial / ORIGIN, {"format": 1, "address": address, "licence": manifest.get("licence")})
            put(partial, place)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return place


def kept(name: str, version: str) -> Path | None:
    """The run of a name and an exact version, where it is in the cache."""
    place = place_of(name, version)
    return place if version and (place / ORIGIN).exists() else None


def place_of(name: str, version: str) -> Path:
    """Where a run of a name and an exact version is kept."""
    return cache() / f"{name}@{version}".replace("/", "--")


def put(partial: Path, place: Path) -> None:
    """Give a folder its name; another process may have been quicker, with the same content."""
    try:
        partial.rename(place)
    except OSError:
        if not (place / ORIGIN).exists():
            raise


def read_manifest(file: Path, address: str) -> Manifest:
    """What a shared run tells of itself.

    Raises:
        UserError: it is damaged, or names files that a shared run does not have.
    """
    try:
        manifest: Any = read_record(file, Manifest)
    except Damaged as error:
        raise UserError(f"{MANIFEST} of {address} {error.problem}; ask its owner to push it again") from error
    for name in manifest["files"]:
        if not FILES.fullmatch(name) or ".." in name:
            raise UserError(f"{address} names {name[:60]!r} among its files, and no shared run has such a file; it is not taken")
    return manifest


def cache() -> Path:
    """Where fetched runs are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iwm"
