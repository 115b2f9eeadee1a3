"""The verbs for authors of plugins: what their help says, and where each is carried out."""

from iwm_core.interfaces.commands import Command

VERBS = [
    Command(
        name="plugins new",
        run="iwm_devkit.scaffold:run_new",
        forms={
            "plugins new NAME --kind KIND": "write a package for a component of your own, with its tests",
        },
        more=("--into FOLDER says where it is written.",),
        examples=("iwm plugins new gamma --kind action",),
    ),
    Command(
        name="plugins check",
        run="iwm_devkit.plugin_check:run_check",
        forms={
            "plugins check NAME [--json]": "check an installed plugin: entry points, hooks, components, recipes",
        },
        examples=(
            "iwm plugins check iwm-gamma",
            "iwm plugins check iwm-gamma --json",
        ),
    ),
]
