"""The verbs for authors of plugins and users of shells: what their help says, and where each is carried out."""

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
    Command(
        name="completion",
        run="iwm_devkit.completion:run_completion",
        forms={
            "completion bash|zsh|fish": "print a script by which your shell completes command lines",
        },
        more=(
            "Verbs, switches, recipes, components, keys and their values, of all installed plugins; print it again when these change.",
            "bash: ~/.local/share/bash-completion/completions/iwm; zsh: a file _iwm in a folder of $fpath; fish: the example.",
        ),
        examples=(
            "iwm completion bash > ~/.local/share/bash-completion/completions/iwm",
            "iwm completion fish > ~/.config/fish/completions/iwm.fish",
        ),
    ),
]
