"""The tests on chosen versions of what iwm depends on, each in a fresh environment.

::

    python tests/slow/versions.py lowest                     # every direct dependency at its lower bound
    python tests/slow/versions.py newest                     # what pip chooses today
    python tests/slow/versions.py known                      # constraints.txt
    python tests/slow/versions.py newest --python python3.12 --with "torch==2.11.*" --with "torchvision==0.26.*"
    python tests/slow/versions.py lowest tests/test_draws.py -k philox          # further words are pytest's

Decisions:
- Lower bounds are read from every distribution's pyproject.toml: what is tested is what is declared.
- Tools of the tests (pytest, ruff, scipy, …) are no dependencies of a user: pip takes the newest that fit.
- A PyTorch build for CPUs alone does not load with PyPI's torchvision; both come from the index that pip is set up with.
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]


def dependencies() -> dict[str, list[Requirement]]:
    """What the distributions of this repository require of others, by name."""
    found: dict[str, list[Requirement]] = {}
    for path in (ROOT / "pyproject.toml", ROOT / "recipes/pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml"))):
        for text in tomllib.loads(path.read_text(encoding="utf-8"))["project"].get("dependencies", []):
            requirement = Requirement(text)
            if not requirement.name.startswith("iwm"):
                found.setdefault(requirement.name, []).append(requirement)
    return found


def lowest() -> dict[str, Version]:
    """The lowest version of each that all of them allow."""
    return {
        name: max(Version(part.version) for requirement in asked for part in requirement.specifier if part.operator == ">=")
        for name, asked in dependencies().items()
    }


def known() -> dict[str, Version]:
    """The versions that constraints.txt pins."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    return {pin.name: Version(next(iter(pin.specifier)).version) for pin in pins}


def constraints(which: str, more: list[str]) -> list[str]:
    """The lines of a constraints file for pip."""
    pins = {"lowest": lowest, "known": known, "newest": dict}[which]()
    chosen = {Requirement(text).name for text in more}
    return [f"{name}=={version}" for name, version in pins.items() if name not in chosen] + more


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the tests on chosen versions of the dependencies, in a fresh environment.")
    parser.add_argument("which", choices=("lowest", "newest", "known"))
    parser.add_argument("--python", default=sys.executable, help="the interpreter, such as python3.12")
    parser.add_argument("--with", dest="more", action="append", default=[], metavar="REQUIREMENT", help="a version of your own choice")
    parser.add_argument("--environment", help="a folder for the environment, which is then kept and used again")
    settings, words = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(settings.environment or temporary)
        python = folder / "bin" / "python"
        if not python.exists():
            subprocess.run([settings.python, "-m", "venv", folder], check=True)
            chosen = Path(temporary) / "constraints.txt"
            chosen.write_text("\n".join(constraints(settings.which, settings.more)) + "\n", encoding="utf-8")
            install = [python, "-m", "pip", "install", "--quiet", "-r", "requirements-dev.txt", "-c", chosen, *settings.more]
            subprocess.run(install, cwd=ROOT, check=True)
        listed = subprocess.run([python, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout.splitlines()
        direct = [line for line in listed if line.split("==")[0].lower().replace("_", "-") in dependencies()]
        print(subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout.strip(), *direct, sep="  ", flush=True)
        return subprocess.run([python, "-m", "pytest", *(words or ["-n", "2"])], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
