"""Reads back what lies in a run: a file is understood, or the error says which one is damaged and what to do. Needs no torch.

Decisions:
- Only a regular file of bounded size is read, and no link: a FIFO would keep its reader waiting for ever, a link show what lies elsewhere.
- A record is checked against a type, which its reader then has an instance of (`iwm_core.recipe.shapes`).
- A record carries the checksum of its content. One without is believed: earlier versions wrote none, and who edits a file takes it out.
- CRC-32 finds every flip within 32 neighbouring bits and keeps up with the disk: zlib's makes 5.7 GB/s where hashlib's SHA-256 makes 1.9
  and BLAKE2b 1.4 (one core of a server, 128 MiB). It guards against damage, not against malice.
- A record that belongs to a run tells by which config.yaml: its checksum is the record's ``config`` (earlier versions wrote none).
"""

import errno
import json
import os
import stat
import zlib
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import yaml

from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.shapes import fitting
from iwm_core.run.plain import plain_yaml

FORMAT = 2
"""Of config.yaml and state.json; 1 had neither a format nor checksums."""

LARGEST = {".yaml": 1 << 20, ".json": 64 << 20, ".jsonl": 1 << 30}
"""Bytes that are read of a file at most, by its ending."""

SEALS = ("format", "checksum")


class Damaged(UserError):
    """A file of a run that cannot be used: what is wrong with it, as words after its name (``is missing``), and what to do."""

    def __init__(self, path: Path, problem: str, remedy: str = "") -> None:
        self.path, self.problem = path, " ".join(problem.split())[:200]
        super().__init__("; ".join(part for part in (f"{path} {self.problem}", remedy) if part))


def open_stored(path: Path, remedy: str = "", most: int | None = None) -> BinaryIO:
    """Open a file of a run for reading.

    Raises:
        Damaged: it is missing, a link, no regular file, larger than ``most`` bytes, or cannot be read.
    """
    try:
        # Without O_NONBLOCK, a FIFO that nobody writes to is never open.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise Damaged(path, "is missing", remedy) from None
    except OSError as error:
        linked = error.errno == errno.ELOOP or path.is_symlink()
        odd = error.errno in (errno.ENXIO, errno.ENODEV)  # a socket, a device that is not there
        problem = "is a link, and none is followed inside a run" if linked else "is not a regular file" if odd else None
        raise Damaged(path, problem or f"cannot be read ({error.strerror})", remedy) from error
    about = os.fstat(descriptor)
    problem = (
        None if stat.S_ISREG(about.st_mode) else "is a directory, not a file" if stat.S_ISDIR(about.st_mode) else "is not a regular file"
    )
    if most is not None and about.st_size > most:
        problem = problem or f"is larger than the {most >> 20} MiB that such a file may have"
    if problem:
        os.close(descriptor)
        raise Damaged(path, problem, remedy)
    return os.fdopen(descriptor, "rb")


def check_folder(folder: Path, remedy: str = "") -> None:
    """Check that a folder inside a run is none elsewhere."""
    if folder.is_symlink():
        raise Damaged(folder, "is a link, and none is followed inside a run", remedy or "make a link to the whole run instead")


def read_text(path: Path, remedy: str = "") -> str:
    """A file's text.

    Raises:
        Damaged: see `open_stored`; or it is not UTF-8.
    """
    try:
        with open_stored(path, remedy, LARGEST[path.suffix]) as file:
            return file.read().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Damaged(path, f"is damaged ({error})", remedy) from error


def read_record(path: Path, shape: Any, remedy: str = "", config: Path | None = None) -> Any:
    """A record in JSON or YAML, as its ending tells, as an instance of ``shape`` (see `iwm_core.recipe.shapes.fitting`); ``config`` is the
    config.yaml of the run that it must be of.

    Raises:
        Damaged: see `open_stored`; it cannot be parsed, is of another shape, run or checksum; or a newer version wrote it.
    """
    try:
        content = unsealed(path, (plain_yaml if path.suffix == ".yaml" else json.loads)(read_text(path, remedy)))
        if config is not None and isinstance(content, dict):
            check_owner(path, content, config, remedy)
        return fitting(content, shape)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        told = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Damaged(path, f"is damaged ({told})", remedy) from error


