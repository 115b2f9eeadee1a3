"""The kit as a plugin: verbs for authors of recipes and plugins.

Not in ``__init__``, whose names are the checks: a loader looks at every name of a plugin's module, and would import them all.
"""

from iwm_core import hookimpl
from iwm_core.interfaces.commands import Command


@hookimpl
def iwm_commands() -> list[Command]:
    from iwm_devkit.verbs import VERBS

    return VERBS


@hookimpl
def iwm_advisers() -> list[str]:
    return ["iwm_devkit.advice"]
