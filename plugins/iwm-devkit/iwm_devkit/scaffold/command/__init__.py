"""The verb ``example``: what the entry point of this package names.

`iwm --help` asks for it, so nothing is imported here that takes long, such as torch: ``run`` is imported when the verb is called.
"""

from iwm_core import hookimpl
from iwm_core.interfaces.commands import Command


@hookimpl
def iwm_commands() -> list[Command]:
    return [
        Command(
            name="example",
            forms={"example RUN [RUN …] [key=KEY]": "the newest value in each run's log"},
            more=("KEY is a number that is logged: loss, which is the default, lr, images_per_second, and so on.",),
            examples=("iwm example runs/quickstart", "iwm example runs/* key=lr"),
            run="iwm_devkit.scaffold.command.example:run",
        )
    ]
