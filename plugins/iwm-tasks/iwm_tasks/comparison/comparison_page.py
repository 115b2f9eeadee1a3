"""The page of a comparison: what stands on it. iwm-report makes it, where it is installed."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from iwm_core.plugins.loader import load_plugins
from iwm_tasks.comparison.records import Comparison, TaskTable, count, headings, held_against, how_far, row_cells, what_is_in_it, with_ends

HOOK = "iwm_report_page"
MISSING = "the page and the plots are made by iwm-report, which is not installed: `pip install iwm-report`, then compare again"


class ComparisonPage(NamedTuple):
    """What iwm-report needs to write the page: see `iwm_report.added.Wanted`."""

    path: Path
    fill: Callable[[Any], None]


def can_write_page() -> bool:
    """Whether iwm-report is installed."""
    return HOOK in load_plugins().specs


def have_page_written(comparison: Comparison, folder: Path) -> list[Path]:
    """Have ``comparison.html`` written, with its plots as ``.png`` and ``.svg``; returns their paths.

    Raises:
        UserError: they cannot be written.
    """
    page = folder / "comparison.html"
    load_plugins().tell(HOOK, ComparisonPage(page, partial(fill, comparison)))
    return [page, page.with_suffix(".png"), page.with_suffix(".svg")]


def fill(comparison: Comparison, page: Any) -> None:
    """Put a comparison into the page."""
    page.title = f"{comparison.name}: protocols compared"
    page.kicker = "Image world model · comparison of protocols"
    page.heading = comparison.name
    asked = "What tuning `{}` ({}) gives and costs, by what of it is trained"
    page.state = page.markup(asked, comparison.world_model, comparison.checkpoint)
    if comparison.missing:
        page.notes.append(page.markup("{} `{}` goes on.", how_far(comparison), comparison.command))
    for number, table in enumerate(comparison.tables, 1):
        add_table(page.section(table.task, f"t{number}"), table, comparison)
    add_reading(page, comparison)
    protocols = {name: about or f"recipe=tune/{name}" for name, about in comparison.protocols.items()}
    for name in comparison.own.keys() & protocols.keys():
        protocols[name] = page.markup("{} · here with `{}`", protocols[name], " ".join(comparison.own[name]))
    page.section("Protocols", "protocols").words(protocols)
    trainings = page.section("Trainings", "trainings")
    for table in comparison.tables:
        add_seeds(trainings, table, range(comparison.seeds))
    again = page.section("Reproduce", "reproduce")
    again.text("The same line makes the comparison in another folder, and goes on with it in this one.")
    again.code(comparison.command)


def add_table(section: Any, table: TaskTable, comparison: Comparison) -> None:
    """The protocols for one task, as a plot and a table."""
    points = [(one.protocol, max(one.cost.trained, 1), one.metric) for one in table.entries]
    texts = [f"{one.protocol} {with_ends(one.metric)} with {count(one.cost.trained)}" for one in table.entries]
    section.plot(
        points,
        x="trained parameters",
        y=table.metric,
        told=f"{table.task}: {table.metric} against trained parameters. {', '.join(texts)}.",
        order=list(comparison.protocols),
        ticks=count,
        beside=[*held_against(table), what_is_in_it(table)],
    )
    rows = [row_cells(entry, comparison) for entry in table.entries]
    section.table(f"Comparison for {table.task}", headings(table), rows, [entry.metric for entry in table.entries])


def add_seeds(section: Any, table: TaskTable, seeds: range) -> None:
    """What each training of each protocol came to."""
    rows = [[one.protocol, *(f"{one.values[s]:.4g}" if s in one.values else "–" for s in seeds)] for one in table.entries]
    section.heading(f"{table.task}: {table.metric} by seed")
    section.table(f"{table.metric} of {table.task} by seed", ["protocol", *(f"seed {seed}" for seed in seeds)], rows)


def add_reading(page: Any, comparison: Comparison) -> None:
    """How all of it is to be read."""
    devices = list(dict.fromkeys(entry.cost.device for table in comparison.tables for entry in table.entries))
    reading = {
        "Plot": "A point is a protocol: the further left, the fewer parameters are trained, on a logarithmic scale; the line through it is "
        "the interval.",
        "Interval": page.markup(
            "95 %, over trainings and images at once. With *k* seeds of values *v*, each of its sides is √(a² + h²): a = t · "
            "sd(*v*) / √*k*, with t of Student's distribution of *k* − 1 degrees of freedom, for another training; h, that side of "
            "the bootstrap interval of the seeds' mean, the images resampled together for all seeds, for other images. With one "
            "seed it is h alone; it ends where nothing is possible beyond. Where the intervals of two protocols do not overlap, "
            "they differ by more than seeds and images explain; where they do, it is open."
        ),
        "Parameters": "Trained: the parameters that training changes, heads included. The share is of all parameters of the tuned model.",
        "GFLOPs": "10⁹ operations for one image, counted in its matrix products and convolutions, a multiply-add as two. Training is "
        "forward, and backward to what is trained; inference answers all tasks.",
        "Time, memory": "Wall time of one training, the mean over seeds; the highest mark of memory, of tensors on a GPU, else of the "
        f"process. On: {'; '.join(devices)}.",
    }
    if len(comparison.tables) > 1:
        reading["Several tasks"] = "The mean of the tasks is shown where they have the same main metric."
    page.section("How to read it", "reading").words(reading)
