"""The command line of ``iwm plugins check``: one line a check on standard output; what a plugin prints goes to standard error."""

import contextlib
import json
import sys
from typing import Any

from iwm_core.cli.listing import Listing
from iwm_core.interfaces.errors import UserError
from iwm_core.process.shown import tell
from iwm_devkit.plugin_check.checks import checks_of
from iwm_devkit.plugin_check.named import Check, Result


def run_check(words: list[str], given: Listing) -> int:
    """Run all checks of a plugin and show what they find.

    Returns:
        The exit status: 0 where all pass, 1 where one fails.

    Raises:
        UserError: the command line names no plugin that is installed.
    """
    if len(words) != 1:
        raise UserError("say which plugin, once: iwm plugins check NAME [--json]; `iwm plugins` lists all")
    if not __debug__:
        raise UserError("checks are assertions, which `python -O` leaves out; run without -O and PYTHONOPTIMIZE")
    with contextlib.redirect_stdout(sys.stderr):
        checks = checks_of(words[0])
    width = {"kind": max(len(check.title) for check in checks), "name": max(len(check.name) for check in checks)}
    rows, failed = [], 0
    if not given.json:
        tell(f"{'CHECK'.ljust(width['kind'])}  {'NAME'.ljust(width['name'])}  RESULT")
    for check in checks:
        with contextlib.redirect_stdout(sys.stderr):
            result = check.result()
        failed += not result.passed
        rows.append(row(check, result))
        if not given.json:
            tell(f"{check.title.ljust(width['kind'])}  {check.name.ljust(width['name'])}  {said(result)}")
    tell(json.dumps(rows, indent=1, ensure_ascii=False) if given.json else f"{len(rows)} checks, {failed} failed", keep="\n")
    return 1 if failed else 0


def row(check: Check, result: Result) -> dict[str, Any]:
    """A check for programs."""
    return {
        "kind": check.kind,
        "name": check.name,
        "distribution": check.plugin.distribution,
        "version": check.plugin.version,
        "passed": result.passed,
        "problem": result.problem,
        "note": result.note,
    }


def said(result: Result) -> str:
    """A result for people."""
    if not result.passed:
        return f"FAILED: {result.problem}"
    return f"ok ({result.note})" if result.note else "ok"
