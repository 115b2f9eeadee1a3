"""The guide to writing plugins is true: every block of code in it is written to a file or run, in order, in a fresh environment.

A block whose first line is a comment with a path is that file of the package that is being made; ``bash`` is run as it stands, each block
where the one before it ended; other ``python`` is run in this process. There is no other kind of block.
"""

import contextlib
import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from fresh_environment import OURS, ROOT, Environment, fresh_environment

from iwm_core.plugins.loader import Plugin, clash_text

GUIDE = (ROOT / "docs/writing-plugins.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (?P<path>[\w./-]+\.(py|toml|yaml))\n")
SECOND_PACKAGE = GUIDE.index("\n## One package of many parts")


class Block(NamedTuple):
    """A block of code, where it begins, and the file that it is, if it is one."""

    language: str
    code: str
    place: int
    path: str | None

    @property
    def line(self) -> int:
        return GUIDE[: self.place].count("\n") + 1


def blocks() -> list[Block]:
    found = []
    for match in FENCE.finditer(GUIDE):
        file = FILE.match(match["code"]) if match["language"] != "bash" else None
        found.append(Block(match["language"], match["code"], match.start(), file and file["path"]))
    return found


class Reader:
    """Somebody who does all that the guide says.

    Attributes:
        folder: where they are.
        said: what the commands printed, in order.
    """

    def __init__(self, environment: Environment, folder: Path) -> None:
        self.environment, self.folder, self.said = environment, folder, ""
        self.state = folder / "state"

    def follow(self, block: Block) -> None:
        if block.path:
            file = self.folder / block.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.code.removeprefix(f"# {block.path}\n"), encoding="utf-8")
        elif block.language == "bash":
            self.type(block)
        else:
            assert block.language == "python", f"line {block.line}: {block.language or 'plain'} blocks are neither files nor run"
            with contextlib.chdir(self.folder):
                exec(compile("\n" * block.line + block.code, "writing-plugins.md", "exec"), {})

    def type(self, block: Block) -> None:
        """Type commands into a shell, which stops at the first that fails."""
        script = f"set -euo pipefail\n{block.code}\npwd >{self.state}"
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, env=self.environment.variables(), capture_output=True, text=True)
        assert done.returncode == 0, f"line {block.line}: {block.code}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        self.folder = Path(self.state.read_text().strip())
        self.said += done.stdout


@pytest.fixture
def reader(tmp_path):
    (tmp_path / "desk").mkdir()
    return Reader(fresh_environment(tmp_path / "environment", OURS), tmp_path / "desk")


def metrics(folder: Path) -> set[str]:
    """The names of all that was measured of a run."""
    return {name for file in (folder / "eval").glob("*.json") for name in json.loads(file.read_text())["metrics"]}


def linted(reader: Reader, folder: Path, config: Path) -> None:
    """What an outsider copies passes the linter that is set up in a new package."""
    for words in (["check"], ["format", "--check"]):
        reader.environment.run("ruff", *words, "--config", config, ".", cwd=folder)


def test_every_block_is_found_and_one_of_the_known_kinds():
    assert GUIDE.count("\n```") == 2 * len(blocks())
    assert {block.language for block in blocks()} == {"bash", "python", "toml", "yaml"}
    assert [block.line for block in blocks() if block.language in ("toml", "yaml") and not block.path] == []


@pytest.mark.slow
def test_the_first_page_leads_to_a_published_action(reader):
    desk = reader.folder
    for block in blocks():
        if block.place < SECOND_PACKAGE:
            reader.follow(block)
    package = desk / "iwm-gamma"
    assert len((package / "iwm_gamma/gamma.py").read_text().splitlines()) < 40
    assert {"mrr.gamma.log2", "dose.gamma.log2"} <= metrics(package / "runs/gamma")
    assert [path.name for path in (package / "dist").iterdir()] == ["iwm_gamma-0.1.0-py3-none-any.whl"]
    *_, installed, without = re.split(r"^NAME", reader.said, flags=re.MULTILINE)
    assert "strength" in installed, "the options of the installed wheel's action"
    assert "iwm-photometric" in without
    assert "gamma" not in without, "left out by IWM_DISABLED_PLUGINS"
    assert reader.folder == desk
    linted(reader, package, package / "pyproject.toml")


@pytest.mark.slow
def test_the_package_of_many_parts_works(reader):
    desk = reader.folder
    for block in blocks():
        if block.place >= SECOND_PACKAGE:
            reader.follow(block)
    package = desk / "iwm-lab"
    assert reader.folder == package
    assert len((package / "iwm_lab/noise.py").read_text().splitlines()) < 40
    assert metrics(package / "runs/lab/small") == {"reach.camera.pan", "reach.camera.tilt", "reach.noise.undo"}
    assert {"accuracy", "off"} <= {name.split(".")[-1] for name in metrics(package / "runs/tune/encoder")}
    assert len((package / "ledger.csv").read_text().splitlines()) == 2
    reader.environment.run("iwm", "plugins", "new", "other", "--kind", "action", cwd=desk)
    linted(reader, package, desk / "iwm-other/pyproject.toml")


def test_the_messages_that_it_explains_are_those_of_the_code():
    table = GUIDE[GUIDE.index("\n## What goes wrong") :]
    messages = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    assert len(messages) > 8
    files = [*(ROOT / "iwm_core").rglob("*.py"), *ROOT.glob("plugins/*/iwm_*/**/*.py")]
    code = " ".join(path.read_text(encoding="utf-8") for path in files)
    code = re.sub(r'"\s+f?"', "", code)  # texts that go on in the next line
    code += clash_text("action", "gamma", [Plugin("gamma", "iwm-gamma", "1"), Plugin("lab", "iwm-lab", "1")])  # put together of many parts
    known = [message for message in messages if any(message[i : i + 14] in code for i in range(len(message) - 13))]
    assert known == messages
