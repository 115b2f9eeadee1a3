"""The command line: ``iwm VERB …``. Torch and Hydra are imported only by the verbs that need them.

A user's mistake ends in one line on standard error and status 2; Ctrl-C in status 130; only success in status 0.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from iwm_core.errors import UserError
from iwm_core.files import OF_THE_MACHINE, cause, remedy
from iwm_core.listing import list_plugins, run_components, run_recipes, tell_problems
from iwm_core.near import did_you_mean
from iwm_core.output import outlive_readers, refused
from iwm_core.shown import tell
from iwm_core.signals import Stopped, end_with_parent, ending_in_a_line
from iwm_core.usage import about, overview


def main() -> None:
    """Entry point of the command ``iwm``."""
    if os.environ.pop("IWM_JOB", ""):  # of a sweep or a comparison
        end_with_parent()
    sys.exit(guarded(lambda: dispatch(sys.argv[1:])))


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
    except KeyboardInterrupt:
        tell("iwm: interrupted; a run that has begun goes on with `iwm resume RUN`", sys.stderr)
        return 130


def dispatch(arguments: list[str]) -> int:
    """Carry out one command line; returns the exit status."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        tell(overview(), keep="\n")
        return 0
    if arguments[0] == "--version":
        from iwm_core import __version__

        tell(f"iwm {__version__}")
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        meant = f"write iwm train {verb} …; " if verb.startswith("recipe=") else did_you_mean(verb, VERBS, "iwm {}")
        raise UserError(f"there is no verb {verb!r}; {meant}`iwm --help` lists all: {', '.join(VERBS)}")
    if {"-h", "--help"} & set(rest):
        tell(about(verb), keep="\n")
        return 0
    return VERBS[verb](rest)


def run_train(arguments: list[str]) -> int:
    many = {"-m", "--multirun"} & set(arguments)
    from iwm_core.overrides import read_recipe

    name, overrides = read_recipe([a for a in arguments if a not in many], bool(many))
    from iwm_core.new_run import refuse_named

    if not many:
        refuse_named(overrides)
    from iwm_core.sweep import sweep
    from iwm_core.work import start

    tell_problems()
    return sweep(name, overrides) if many else start(name, overrides)


def run_resume(arguments: list[str]) -> int:
    from iwm_core.overrides import read_changes

    path, overrides = read_changes(arguments, "resume")
    from iwm_core.lock import refuse_busy

    refuse_busy(Path(path))
    from iwm_core.work import resume

    tell_problems()
    return resume(path, overrides)


def run_eval(arguments: list[str]) -> int:
    from iwm_core.overrides import read_changes

    path, overrides = read_changes(arguments, "eval")
    from iwm_core.work import measure

    tell_problems()
    return measure(path, overrides)


def run_tune(arguments: list[str]) -> int:
    from iwm_core.overrides import checkpoint_in, read_recipe, read_run

    path, rest = read_run(arguments, "tune", "recipe=tune/NAME [key=value …]")
    name, overrides = read_recipe(rest)
    from iwm_core.new_run import refuse_named

    refuse_named(checkpoint_in(overrides)[1])
    from iwm_core.tuning.work import start

    tell_problems()
    return start(path, name, overrides)


def run_predict(arguments: list[str]) -> int:
    from iwm_core.prediction.asked import read_arguments

    asked = read_arguments(arguments)
    from iwm_core.prediction.work import run_predict

    tell_problems()
    return run_predict(asked)


def run_compare(arguments: list[str]) -> int:
    from iwm_core.comparison.asked import read_asked
    from iwm_core.comparison.folder import find_folder
    from iwm_core.lock import refuse_busy
    from iwm_core.overrides import read_run

    path, words = read_run(arguments, "compare")
    refuse_busy(find_folder(*read_asked(path, words))[0])
    from iwm_core.comparison.work import compare

    tell_problems()
    return compare(path, words)


def run_report(arguments: list[str]) -> int:
    from iwm_core.report import read_arguments, write_report

    tell(f"wrote {write_report(*read_arguments(arguments))}")
    return 0


def run_show(arguments: list[str]) -> int:
    from omegaconf import OmegaConf

    from iwm_core.compose import compose, of_world_model
    from iwm_core.overrides import read_recipe
    from iwm_core.recipes import find_recipes
    from iwm_core.thaw import thaw

    name, overrides = read_recipe(arguments)
    config, notes = compose(name, overrides)
    if not of_world_model(config):  # which only `iwm tune RUN` knows
        thaw(config)
    for line in find_recipes()[name].header:
        tell(f"# {line}".rstrip())
    tell(OmegaConf.to_yaml(config, resolve=True).rstrip("\n"), keep="\n")
    for note in notes:
        tell(f"iwm: note: {note}", sys.stderr)
    return 0


def run_plugins(arguments: list[str]) -> int:
    if arguments[:1] == ["new"]:
        from iwm_core.scaffold import run_new

        return run_new(arguments[1:])
    if arguments[:1] == ["check"]:
        from iwm_core.plugin_check import run_check

        return run_check(arguments[1:])
    return list_plugins(arguments)


VERBS = {
    "train": run_train,
    "resume": run_resume,
    "eval": run_eval,
    "tune": run_tune,
    "compare": run_compare,
    "predict": run_predict,
    "report": run_report,
    "show": run_show,
    "recipes": run_recipes,
    "components": run_components,
    "plugins": run_plugins,
}


if __name__ == "__main__":
    main()
