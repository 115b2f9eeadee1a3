"""How undoing is presented: in one sentence, and as a gallery of what the predictions from corrupted images find."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Gallery, Metric, Row, WorldModel
from iwm_evals.questions.corruption import Corrupted
from iwm_evals.scores.relative import hardly_moved, squared

ABOUT = {
    "undo": "squared distance of prediction and clean image over that of corrupted and clean image: 0 is perfect, 1 is not undone; far "
    "above 1, a corruption hardly moves the tokens",
    "undone": "share of predictions that lie closer to the clean than to the corrupted image: 1 is perfect; no better than with "
    "the null action, it is luck: a prediction far from both may be closer to either",
}
FAR = 10.0  # times the movement: an error that says more of how small the movement is
TITLES = ("Undoing what was done to the source", "what was done", "squared error, relative to leaving it as it is")
READING = (
    "How far predictions from corrupted images are from the clean ones, relative to how far the corrupted ones are: 0 is perfect, 1 is "
    "not undone. With the null action, a model can only do what it guesses from the source."
)


class Version(NamedTuple):
    """Corrupted images, their latents, and the predicted latents of the clean images."""

    corrupted: Corrupted
    latents: Float[Tensor, "c n d"]
    predicted: Float[Tensor, "c n d"]


def of_image(versions: dict[str, Version], place: int) -> dict[str, Version]:
    """The corrupted versions that there are of one image."""
    found = {}
    for name, (corrupted, latents, predicted) in versions.items():
        at = (corrupted.place == place).nonzero()[:, 0]
        if len(at):
            found[name] = Version(Corrupted(*(part[at] for part in corrupted)), latents[at], predicted[at])
    return found


def make_row(model: WorldModel, image: Float[Tensor, "3 h w"], clean: Float[Tensor, "n d"], versions: dict[str, Version], turn: int) -> Row:
    """A row of the gallery: one corrupted version, the versions taking turns, and which version its prediction lies nearest to."""
    asked = list(versions)[turn % len(versions)]
    shown, latents = {"clean": image}, {"clean": clean[None]}
    for name, version in versions.items():
        shown[name], latents[name] = version.corrupted.images[0], version.latents
    distances = {name: float(squared(versions[asked].predicted, latent)) for name, latent in latents.items()}
    nearest = min(distances, key=lambda name: distances[name])
    moved = float(squared(versions[asked].latents, clean[None]))
    # Far from both, a prediction lies by chance a little nearer to one of them.
    right = nearest == "clean" and distances["clean"] <= moved
    words = {"clean": "undone" if right else "astray", asked: "not undone"}
    verdict = words.get(nearest, f"taken for {nearest}")
    error = f", error {distances['clean'] / moved:.2f}" if moved else ""
    error = ", which hardly moved it" if moved and distances["clean"] > FAR * moved else error
    places = [f"{name}.{label}" for name, label in zip(model.names, model.actions.labels, strict=True)]
    numbers = dict(zip(places, versions[asked].corrupted.actions[0].tolist(), strict=True))
    return Row((shown[asked], image, shown[nearest]), numbers, f"{asked}: {verdict}{error}", right)


def show(metrics: dict[str, Metric], rows: list[Row]) -> Gallery:
    """Corrupted images drawn at random, and what was found from them."""
    undo, undone = metrics["undo"], metrics["undone"].value
    return Gallery(
        name="undo",
        title=f"Error {undo.value:.3f} after undoing",
        subtitle=f"1 where images are left as they are   ·   95 % interval {undo.low:.3f} to {undo.high:.3f}   ·   {undo.n} images"
        f"   ·   {undone:.0%} closer to clean, {metrics['undone'].controls['null'].value:.0%} with the null action",
        headings=("corrupted source", "clean target", "nearest to prediction"),
        rows=tuple(rows),
        about="Right: the version that lies nearest to the prediction: the clean image, the corrupted one, or one corrupted otherwise.",
    )


def in_one_sentence(metrics: dict[str, Metric]) -> str:
    """The numbers that matter, in one sentence."""
    undo, undone = metrics["undo"], metrics["undone"].value
    text = f"{undo.value:.3f} ({undo.low:.3f} to {undo.high:.3f}) of the squared distance from corrupted to clean images is left"
    null = metrics["undone"].controls["null"].value
    text = f"{text}; {undone:.0%} of predictions are closer to clean than to corrupted, {null:.0%} with the null action"
    return text + hardly_moved({name.partition(".")[2]: metric for name, metric in metrics.items() if name.startswith("undo.")})
