"""The model card: what the model is, how it was trained and measured, its licence, and how to load it in three lines.

Decisions:
- Nothing local leaves: of the recipe, the card has what made the weights, and no absolute path, place, process or command line.
- The front matter is what the Hugging Face Hub reads of a card.
"""

import math
from typing import Any, NamedTuple

from iwm_evals.measuring.measured import Measured
from iwm_evals.measuring.settings import flatten

from iwm_core import __version__
from iwm_core.interfaces.results import Metric
from iwm_core.run.plain import written_yaml
from iwm_interop.exporting.origin import HUB, Origin

LOCAL = ("run", "launch", "kind", "evaluators")
"""Parts of a config that tell of a machine, or nothing of the weights."""


class CardFacts(NamedTuple):
    """What a model card says.

    Attributes:
        name: of the folder.
        config: the run's, as plain data that may leave this machine.
        what, encodes: the model in words, and whether it gives features.
        step: of the checkpoint.
        format, takes: what is written, and what is fed to it.
        loads: how each part is loaded and used, in lines of Python.
        labels: what the numbers of an action, or of an answer, stand for.
        error: by how much outputs of what was written differ from the run's, at most.
        files: their SHA-256 by name.
    """

    name: str
    config: dict[str, Any]
    what: str
    encodes: bool
    step: int
    format: str
    takes: str
    loads: list[list[str]]
    labels: dict[str, list[str]]
    error: float
    files: dict[str, str]
    origin: Origin
    measured: list[Measured]


def card(told: CardFacts) -> str:
    """The text of a card, in Markdown."""
    recipe = told.config.get("recipe", "a recipe")
    licence = told.origin.licence or "not stated: ask whoever gave you this model before you use it or pass it on"
    parts = [
        front_matter(told.format, told.encodes, told.origin),
        f"# {told.name}",
        f"{told.what}, recipe `{recipe}` at step {told.step}{told.origin.words()}. Exported by iwm {__version__} as {told.format}.",
        *loading(told),
        "## Licence",
        licence + ".",
        "## Scorecard",
        scorecard(told.measured),
        "## Recipe",
        "\n".join(["```yaml", *(f"{key}: {value}" for key, value in flatten(told.config).items()), "```"]),
        "## Files",
        "\n".join(["| file | SHA-256 |", "|---|---|", *(f"| `{name}` | `{value}` |" for name, value in told.files.items())]),
    ]
    return "\n\n".join(parts) + "\n"


def loading(told: CardFacts) -> list[str]:
    """How to load it: three lines for the model, and three for what is beside it."""
    first, *others = ["\n".join(["```python", *lines, "```"]) for lines in told.loads]
    parts = [
        "## Load",
        first,
        f"`{told.name}` is this folder, seen from beside it; from elsewhere, give its path.",
        f"It takes {told.takes}. Its outputs are those of the run to {told.error:.1g} of the largest, compared at its export.",
    ]
    for lines in others:
        parts += ["## Predict what an action does", lines, "Numbers of an action lie about in [-1, 1]; 0 is no change."]
    if told.labels:
        parts += [f"`labels.json` names numbers: {'; '.join(f'{of}: {few(names)}' for of, names in told.labels.items())}."]
    return parts


def few(names: list[str]) -> str:
    """Some of many names."""
    return ", ".join([*names[:12], *([f"and {len(names) - 12} more"] if names[12:] else [])])


def front_matter(format: str, encodes: bool, origin: Origin) -> str:
    """What the Hub reads."""
    library = format if format in ("timm", "transformers", "onnx") else "pytorch"
    content: dict[str, Any] = {"library_name": library, "tags": ["image-world-model", "jepa"]}
    if encodes:
        content["pipeline_tag"] = "image-feature-extraction"
    if origin.licence:
        known = HUB.get(origin.licence)
        content |= {"license": known} if known else {"license": "other", "license_name": origin.licence}
    if origin.imported:
        content["source"] = origin.imported["source"]
    return f"---\n{written_yaml(content)}---"


def scorecard(measured: list[Measured]) -> str:
    """What evaluators have found with the recipe's settings, as tables."""
    own = [one for one in measured if one.own and one.metrics]
    if not own:
        return "Nothing was measured."
    rows = ["| measured at step | metric | value | 95 % interval | controls | images |", "|---|---|---|---|---|---|"]
    for one in own:
        rows += [f"| {one.name}, {one.step} | {name} | {cells(metric)} |" for name, metric in one.metrics.items()]
    return "\n".join(rows)


def cells(metric: Metric) -> str:
    """A metric as cells of a row."""
    controls = ", ".join(f"{name} {number(control.value)}" for name, control in metric.controls.items())
    interval = "exact" if metric.exact else f"{number(metric.low)} to {number(metric.high)}"
    return f"{number(metric.value)} | {interval} | {controls} | {metric.n}"


def number(value: float) -> str:
    return "not available" if math.isnan(value) else f"{value:.4g}"


def shareable(config: dict[str, Any]) -> dict[str, Any]:
    """A run's config without what tells of a machine."""
    kept = placeless({key: value for key, value in config.items() if key not in LOCAL})
    if isinstance(source := config.get("world_model"), dict):  # that a tuned model began from, with a config of its own
        kept["world_model"] = {"checkpoint": source.get("checkpoint"), "config": shareable(source.get("config") or {})}
    return kept


def placeless(value: Any) -> Any:
    """Nested values with ``local`` in the place of paths that lie here: these were made absolute, a name on the Hub was not."""
    if isinstance(value, dict):
        return {key: placeless(one) for key, one in value.items()}
    if isinstance(value, list):
        return [placeless(one) for one in value]
    return "local" if isinstance(value, str) and value.startswith(("/", "~", "\\", "file:")) else value
