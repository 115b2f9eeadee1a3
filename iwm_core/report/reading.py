"""Reads what a run's directory holds: all of it may be missing, or be of an earlier version, but for config.yaml.

Decisions:
- What is damaged is named and left out, and the rest is shown: a report is asked for when something has gone wrong, too.
- Numbers that are not finite are null in JSON and NaN here.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from iwm_core.errors import UserError
from iwm_core.files import read_lines
from iwm_core.results import Chart, Constant, Metric, Series
from iwm_core.scorecard import MEASURED_WITH, kept_otherwise, read_result, understand
from iwm_core.settings import Settings, in_words, otherwise, settings_of

KINDS = ("lines", "bars", "points")


class Pictured(NamedTuple):
    """A row of a gallery: as `iwm_core.results.Row`, with the files of its images."""

    images: tuple[Path, ...]
    numbers: dict[str, float]
    verdict: str
    right: bool | None


class Rows(NamedTuple):
    """A gallery: as `iwm_core.results.Gallery`."""

    name: str
    title: str
    subtitle: str
    headings: tuple[str, ...]
    rows: tuple[Pictured, ...]
    about: str


class Measured(NamedTuple):
    """What an evaluator has found: one file.

    Attributes:
        metrics, controls: by name, and by the name of what they control and what they say.
        settings: the evaluator's own words on what it measured with.
        asked: what it was measured with, as `iwm_core.settings` compares it.
        old: an earlier version measured: ``asked`` is then what its recipe asks for and, as far as they say it, its ``settings``.
        differing: what of it is not as the recipe has it, in words.
        own: whether this is the recipe's result, and not one that other settings measured.
    """

    name: str
    own: bool
    step: int
    metrics: dict[str, Metric]
    controls: dict[str, dict[str, Metric]]
    settings: dict[str, Any]
    asked: Settings
    old: bool
    differing: str
    summary: str
    about: dict[str, str]
    charts: dict[str, Chart]
    galleries: dict[str, Rows]
    pictures: list[tuple[Path, str]]


@dataclass(frozen=True)
class RunRecord:
    """All that is known of a run.

    Attributes:
        path: its directory, as the user gave it.
        label: what the report calls it.
        config, text: config.yaml, as values and as it is.
        environment: env.json.
        log: lines of metrics.jsonl.
        history: lines of evaluations.jsonl.
        measured: by evaluator, in the order of the recipe: what its settings measured.
        others: by evaluator, what other settings measured.
        step, steps: of the newest checkpoint, and of a whole training; None where that is not known.
        problems: what could not be read, a line each.
    """

    path: Path
    label: str
    config: dict[str, Any]
    text: str
    environment: dict[str, Any]
    log: list[dict[str, Any]]
    history: list[dict[str, Any]]
    measured: dict[str, Measured]
    others: dict[str, list[Measured]]
    step: int | None
    steps: int | None
    problems: list[str] = field(default_factory=list)

    @property
    def recipe(self) -> str:
        """The recipe's name."""
        return str(self.config.get("recipe", "of no name"))


def read_run(path: Path, label: str) -> RunRecord:
    """Read a run.

    Raises:
        UserError: there is none, or its config.yaml cannot be read.
    """
    if not (path / "config.yaml").is_file():
        what = "has no config.yaml" if path.is_dir() else "does not exist"
        raise UserError(f"{path} is no run: it {what}; `iwm train` prints a run's directory on its first line")
    try:
        text = (path / "config.yaml").read_text(encoding="utf-8")
        config = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path / 'config.yaml'} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise UserError(f"{path / 'config.yaml'} is no recipe")

    problems: list[str] = []

    def attempt(read: Callable[[Path], Any], file: Path, otherwise: Any) -> Any:
        """What a file holds; a damaged one is named and left out."""
        try:
            return read(file) if file.exists() else otherwise
        except KeyError as error:
            problems.append(f"{file} is damaged and left out: it lacks {error}")
        except (TypeError, AttributeError):
            problems.append(f"{file} is damaged and left out: it is not of the form that iwm writes")
        except (OSError, ValueError) as error:
            problems.append(f"{file} is damaged and left out: {' '.join(str(error).split())}")
        return otherwise

    asked = list(config.get("evaluators") or config.get("tasks") or {})
    files = sorted((path / "eval").glob("*.json"), key=lambda f: (asked.index(f.stem) if f.stem in asked else len(asked), f.stem))
    found = [attempt(lambda file: read_measured(file, file.stem, config), file, None) for file in files]
    apart = [attempt(lambda file: read_measured(file, file.parent.name, config), file, None) for file in kept_otherwise(path / "eval")]
    others: dict[str, list[Measured]] = {}
    for one in apart:
        if one is not None:
            others.setdefault(one.name, []).append(one)
    checkpoints = [p for p in (path / "checkpoints").glob("step_*") if p.name.removeprefix("step_").isdigit()]
    newest = max(checkpoints, key=lambda p: int(p.name.removeprefix("step_")), default=None)
    state = attempt(read_object, newest / "state.json", {}) if newest else {}
    return RunRecord(
        path=path,
        label=label,
        config=config,
        text=text,
        environment=attempt(read_object, path / "env.json", {}),
        log=attempt(read_log, path / "metrics.jsonl", []),
        history=attempt(read_history, path / "evaluations.jsonl", []),
        measured={one.name: one for one in found if one is not None},
        others=others,
        step=state.get("step"),
        steps=state.get("steps"),
        problems=problems,
    )


