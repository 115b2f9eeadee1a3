"""The model card: what the model is, how it was trained and measured, its licence, and how to load it in three lines.

Decisions:
- Nothing local leaves: of the recipe, the card has what made the weights, and no absolute path, place, process or command line.
- The front matter is what the Hugging Face Hub reads of a card.
"""

import math
from typing import Any, NamedTuple

from iwm_core import __version__
from iwm_core.evaluation.measured import Measured
from iwm_core.evaluation.settings import flatten
from iwm_core.interfaces.results import Metric
from iwm_core.run.plain import written_yaml
from iwm_interop.exporting.origin import Origin

LOCAL = ("run", "launch", "kind", "evaluators")
"""Parts of a config that tell of a machine, or nothing of the weights."""
HUB = {"CC BY-NC 4.0": "cc-by-nc-4.0", "Apache-2.0": "apache-2.0", "MIT": "mit", "CC0": "cc0-1.0", "CC BY 4.0": "cc-by-4.0"}
"""What the Hub calls some licences; others are told by their names."""


class CardFacts(NamedTuple):
    """What a model card says.

    Attributes:
        name: of the folder.
        config: the run's, as plain data.
        part: teacher or student.
        step: of the checkpoint.
        format, takes, lines: what is written, and how it is used.
        error: by how much outputs of what was written differ from the run's, at most.
        files: their SHA-256 by name.
    """

    name: str
    config: dict[str, Any]
    part: str
    step: int
    format: str
    takes: str
    lines: list[str]
    error: float
    files: dict[str, str]
    origin: Origin
    measured: list[Measured]


def card(told: CardFacts) -> str:
    """The text of a card, in Markdown."""
    recipe = told.config.get("recipe", "a recipe")
    licence = told.origin.licence or "not stated: ask whoever gave you this model before you use it or pass it on"
    parts = [
        front_matter(told),
        f"# {told.name}",
        f"The {told.part} encoder of an image world model, recipe `{recipe}` at step {told.step}{told.origin.words()}. "
        f"Exported by iwm {__version__} as {told.format}.",
        "## Load",
        "\n".join(["```python", *told.lines, "```"]),
        f"It takes {told.takes}. Its tokens are those of the run to {told.error:.1g}, compared when it was exported.",
        "## Licence",
        licence + ".",
        "## Scorecard",
        scorecard(told.measured),
        "## Recipe",
        "\n".join(["```yaml", *(f"{key}: {value}" for key, value in flatten(shareable(told.config)).items()), "```"]),
        "## Files",
        "\n".join(["| file | SHA-256 |", "|---|---|", *(f"| `{name}` | `{value}` |" for name, value in told.files.items())]),
    ]
    return "\n\n".join(parts) + "\n"


def front_matter(told: CardFacts) -> str:
    """What the Hub reads."""
    library = told.format if told.format in ("timm", "transformers", "onnx") else "pytorch"
    content: dict[str, Any] = {"library_name": library, "pipeline_tag": "image-feature-extraction", "tags": ["image-world-model", "jepa"]}
    if told.origin.licence:
        known = HUB.get(told.origin.licence)
        content |= {"license": known} if known else {"license": "other", "license_name": told.origin.licence}
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
    return placeless({key: value for key, value in config.items() if key not in LOCAL})


def placeless(value: Any) -> Any:
    """Nested values with ``local`` in the place of paths that lie here: these were made absolute, a name on the Hub was not."""
    if isinstance(value, dict):
        return {key: placeless(one) for key, one in value.items()}
    if isinstance(value, list):
        return [placeless(one) for one in value]
    return "local" if isinstance(value, str) and value.startswith(("/", "~", "\\", "file:")) else value