class Log(NamedTuple):
    """What can be read of a file with a JSON mapping a line.

    Attributes:
        lines: as they are, without the last one where a kill cut it short.
        records: of the lines, as JSON gives them.
        bad: how many lines cannot be read.
    """

    lines: list[str]
    records: list[dict[str, Any]]
    bad: int


def read_log(path: Path, shape: Any, config: Path | None = None) -> Log:
    """The lines of a log that are of a shape; none where there is no file; ``config`` is that of the run that it must be of. `Damaged`
    where it is of another run, and as of `open_stored`."""
    log, bad = Log([], [], 0), 0
    if not (path.exists() or path.is_symlink()):
        return log
    try:
        with open_stored(path, most=LARGEST[path.suffix]) as file:
            for line in file:
                try:
                    text = line.decode("utf-8").rstrip("\n")
                    record = json.loads(text)
                    fitting(record, shape)
                except (ValueError, RecursionError):
                    bad += line.endswith(b"\n")
                    continue
                log.lines.append(text)
                log.records.append(record)
    except OSError as error:
        raise Damaged(path, f"cannot be read ({error.strerror})") from error
    if config is not None and log.records:  # the first line tells, see `iwm_core.run.files.append`
        check_owner(path, log.records[0], config, "")
    return log._replace(bad=bad)


def checksum(content: dict[str, Any]) -> str:
    """Of a record's content, whatever the order of its keys and the file's layout."""
    told = {key: value for key, value in content.items() if key != "checksum"}
    return f"{zlib.crc32(json.dumps(told, sort_keys=True, separators=(',', ':')).encode()):08x}"


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """A record, as JSON brings it back, with its checksum, which `read_record` compares."""
    content = json.loads(json.dumps(content))
    return {**content, "checksum": checksum(content)}


def read_seal(path: Path) -> str | None:
    """The checksum that a record in YAML tells of itself; None where it tells none, or cannot be read."""
    try:
        content = plain_yaml(read_text(path))
    except (Damaged, ValueError, RecursionError, yaml.YAMLError):  # whoever reads the record says so
        return None
    return str(content["checksum"]) if isinstance(content, dict) and "checksum" in content else None


def owned(content: dict[str, Any], config: Path) -> dict[str, Any]:
    """A record that tells of which run it is, by the run's config.yaml, as `check_owner` asks; as it is where that tells no checksum."""
    seal = read_seal(config)
    return {**content, "config": seal} if seal else content


def check_owner(path: Path, content: dict[str, Any], config: Path, remedy: str) -> None:
    """Check that a record is of the run of a config.yaml, as far as both tell."""
    told, own = content.get("config"), read_seal(config)
    if told and own and told != own:
        raise Damaged(path, f"is of another recipe than {config}", remedy)


def unsealed(path: Path, content: Any) -> Any:
    """A record, once its format and checksum are checked; `Damaged` where a newer version wrote it, a `ValueError` where its checksum is
    another."""
    if isinstance(content, dict):
        written = content.get("format", 1)
        if type(written) is int and written > FORMAT:
            raise Damaged(path, f"was made by a newer iwm (format {written}; this one reads up to {FORMAT})", "update iwm-core")
        if "checksum" in content and content["checksum"] != checksum(content):
            raise ValueError("its checksum is that of another content; if it was edited on purpose, take its checksum out")
    return content


def checksum_of_file(path: Path, remedy: str = "") -> str:
    """The checksum of a file's bytes.

    Raises:
        Damaged: see `open_stored`.
    """
    value = 0
    try:
        with open_stored(path, remedy) as file:
            while part := file.read(1 << 20):
                value = zlib.crc32(part, value)
    except OSError as error:
        raise Damaged(path, f"cannot be read ({error.strerror})", remedy) from error
    return f"{value:08x}"
