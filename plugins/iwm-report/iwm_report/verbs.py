"""The verbs: what their help says, what they take, and where each is carried out."""

from dataclasses import dataclass

from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.component import option


@dataclass(frozen=True, kw_only=True)
class Watch:
    """The switch of ``iwm watch``."""

    port: int = option(8642, "of the page; another where that is taken, 0 for any that is free", low=0, high=65535)


VERBS = [
    Command(
        name="report",
        run="iwm_report.report:run_report",
        forms={
            "report RUN [RUN …] [out=FILE]": "one HTML file about a run, or several side by side",
        },
        more=(
            "Without out=, it is report.html in the run's directory or, of several, in the folder that holds them all.",
            "Of an address, such as hf://me/mine, it is mine.html here.",
        ),
        examples=(
            "iwm report runs/quickstart",
            "iwm report runs/quickstart runs/quickstart-2 out=both.html",
        ),
    ),
    Command(
        name="watch",
        run="iwm_report.watching:run_watch",
        switches=Watch,
        forms={
            "watch RUN [RUN …]": "the report of runs as they train, in a browser",
        },
        more=(
            "It tells its address on the first line, and keeps the page up to date until Ctrl-C. It reads, and writes nothing.",
            "From another machine: ssh -L 8642:127.0.0.1:8642 MACHINE.",
        ),
        examples=(
            "iwm watch runs/quickstart",
            "iwm watch runs/quickstart runs/quickstart-2 --port 8643",
        ),
    ),
]
