"""Reads what a run's directory holds: all of it may be missing, or be of an earlier version, but for config.yaml.

Decisions:
- What is damaged is named and left out, and the rest is shown: a report is asked for when something has gone wrong, too.
- Numbers that are not finite are null in JSON and NaN here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from iwm_core.errors import UserError
from iwm_core.results import Chart, Constant, Metric, Series
from iwm_core.saved import Logged, MeasuredLine, latest_checkpoint, read_config, read_state
from iwm_core.scorecard import MEASURED_WITH, kept_otherwise, read_result, understand
from iwm_core.settings import Settings, in_words, otherwise, settings_of
from iwm_core.stored import Damaged, Log, read_json, read_log, read_text

KINDS = ("lines", "bars", "points")


class Environment(TypedDict, total=False):
    """What is shown of env.json."""

    versions: dict[str, str]
    python: str
    platform: str
    git_commit: str | None
    seed: int
    command: list[str]


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
    config = read_config(path / "config.yaml")
    text = read_text(path / "config.yaml")

    problems: list[str] = []

    def attempt(read: Callable[[Path], Any], file: Path, otherwise: Any) -> Any:
        """What a file holds; a damaged one is named and left out."""
        try:
            return read(file) if file.exists() or file.is_symlink() else otherwise
        except Damaged as error:
            problems.append(f"{file} {error.problem} and is left out")
        except KeyError as error:
            problems.append(f"{file} is damaged and left out: it lacks {error}")
        except (TypeError, AttributeError):
            problems.append(f"{file} is damaged and left out: it is not of the form that iwm writes")
        except (OSError, ValueError) as error:
            problems.append(f"{file} is damaged and left out: {' '.join(str(error).split())}")
        return otherwise

    def readable(log: Log, file: Path) -> list[dict[str, Any]]:
        """The lines of a log that can be read; that there are others is told."""
        if log.bad:
            problems.append(
                f"{file} holds lines that cannot be read and are left out ({log.bad}); `iwm resume {path}` mends an unfinished run"
            )
        return log.records

    def lines(file: Path) -> list[dict[str, Any]]:
        return readable(read_log(file, Logged), file)

    def history(file: Path) -> list[dict[str, Any]]:
        found = [understand(line) for line in readable(read_log(file, MeasuredLine), file)]
        return [{**line, "metrics": read_metrics(line["metrics"]), "controls": read_controls(line["metrics"])} for line in found]

    asked = list(config.get("evaluators") or config.get("tasks") or {})
    files = sorted((path / "eval").glob("*.json"), key=lambda f: (asked.index(f.stem) if f.stem in asked else len(asked), f.stem))
    found = [attempt(lambda file: read_measured(file, file.stem, config), file, None) for file in files]
    apart = [attempt(lambda file: read_measured(file, file.parent.name, config), file, None) for file in kept_otherwise(path / "eval")]
    others: dict[str, list[Measured]] = {}
    for one in apart:
        if one is not None:
            others.setdefault(one.name, []).append(one)
    newest = latest_checkpoint(path / "checkpoints")
    state = attempt(lambda file: read_state(file.parent), newest / "state.json", {}) if newest else {}
    return RunRecord(
        path=path,
        label=label,
        config=config,
        text=text,
        environment=attempt(partial(read_json, shape=Environment), path / "env.json", {}),
        log=attempt(lines, path / "metrics.jsonl", []),
        history=attempt(history, path / "evaluations.jsonl", []),
        measured={one.name: one for one in found if one is not None},
        others=others,
        step=state.get("step"),
        steps=state.get("steps"),
        problems=problems,
    )


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
