"""``iwm report``: what is known of one run or several, as one HTML file that needs nothing else to be read.

Decisions:
- It reads what lies in the runs' directories (`run_record`) and knows no evaluator: whatever gives metrics, charts, galleries or pictures
  is shown. Neither torch nor the plugins that made a run need to be installed.
- No font, no address: the page asks nobody for anything, and says so to the browser in a content security policy. Its one script is known
  to that policy by its digest; without it, all can be read.
- The same runs give the same bytes: no date but that of a run, no path but those that the user gave.
"""

from contextlib import nullcontext
from pathlib import Path

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.events import SweepEnd
from iwm_core.plugins.sources import fetched, is_address
from iwm_core.process.display import make_display
from iwm_core.process.shown import tell
from iwm_core.run.files import exists, numbered, write_atomically, writing
from iwm_core.run.lock import placing
from iwm_report.naming import common_folder, label_runs
from iwm_report.run_record import read_run

START = "<!doctype html>"
ELSEWHERE = "choose another place with out=FILE"


def read_arguments(arguments: list[str]) -> tuple[list[Path], Path | None]:
    """The runs that a command line names, and where to write; reports among them, as in ``iwm report runs/*``, are passed over.

    Raises:
        UserError: it names no run, or something else.
    """
    places = [text.removeprefix("out=") for text in arguments if text.startswith("out=")]
    words = [text for text in arguments if not text.startswith("out=")]
    wrong = [text for text in words if text.startswith("-") or ("=" in text and not exists(text))]
    runs = [text for text in words if not (exists(text) and Path(text).is_file() and begins_as_report(Path(text)))]
    if not runs or wrong or len(places) > 1 or "" in places:
        raise UserError(f"{f'cannot read {wrong[0]!r}; ' if wrong else ''}say which runs: iwm report RUN [RUN …] [out=FILE]")
    if not places and any(map(is_address, runs)):  # nobody would look for the page in the cache of what was fetched
        name = runs[0].partition("://")[2].partition("@")[0].rpartition("/")[2] if len(runs) == 1 else "report"
        places = [f"{name}.html"]
    return [Path(fetched(text)) for text in runs], Path(places[0]) if places else None


def run_report(arguments: list[str]) -> int:
    """``iwm report``: write the page, and tell where it is."""
    tell(f"wrote {write_report(*read_arguments(arguments))}")
    return 0


def report_sweep(event: SweepEnd) -> None:
    """Write the report of a sweep beside its runs, where it has any, and tell its path."""
    if not event.runs:
        return
    free = numbered(common_folder(event.runs) / f"{Path(event.recipe).name}-sweep", ".html")
    out = next(path for path in free if not path.exists())
    tell(f"wrote {write_report(event.runs, out)}")


def write_report(paths: list[Path], out: Path | None = None) -> Path:
    """Write the report of some runs; returns its path.

    Args:
        paths: the runs' directories, at least one.
        out: where to write; None: ``report.html`` in the run's directory or, of several, in the folder that holds them all.

    Raises:
        UserError: a run does not exist or is given twice, or the report cannot be written.
    """
    if out is None:
        out = (paths[0] if len(paths) == 1 else common_folder(paths)) / "report.html"
    runs = [read_run(path, label) for path, label in zip(paths, label_runs(paths), strict=True)]
    check_place(out)

    from iwm_report.runs_page import render_runs  # loads matplotlib, which takes a second

    display = make_display()
    text, problems = render_runs(runs, display.track)
    for problem in [problem for run in runs for problem in run.problems] + problems:
        display.warn(problem)
    with placing(out.parent, "report", display.warn, ELSEWHERE) if (out.parent / "config.yaml").is_file() else nullcontext():
        write_atomically(out, text, ELSEWHERE)
    return out


def check_place(out: Path) -> None:
    """Check that a report may be written here.

    Raises:
        UserError: the folder does not exist, or what is there now is not a report.
    """
    with writing(out, instead="choose another place with out=FILE"):  # such as a name that is too long
        out.is_dir()
    if not out.parent.is_dir():
        raise UserError(f"there is no folder {out.parent} to write {out.name} into; make it, or {ELSEWHERE}")
    if out.is_dir():
        raise UserError(f"{out} is a folder; name a file in it: out={out / 'report.html'}")
    if out.exists() and not (out.is_file() and begins_as_report(out)):
        raise UserError(f"{out} exists and is not a report; {ELSEWHERE}")


def begins_as_report(path: Path) -> bool:
    """Whether a file begins as every report does."""
    try:
        with path.open("rb") as file:
            return file.read(len(START)) == START.encode()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; {ELSEWHERE}") from error
