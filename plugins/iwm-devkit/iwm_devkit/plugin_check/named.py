"""A named check of a plugin, and what it finds."""

from collections.abc import Callable
from dataclasses import dataclass

from iwm_core.interfaces.errors import Stopped, UserError
from iwm_core.plugins.distributions import Plugin
from iwm_core.plugins.faults import cause_of
from iwm_devkit.plugin_check.modules import line_of


@dataclass(frozen=True)
class Result:
    """What a check found.

    Attributes:
        problem: what is wrong and how to mend it, in one line; empty where nothing is.
        note: what a reader of a passed check should know.
    """

    problem: str = ""
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether the check has passed."""
        return not self.problem


@dataclass(frozen=True)
class Check:
    """One named check of a plugin.

    Attributes:
        kind: what is looked at, such as ``metadata``, ``entry_point``, ``hook``, ``action`` or ``recipe``.
        name: which one.
        plugin: whose it is.
        run: raises AssertionError, or whatever the plugin's code raises, or gives a note; see `result`.
    """

    kind: str
    name: str
    plugin: Plugin
    run: Callable[[], str | None]

    @property
    def title(self) -> str:
        """The kind for people."""
        return self.kind.replace("_", " ")

    def result(self) -> Result:
        """Run the check; nothing that it raises gets out, but Ctrl-C."""
        try:
            return Result(note=self.run() or "")
        except AssertionError as error:
            return Result(problem=(str(error) or f"an assertion fails at {line_of(error)}").splitlines()[0])
        except UserError as error:
            return Result(problem=str(error))
        except (KeyboardInterrupt, Stopped):
            raise
        except BaseException as error:  # a third party's code may fail in any way; this is where it is reported
            return Result(problem=f"raises {cause_of(error)} at {line_of(error)}; repair it")
