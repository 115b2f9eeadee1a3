"""A virtual environment as an outsider has it: wheels of ours, installed by pip, and none of this checkout.

What iwm depends on (torch and the like) is not downloaded again: the outer environment's packages are linked into a folder on the
inner one's path, all but what belongs to iwm. pip sees their metadata there, so it checks what is required, but never asks an index.
"""

import contextlib
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import hatchling.build
from places import ROOT

OURS = {"iwm-core": ROOT, **{path.name: path for path in sorted((ROOT / "plugins").glob("iwm-*"))}, "iwm": ROOT / "recipes"}
"""The distributions of this repository, and where each lies; pip installs them in any order when it is given all at once."""
LEFT_OUT = ("iwm", "_editable", "__editable", "__pycache__")
"""What a path in the outer environment begins with that has to do with iwm, or with where packages are."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the commands `python`, `pip`, `pytest` and `ruff`, and `iwm` once iwm-core is installed."""

    folder: Path

    @property
    def packages(self) -> Path:
        """Where pip installs."""
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.folder), "platbase": str(self.folder)}))

    def run(
        self, *words: object, cwd: Path | None = None, env: dict[str, str] | None = None, status: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of this environment, as with it activated, and check its exit status.

        Args:
            words: the command, such as ``"iwm", "plugins"``.
            cwd: where; by default in the environment's own folder.
            env: more environment variables.
            status: the exit status that is expected.
        """
        command = [str(self.folder / "bin" / str(words[0])), *(str(word) for word in words[1:])]
        done = subprocess.run(command, cwd=cwd or self.folder, env=self.variables() | (env or {}), capture_output=True, text=True)
        assert done.returncode == status, f"{' '.join(command)} ended in {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done

    def install(self, *words: object, cwd: Path | None = None) -> None:
        """``pip install``: wheels, or folders of packages."""
        self.run("pip", "install", "--quiet", "--no-compile", *words, cwd=cwd)

    def variables(self) -> dict[str, str]:
        """The environment variables that commands see: nothing of the outer Python's, of pytest's or of iwm's."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PYTEST", "IWM", "PIP", "COV"))}
        return kept | {
            "VIRTUAL_ENV": str(self.folder),
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            "PIP_NO_INDEX": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it the other way round: no isolation, as hatchling is there
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }


def fresh_environment(folder: Path, distributions: Iterable[str]) -> Environment:
    """A new virtual environment.

    Args:
        folder: where; it must not exist.
        distributions: which of `OURS` to install in it, as wheels.
    """
    venv.create(folder, symlinks=True)
    made = Environment(folder)
    linked = folder / "linked"
    linked.mkdir()
    for kind in ("purelib", "platlib"):
        for path in Path(sysconfig.get_path(kind)).iterdir():
            if not path.name.startswith(LEFT_OUT) and path.suffix != ".pth" and not (linked / path.name).exists():
                (linked / path.name).symlink_to(path)
    (made.packages / "linked.pth").write_text(f"{linked}\n")
    for name in ("pip", "pytest"):
        command = folder / "bin" / name
        command.write_text(
            f'#!/bin/sh\nexec "{folder}/bin/python" -P -m {name} "$@"\n'
        )  # -P: the working directory is no place of packages
        command.chmod(0o755)
    (folder / "bin" / "ruff").symlink_to(Path(sysconfig.get_path("scripts")) / "ruff")
    if wheels := [wheel(name, folder / "wheels") for name in distributions]:
        made.install(*wheels)
    return made


def wheel(distribution: str, folder: Path) -> Path:
    """The wheel of one of `OURS`, built into a folder."""
    folder.mkdir(exist_ok=True)
    with contextlib.chdir(OURS[distribution]):
        return folder / hatchling.build.build_wheel(str(folder))


if __name__ == "__main__":  # one to try things out in by hand: python tests/furniture/fresh_environment.py FOLDER
    fresh_environment(Path(sys.argv[1]).absolute(), OURS)
