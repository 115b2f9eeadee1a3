"""A plugin's module: whether it imports, lightly and silently, and which of its lines an error comes from."""

import json
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

HEAVY = ("torch",)
LIGHT = (
    *("iwm_caches", "iwm_commands", "iwm_component_kinds", "iwm_displays", "iwm_hookspecs", "iwm_launchers", "iwm_measurers"),
    *("iwm_advisers", "iwm_model_sources", "iwm_precisions", "iwm_python", "iwm_run_kinds", "iwm_workers"),
)
"""Hooks that every command asks, `iwm --help` too."""
MARK = "iwm-import:"

CODE = """import json, sys
sys.path[:] = json.loads(sys.argv[1])
from importlib.metadata import EntryPoint
problem, module, asked = "", None, {}
heavy = lambda: [name for name in json.loads(sys.argv[5]) if name in sys.modules]
try:
    module = EntryPoint(sys.argv[2], sys.argv[3], "iwm").load()
except BaseException as error:
    problem = type(error).__name__ + ": " + " ".join(str(error).split())
imported = heavy()
for hook in json.loads(sys.argv[6]) if not imported else ():
    try:
        for given in getattr(module, hook, list)():
            getattr(given, "schema", list)()
    except BaseException:
        pass
    if heavy():
        asked[hook] = heavy()
        break
print("\\n" + sys.argv[4] + json.dumps([problem, imported, asked]))
"""


def check_import(point: Any) -> None:
    """Check that an entry point's module imports in a fresh interpreter, without torch and without a word; the hooks of `LIGHT` likewise.

    Raises:
        AssertionError: it does not.
    """
    arguments = [json.dumps(sys.path), point.name, point.value, MARK, json.dumps(HEAVY), json.dumps(LIGHT)]
    command = [sys.executable, "-P", "-c", CODE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    printed, _, told = done.stdout.rpartition(MARK)
    assert told, f"importing {point.value} ends Python with status {done.returncode}: do nothing at import"
    problem, heavy, asked = json.loads(told)
    assert not problem, f"cannot import {point.value}: {problem}; repair it, or correct the entry point in pyproject.toml"
    assert not heavy, (
        f"importing {point.value} imports {', '.join(heavy)}, which makes every `iwm` command slow: import classes inside the hooks"
    )
    assert not asked, (
        f"{next(iter(asked))} of {point.value} imports {', '.join(*asked.values())}, which makes every `iwm` command slow: "
        "import it in the functions that need it"
    )
    assert not printed.strip(), (
        f"importing {point.value} prints {printed.strip().splitlines()[0]!r}, which every `iwm` command then shows: do nothing at import"
    )


def line_of(error: BaseException) -> str:
    """Where an error comes from: the last line of code that is neither the core's nor a library's, else the last of all."""
    frames = list(traceback.walk_tb(error.__traceback__))
    names = [(frame.f_globals.get("__name__", "").split(".")[0], frame.f_code.co_filename, line) for frame, line in frames]
    own = [place for place in names if place[0] not in ("iwm_core", *LIBRARIES)] or names
    _, file, line = own[-1] if own else ("", "?", 0)
    return f"{'/'.join(Path(file).parts[-2:])}:{line}"


LIBRARIES = ("torch", "torchvision", "timm", "numpy", "importlib", "jaxtyping", "beartype", "hydra", "omegaconf", "dataclasses", "pickle")
