"""The verb ``example``: what the entry point of this package names.

`iwm --help` asks for it, so nothing is imported here that takes long, such as torch: ``run`` is imported when the verb is called.
"""

from dataclasses import dataclass

from iwm_core import hookimpl
from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.component import option


@dataclass(frozen=True, kw_only=True)
class Example:
    """Its switches, here ``--key loss``: read and checked before ``run`` is called, told in its help, completed by shells."""

    key: str = option("loss", "which number: loss, lr, images_per_s, or another that is logged")


@hookimpl
def iwm_commands() -> list[Command]:
    return [
        Command(
            name="example",
            forms={"example RUN [RUN …] [--key loss]": "the newest value in each run's log"},
            switches=Example,
            examples=("iwm example runs/quickstart", "iwm example runs/* --key lr"),
            run="iwm_devkit.scaffold.command.example:run",
        )
    ]
