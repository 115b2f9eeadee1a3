"""The verb ``report``: what its help says, and where it is carried out."""

from iwm_core.interfaces.commands import Command

VERBS = [
    Command(
        name="report",
        run="iwm_report.report:run_report",
        forms={
            "report RUN [RUN …] [out=FILE]": "one HTML file about a run, or several side by side",
        },
        more=("Without out=, it is report.html in the run's directory or, of several, in the folder that holds them all.",),
        examples=(
            "iwm report runs/quickstart",
            "iwm report runs/quickstart runs/quickstart-2 out=both.html",
        ),
    ),
]