def read_object(path: Path) -> dict[str, Any]:
    """A file that holds one JSON object."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError("it holds no JSON object")
    return content


def read_log(path: Path) -> list[dict[str, Any]]:
    """Lines that each have a step."""
    return [line for line in read_lines(path) if isinstance(line["step"], int)]


def read_history(path: Path) -> list[dict[str, Any]]:
    """Measurements made in training, their metrics and controls as in `Measured`."""
    lines = [understand(line) for line in read_log(path) if line["evaluator"]]
    return [{**line, "metrics": read_metrics(line["metrics"]), "controls": read_controls(line["metrics"])} for line in lines]


def read_measured(path: Path, name: str, config: dict[str, Any]) -> Measured:
    """An evaluator's file; those of earlier versions have metrics and settings only, and a picture of the evaluator's name."""
    content = read_result(path)
    folder = path.parent
    pictures = [(folder / picture["file"], picture["about"]) for picture in content.get("pictures", [])]
    own = folder / f"{path.stem}.png"
    if "galleries" not in content and own.exists():
        pictures.append((own, f"the picture of {path.stem}"))
    settings = dict(content.get("settings", {}))
    usual = settings_of(config, name)
    asked = settings.pop(MEASURED_WITH, None) or presumed(usual, settings)
    return Measured(
        name=name,
        own=path.stem == name,
        step=int(content["step"]),
        metrics=read_metrics(content["metrics"]),
        controls=read_controls(content["metrics"]),
        settings=settings,
        asked=asked,
        old=content["format"] == 1,
        differing=in_words(otherwise(asked, usual)),
        summary=content.get("summary", ""),
        about=dict(content.get("about", {})),
        charts={chart["name"]: read_chart(chart) for chart in content.get("charts", [])},
        galleries={gallery["name"]: read_gallery(gallery, folder) for gallery in content.get("galleries", [])},
        pictures=pictures,
    )


def presumed(usual: Settings, told: dict[str, Any]) -> Settings:
    """What an earlier version measured with, as far as is known; numbers of images that it tells may be what there was."""
    options = {key: told.get(key, value) if not key.endswith("images") else value for key, value in usual["evaluator"].items()}
    return {**usual, "evaluator": options}


def read_metrics(content: dict[str, dict[str, Any]]) -> dict[str, Metric]:
    """Metrics by name."""
    return {name: read_metric(m) for name, m in content.items()}


def read_controls(content: dict[str, dict[str, Any]]) -> dict[str, dict[str, Metric]]:
    """The controls of metrics by name."""
    return {name: read_metrics(m["controls"]) for name, m in content.items()}


def read_metric(content: dict[str, Any]) -> Metric:
    """A number with its bounds."""
    return (Constant if content.get("exact") else Metric)(*(number(content[key]) for key in ("value", "low", "high")), n=int(content["n"]))


def read_chart(content: dict[str, Any]) -> Chart:
    """A chart that can be drawn."""
    series = tuple(read_series(one, content["name"]) for one in content["series"])
    if content["kind"] not in KINDS:
        raise ValueError(f"chart {content['name']} is of an unknown kind, {content['kind']!r}")
    levels = {name: number(value) for name, value in content.get("levels", {}).items()}
    return Chart(**{**content, "series": series, "levels": levels})


def read_series(content: dict[str, Any], chart: str) -> Series:
    """One curve, as long everywhere."""
    numbers = {key: [number(v) for v in content[key]] for key in ("y", "low", "high") if content.get(key) is not None}
    if any(len(values) != len(content["x"]) for values in numbers.values()):
        raise ValueError(f"series {content['label']!r} of chart {chart} has more numbers in one list than in another")
    return Series(**{**content, **numbers})


def read_gallery(content: dict[str, Any], folder: Path) -> Rows:
    """A gallery, its files with their folder."""
    rows = tuple(
        Pictured(
            images=tuple(folder / file for file in row["images"]),
            numbers={name: number(value) for name, value in row["numbers"].items()},
            verdict=row["verdict"],
            right=row["right"],
        )
        for row in content["rows"]
    )
    return Rows(**{**content, "headings": tuple(content["headings"]), "rows": rows})


def number(value: float | None) -> float:
    """A number of JSON, where null stands for one that is not finite."""
    return float("nan") if value is None else float(value)
