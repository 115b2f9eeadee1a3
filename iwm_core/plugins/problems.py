"""Why a plugin does not work, noted with the remedy.

Decisions:
- A plugin that fails is recorded with its cause and a remedy; the rest works. ``IWM_STRICT_PLUGINS=1`` makes it an error.
- Whatever a third party's code raises is the plugin's problem, `SystemExit` too; Ctrl-C and signals are not.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from iwm_core.interfaces.errors import Stopped, UserError
from iwm_core.plugins.distributions import Plugin
from iwm_core.plugins.faults import cause_of


def strict(problem: str) -> None:
    """Raise a problem when the user asked for strictness."""
    if os.environ.get("IWM_STRICT_PLUGINS") == "1":
        raise UserError(f"{problem} (IWM_STRICT_PLUGINS=1)")


def record(plugin: Plugin, error: BaseException) -> None:
    """Note why a plugin does not work, with the remedy."""
    plugin.problem = f"{cause_of(error)}; repair it, `pip uninstall {plugin.distribution}`, or set IWM_DISABLED_PLUGINS={plugin.name}"
    strict(f"plugin {plugin.name!r} of {plugin.distribution}: {plugin.problem}")


@contextmanager
def recorded(plugin: Plugin) -> Iterator[None]:
    """Record whatever a third party's module raises, `SystemExit` too, as the plugin's problem; what it prints goes to standard error."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (KeyboardInterrupt, Stopped):
        raise
    except BaseException as error:
        record(plugin, error)
