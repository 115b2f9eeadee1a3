"""``iwm plugins check NAME``: whether an installed plugin keeps to its contract, in named checks that all run, whatever fails.

Decisions:
- The checks are a list, made without running them: the command runs it, and `iwm_devkit.pytest_plugin` makes a test of each.
- A plugin is looked at as it is installed: its entry points are imported anew, in an interpreter of their own.
- A component that cannot be tried with its default options passes with a note that says so; its author tests it with options.
"""

from iwm_devkit.plugin_check.checks import checks_of as checks_of
from iwm_devkit.plugin_check.command import run_check as run_check
from iwm_devkit.plugin_check.named import Check as Check
from iwm_devkit.plugin_check.named import Result as Result
