"""What an evaluator has found, from its file: ``eval/<name>.json`` and ``eval/<name>/<digest>.json``.

Numbers that are not finite are null in JSON and NaN here.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict

from iwm_core.interfaces.results import Answer, Chart, Gallery, Metric
from iwm_core.recipe.shapes import check_name, fitting
from iwm_core.run.stored import Damaged
from iwm_evals.measuring.scorecard import MEASURED_WITH, kept_otherwise, read_result
from iwm_evals.measuring.settings import Settings, in_words, otherwise, settings_of

KINDS = ("lines", "bars", "points")


class Kept(TypedDict):
    """The file; what earlier versions did not write may be missing."""

    step: int
    metrics: dict[str, Metric]
    settings: NotRequired[dict[str, Any]]
    summary: NotRequired[str]
    about: NotRequired[dict[str, str]]
    better: NotRequired[dict[str, str]]
    answer: NotRequired[Answer | None]
    charts: NotRequired[list[Chart]]
    galleries: NotRequired[list[Gallery]]
    pictures: NotRequired[list[dict[str, str]]]
    files: NotRequired[dict[str, str]]


class Measured(NamedTuple):
    """What an evaluator has found: one file.

    Attributes:
        metrics: by name, each with its controls.
        settings: the evaluator's own words on what it measured with.
        asked: what it was measured with, as `iwm_evals.measuring.settings` compares it.
        old: an earlier version measured: ``asked`` is then what its recipe asks for and, as far as they say it, its ``settings``.
        differing: what of it is not as the recipe has it, in words.
        own: whether this is the recipe's result, and not one that other settings measured.
        checksums: of its pictures; earlier versions wrote none.
    """

    name: str
    own: bool
    step: int
    metrics: dict[str, Metric]
    settings: dict[str, Any]
    asked: Settings
    old: bool
    differing: str
    summary: str
    about: dict[str, str]
    better: dict[str, str]
    answer: Answer | None
    charts: dict[str, Chart]
    galleries: dict[str, Gallery]
    pictures: list[tuple[Path, str]]
    checksums: dict[Path, str]


def read_results(run: Path, config: dict[str, Any]) -> tuple[list[Measured], list[str]]:
    """What evaluators or tasks have found in a run, first what the recipe's settings measured, in its order; and what cannot be read."""
    problems, folder, asked = list[str](), run / "eval", list(config.get("evaluators") or config.get("tasks") or {})
    own = sorted(folder.glob("*.json"), key=lambda f: (asked.index(f.stem) if f.stem in asked else len(asked), f.stem))
    named = [*((file, file.stem) for file in own), *((file, file.parent.name) for file in kept_otherwise(folder))]
    found = [attempt(lambda file, name=name: read_measured(file, name, config), file, None, problems) for file, name in named]
    return [one for one in found if one is not None], problems


def attempt(read: Callable[[Path], Any], file: Path, otherwise: Any, problems: list[str], needed: bool = False) -> Any:
    """What a file holds; a damaged one, or a missing one that is ``needed``, is added to ``problems`` and left out."""
    try:
        return read(file) if needed or file.exists() or file.is_symlink() else otherwise
    except Damaged as error:
        problems.append(f"{file} {error.problem} and is left out")
    except KeyError as error:
        problems.append(f"{file} is damaged and left out: it lacks {error}")
    except (TypeError, AttributeError, RecursionError):
        problems.append(f"{file} is damaged and left out: it is not of the form that iwm writes")
    except (OSError, ValueError, OverflowError) as error:
        problems.append(f"{file} is damaged and left out: {' '.join(str(error).split())}")
    return otherwise


def read_measured(path: Path, name: str, config: dict[str, Any]) -> Measured:
    """An evaluator's file; those of earlier versions have metrics and settings only, and a picture of the evaluator's name."""
    content = read_result(path)
    folder, kept = path.parent, fitting(content, Kept)
    pictures = [(folder / picture["file"], picture["about"]) for picture in kept.get("pictures", [])]
    own = folder / f"{path.stem}.png"
    if "galleries" not in kept and own.exists():
        pictures.append((own, f"the picture of {path.stem}"))
    settings = kept.get("settings", {})
    usual = settings_of(config, name)
    asked = settings.pop(MEASURED_WITH, None) or presumed(usual, settings)
    return Measured(
        name=name,
        own=path.stem == name,
        step=kept["step"],
        metrics=kept["metrics"],
        settings=settings,
        asked=fitting(asked, dict[str, Any], MEASURED_WITH),
        old=content["format"] == 1,
        differing=in_words(otherwise(asked, usual)),
        summary=kept.get("summary", ""),
        about=kept.get("about", {}),
        better=kept.get("better", {}),
        answer=kept.get("answer"),
        charts={chart.name: checked(chart) for chart in kept.get("charts", [])},
        galleries={gallery.name: placed(gallery, folder) for gallery in kept.get("galleries", [])},
        pictures=pictures,
        checksums={folder / file: value for file, value in kept.get("files", {}).items()},
    )


def presumed(usual: Settings, told: dict[str, Any]) -> Settings:
    """What an earlier version measured with, as far as is known; numbers of images that it tells may be what there was."""
    options = {key: told.get(key, value) if not key.endswith("images") else value for key, value in usual["evaluator"].items()}
    return {**usual, "evaluator": options}


def checked(chart: Chart) -> Chart:
    """A chart, once it is found that it can be drawn."""
    check_name(chart.name, "the chart's name")
    if chart.kind not in KINDS:
        raise ValueError(f"chart {chart.name} is of an unknown kind, {chart.kind!r}")
    for series in chart.series:
        if any(len(values) != len(series.x) for values in (series.y, series.low, series.high) if values is not None):
            raise ValueError(f"series {series.label!r} of chart {chart.name} has more numbers in one list than in another")
    return chart


def placed(kept: Gallery, folder: Path) -> Gallery:
    """A gallery, its files with their folder."""
    check_name(kept.name, "the gallery's name")
    return kept._replace(rows=tuple(row._replace(images=tuple(folder / str(file) for file in row.images)) for row in kept.rows))
