"""Puts a report together: what the template shows, in the order in which it shows it.

Decisions:
- Everything that a user or a plugin has named reaches the page through Jinja's escaping; drawings alone are markup of our own.
  Invisible characters are escaped in the whole page (`shown`).
- Many runs (`MANY`): what repeats for each is folded, and the table at the top is what compares them.
- A reader meets the verdict, pictures and curves first, then the first number of each evaluator; the rest lies folded under the question
  that it answers. Where nothing is answered and evaluators are few (`FEW`), nothing is folded.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from iwm_evals.measuring.tables import three_digits
from markupsafe import Markup

from iwm_core.interfaces.results import CONTROLS, QUESTIONS
from iwm_core.plugins.loader import load_plugins
from iwm_core.process.shown import as_word, shown
from iwm_report.added import Page
from iwm_report.comparison import at_chance, compare
from iwm_report.curves import mishaps, training_charts
from iwm_report.differences import config_differences, differences_between, in_short
from iwm_report.drawing import draw_chart, draw_key
from iwm_report.environment import make_environment
from iwm_report.facts import facts, trial
from iwm_report.joined_charts import alternative
from iwm_report.known_best import known_best
from iwm_report.named_points import draw_added
from iwm_report.numbers import ZERO, interval, shown_numbers
from iwm_report.reproduce import commands, report_command, report_place, started_with
from iwm_report.run_record import RunRecord
from iwm_report.score_table import END
from iwm_report.sections import by_question, evaluator_sections, figures_of, headlines, history_figures, leading
from iwm_report.standing import standing
from iwm_report.tiles import Album
from iwm_report.verdict import in_a_sentence, rulings

Track = Callable[[Iterable[Any], str, int], Iterable[Any]]
MANY = 3
COLUMNS = 6  # runs that the table at the top has side by side; more stand below each other
HEADING = 32  # letters of what a run is named by in the table at the top
FEW = 3  # sections of evaluators that are shown unfolded


def render_runs(runs: list[RunRecord], track: Track, live: str = "", gone: Sequence[str] = ()) -> tuple[str, list[str]]:
    """The page, as text, and a line for each picture that could not be shown.

    Args:
        track: shows progress.
        live: as of `make_environment`: then, the page says how each run stands.
        gone: what is to be said of other runs, which cannot be shown.
    """
    numbers = count(1)
    problems: list[str] = []

    def attempt(read: Callable[[Path], Any]) -> Callable[[Path], Any]:
        """A reader of files that gives None where there is none to show; the page says so in its place."""

        def one(path: Path) -> Any:
            try:
                return read(path)
            except (OSError, ValueError) as error:
                problems.append(f"cannot show {path}: {getattr(error, 'strerror', None) or error}; measure again with `iwm eval`")
                return None

        return one

    environment, album = make_environment(live), Album([run.path for run in runs], checksums(runs))
    environment.filters |= {"written": three_digits, "interval": interval, "signed": signed}
    environment.filters |= {"shown_numbers": shown_numbers, "word": as_word, "sentence": sentence}
    environment.globals |= {
        "alternative": alternative,
        "END": END,
        "LOOKS": {"yes": "says yes", "no": "says no", "open": "leaves it open"},
        "QUESTIONS": QUESTIONS,
        "draw_key": lambda number, kind: key(number, kind, numbers),
        "tile": attempt(album.tile),
        "picture": attempt(album.picture),
    }
    labels = [run.label for run in runs]
    differences = config_differences([run.config for run in runs]) if len(runs) > 1 else []
    sections, page = evaluator_sections(runs), Page(runs)
    load_plugins().tell("iwm_report_sections", page)
    draw_added(page)
    led, firsts, ruled = leading(sections), headlines(sections), [rulings(run) for run in runs]
    shared = [one for one in firsts if sum(metric is not None for metric in one.line.values) > 1] or firsts
    training = figures_of(labels, [training_charts(run) for run in runs])
    history = history_figures(runs)
    every = [one for figures in (*(section.figures for section in sections), training, history) for one in figures]
    for one in track(every, "drawing charts", len(every)):
        one.drawn = [Markup(draw_chart(panel, next(numbers))) for panel in one.panels]
    text = environment.get_template("runs_page.html").render(
        runs=runs,
        labels=labels,
        many=len(runs) > MANY,
        columns=COLUMNS,
        title=title_of(labels),
        states=[standing(run) if live else state_of(run) for run in runs],
        gone=gone,
        facts=[facts(run) for run in runs],
        rulings=ruled,
        sentences=[in_a_sentence(found) for found in ruled],
        known=[known_best(run) for run in runs],
        trials=[run.label for run in runs if trial(run)],
        leading=led,
        led=[name for name, _ in led],
        folded=any(ruled) or len(sections) > FEW,
        groups=by_question(sections),
        shown_controls={control for one in firsts for control in one.line.controls},
        CONTROLS=CONTROLS,
        short=[in_short(differences, place) for place in range(len(runs))],
        headlines=firsts,
        at_chance=lambda key, place: at_chance(firsts, key, place),
        compared_in_words=compare(runs, sections, differences) if len(runs) > 1 else [],
        shared=shared,
        alone=[one for one in firsts if one not in shared],
        HEADING=HEADING,
        sections=sections,
        added=page.sections,
        training=training,
        history=history,
        mishaps=[mishaps(run) for run in runs],
        differences=differences,
        machines=differences_between([machine_of(run) for run in runs]),
        commands=[commands(run) for run in runs],
        started_with=[started_with(run) for run in runs],
        report_command=report_command(runs),
        report_place=report_place(runs),
    )
    return shown(text, keep="\n"), problems


def checksums(runs: list[RunRecord]) -> dict[Path, str]:
    """Of the pictures of all results."""
    results = (one for run in runs for one in (*run.measured.values(), *(other for others in run.others.values() for other in others)))
    return {path: value for result in results for path, value in result.checksums.items()}


def title_of(labels: list[str]) -> str:
    """The page's title."""
    return " and ".join(labels) if len(labels) < 3 else f"{len(labels)} runs compared"


def state_of(run: RunRecord) -> str:
    """How far a run has come, in words."""
    if run.step is None:
        return "no checkpoint yet"
    done = f"step {run.step:,}" + (f" of {run.steps:,}" if run.steps and run.steps > run.step else "")
    return f"{done}, a trial" if trial(run) else done


def sentence(text: str) -> str:
    """A summary as a sentence of its own."""
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}." if text else ""


def signed(value: float) -> str:
    """A number of a gallery, its sign always written but for 0."""
    return f"{value:+.2f}".replace("-", "−") if abs(value) >= ZERO else "0.00"


def machine_of(run: RunRecord) -> dict[str, Any]:
    """Versions and machine, as env.json has them."""
    known = run.environment
    about = {key: known[key] for key in ("platform", "python", "git_commit") if known.get(key) is not None}
    return {**about, **(known.get("versions") or {})}


def key(number: int, kind: str, numbers: Iterator[int]) -> Markup:
    """A legend's key, with ids of its own."""
    return Markup(draw_key(number, kind).replace("k0-", f"k{next(numbers)}-"))
