"""How action inference is presented: in one sentence, as charts of errors and answers, as a gallery of plans."""

from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Chart, Gallery, Metric, Row, Series

ABOUT = {
    "planning_relative": "error of the action found between two images, over all its numbers and over chance's: 0 is perfect, 1 is chance",
    "planning": "mean absolute error of one number of the action found, on its scale of about -1 to 1: 0 is perfect; below both controls, "
    "the model knows what was done",
}
POINTS = 180  # drawn of all numbers together


def in_one_sentence(metrics: dict[str, Metric], searches: list[str], told: str, names: list[str]) -> str:
    """The numbers that matter, in one sentence."""
    relative = metrics[f"planning_relative.{told}"]
    zeros = relative.controls["null"].value
    interval = f"{relative.low:.2f} to {relative.high:.2f}"
    text = f"the action that {told} finds between two images is off by {relative.value:.2f} ({interval}) times as much as a random guess"
    text += f", {'no better than' if relative.high >= zeros else 'below'} the {zeros:.2f} of the null action"
    others = [f"{search} {metrics[f'planning_relative.{search}'].value:.2f}" for search in searches if search != told]
    text += f" ({', '.join(others)})" if others else ""
    found = {name: metrics[f"planning.{told}.{name}"] for name in names}
    errors = {name: (metric.value, metric.controls["chance"].value) for name, metric in found.items()}
    by_ease = sorted(names, key=lambda name: errors[name][0] / errors[name][1])
    said = [
        f"{name} is off by {errors[name][0]:.2f} where chance is by {errors[name][1]:.2f}"
        for name in dict.fromkeys([by_ease[0], by_ease[-1]])
    ]
    return f"{text}; {' and '.join(said)}"


def chart_errors(relative: list[list[Metric]], searches: list[str], names: list[str]) -> Chart:
    """Each number's error over chance's, by search."""
    series = [
        Series(label, list(names), [m.value for m in found], [m.low for m in found], [m.high for m in found])
        for label, found in zip([*searches, "null action"], relative, strict=True)
    ]
    return Chart(
        name="planning_errors",
        title="Which numbers of an action are found",
        x="number in the action",
        y="error / error of chance",
        kind="bars",
        series=tuple(series),
        about="Error of each number of the action found between two images. 0 is perfect; chance is a draw from the same distribution, "
        "the null action is the answer that nothing was done. A model that knows the action stays below both.",
        levels={"chance": 1.0},
    )


def chart_answers(true: Float[Tensor, "b v"], found: Float[Tensor, "b v"], search: str, names: list[str]) -> Chart:
    """What was found against what was done, a point for each image and number."""
    shown = max(1, POINTS // len(names))
    series = [Series(name, true[:shown, place].tolist(), found[:shown, place].tolist()) for place, name in enumerate(names)]
    return Chart(
        name="planning_answers",
        title=f"What was done, and what was found by {search}",
        x="true number",
        y="number found",
        kind="points",
        series=tuple(series),
        about="Each point is one number of one image's action. A model that knows the action puts them on the line of truth; one that is "
        "blind to it scatters them without a slope.",
        diagonal="truth",
    )


def show_plans(metrics: dict[str, Metric], told: str, rows: list[Row]) -> Gallery:
    """Images drawn at random, with the actions found between them."""
    relative = metrics[f"planning_relative.{told}"]
    return Gallery(
        name="planning",
        title=f"Actions found: off by {relative.value:.2f} times as much as a random guess",
        subtitle=f"95 % interval {relative.low:.2f} to {relative.high:.2f}   ·   {relative.n} images, searched by {told}",
        headings=("source", "goal", "made by the action found")[: len(rows[0].images)] if rows else (),
        rows=tuple(rows),
        about="The world model is shown source and goal and finds the action between them; a third image is made by that action, where "
        "it can be made. A tick: its numbers are off by less than half of chance.",
    )
