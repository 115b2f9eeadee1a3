"""The command line: ``iwm VERB …``. Torch and Hydra are imported only by the verbs that need them.

A user's mistake ends in one line on standard error and status 2; Ctrl-C in status 130; only success in status 0.
"""

import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pkgutil import resolve_name

from iwm_core import __version__
from iwm_core.cli.listing import warn
from iwm_core.cli.switches import read_switches
from iwm_core.cli.usage import about, overview
from iwm_core.interfaces.errors import Stopped, UserError
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.near import did_you_mean
from iwm_core.process.output import outlive_readers, refused
from iwm_core.process.shown import tell
from iwm_core.process.signals import ending_in_a_line
from iwm_core.run.files import OF_THE_MACHINE, cause, remedy


def main() -> None:
    """Entry point of the command ``iwm``."""
    sys.exit(command(sys.argv[1:]))


def command(words: list[str]) -> int:
    """Carry out a command line, in one process or in several that a launcher has started; returns the exit status."""
    return guarded(lambda: together(words))


def together(words: list[str]) -> int:
    """Carry out a command line as the plugins do that know launchers; without one, several processes would each do all of it."""
    launchers = load_plugins().modules("iwm_launchers")
    if not launchers and int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise UserError("no installed plugin knows what has started several processes: `pip install iwm`")
    action: Callable[[], int] = partial(dispatch, words)
    for launcher in launchers:
        action = partial(launcher.together, action, take_part)
    return action()


def take_part(run: str, overrides: list[str]) -> int:
    """The part of a process that does not lead in a training."""
    from iwm_core.training.starting import work_here

    return work_here(run, overrides, quiet=True)


def guarded(action: Callable[[], int]) -> int:
    """Run an action; a user's mistake becomes one line and a status."""
    outlive_readers()
    try:
        with ending_in_a_line():
            status = action()
        sys.stdout.flush()
        if refused and not status:
            raise Stopped(f"what was to be printed is not whole: {refused[0]}", 1)
        return status
    except UserError as error:
        tell(f"iwm: {error}", sys.stderr)
        return 2
    except Stopped as stopped:
        tell(f"iwm: {stopped}", sys.stderr)
        return stopped.status
    except OSError as error:
        if error.errno not in OF_THE_MACHINE:
            raise
        tell(f"iwm: {cause(error)}{f' ({error.filename})' if error.filename else ''}; {remedy(error)}", sys.stderr)
        return 1


def dispatch(arguments: list[str]) -> int:
    """Carry out one command line; returns the exit status."""
    if arguments[:1] == ["--version"]:
        tell(f"iwm {__version__}")
        return 0
    for name, word in [(word.partition("=")[0], word) for word in arguments if "=" in word]:
        if name in ("-h", "--help") or (name == "--version" and word == arguments[0]):
            raise UserError(f"{name} takes no value, got {word!r}; write {name}")
    commands = load_plugins().commands
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        tell(overview(commands.values()), keep="\n")
        warn(load_plugins().problems)
        return 0
    name, rest = verb_in(arguments, commands)
    if name not in commands:
        raise UserError(unknown(name, commands))
    if {"-h", "--help"} & set(rest):
        tell(about(command for other, command in commands.items() if f"{other} ".startswith(f"{name} ")), keep="\n")
        return 0
    words, switches = read_switches(commands[name], [at_home(word) for word in rest])
    return resolve_name(commands[name].run)(words, *switches)


def verb_in(arguments: list[str], commands: Iterable[str]) -> tuple[str, list[str]]:
    """The verb that a command line names, and the words besides: the switch in a name such as ``train -m`` may stand anywhere."""
    for place, word in enumerate(arguments[1:], 1):
        name = f"{arguments[0]} {'-m' if word == '--multirun' else word}"
        if name in commands and (place == 1 or word.startswith("-")):
            return name, [*arguments[1:place], *arguments[place + 1 :]]
    return arguments[0], arguments[1:]


def at_home(word: str) -> str:
    """A word whose place of output is below ``~``, which shells leave as it is behind an equals sign, with the folder that is meant."""
    key, _, value = word.partition("=")
    return f"{key}={os.path.expanduser(value)}" if key in ("run", "out", "map") and value.startswith("~") else word  # noqa: PTH111


def unknown(verb: str, commands: Iterable[str]) -> str:
    """What to say of a verb that no installed plugin gives."""
    verbs = [name for name in commands if " " not in name]
    meant = f"write iwm train {verb} …; " if verb.startswith("recipe=") else did_you_mean(verb, verbs, "iwm {}")
    broken = load_plugins().problems
    lost = f"; {'; '.join(broken)}" if broken else ""
    every = f"`iwm --help` lists all: {', '.join(verbs)}; `pip install iwm` brings all first-party verbs"
    return f"there is no verb {verb!r}; {meant}{every}{lost}"
