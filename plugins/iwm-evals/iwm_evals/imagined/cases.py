"""Cases: an image, what was asked of it, what the model imagines, what is true, and how far they are apart.

Decisions:
- A parameter is asked for at the ends of its range in turn, alone; then all together, as drawn in training; then each corruption, undone.
- The truth is shown twice: as it is, and decoded from its own tokens, which is the best that the decoder could show. The difference is
  taken between imagined and decoded truth: what the decoder cannot show is no fault of the world model.
- The errors written are of tokens, not of pictures: squared, relative to leaving the source as it is.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Draws, Gallery, ImageBatch, Row, WorldModel
from iwm_evals.decoding.network import Decoder
from iwm_evals.dose import Sweep
from iwm_evals.imagined.asking import Asked, Parts, answer, ask, between, pictures, relative
from iwm_evals.questions.corruption import at_rest
from iwm_evals.questions.parts import Part, alone
from iwm_evals.scores.relative import squared
from iwm_evals.words.asked import told

MOST = 12
HEADINGS = ("source", "imagined", "true target, decoded", "true target", "difference")
ABOUT = (
    "Imagined: the prediction, decoded. The decoder was trained on the frozen tokens afterwards and is no part of the world model; what it "
    "cannot show of the true target, it cannot show of a prediction. The darker, the larger the difference. Errors are of "
    "tokens, squared, relative to leaving the source as it is; one above 99 is of an action that hardly moves them."
)
CONTRAST = 2.0  # of the difference


def show_cases(model: WorldModel, decoder: Decoder, parts: Parts, sweeps: list[Sweep], images: ImageBatch, subtitle: str) -> Gallery:
    """The gallery of cases, an image for each."""
    rows: list[Row] = []
    count = len(images.index)
    for number, sweep in enumerate(sweeps):
        params = sweep.params[[-1, 0][number % 2]].to(model.device)
        case = between(model, images.take(slice(number % count, number % count + 1)).images, params[None])
        rows += cases(model, decoder, case, params)
    together = Part("", torch.stack([part.columns for part in parts.changing]).any(0)) if len(parts.changing) > 1 else None
    more = [*parts.shown * 4, *([together] * 2 if together else []), *parts.undone]
    for number, part in enumerate(more, len(rows)):
        batch = images.take(slice(number % count, number % count + 1))
        drawn = together is part
        params = None
        if drawn:
            params = alone(part, model.actions.sample(Draws(0, number, batch.index, "imagination/case")).target, model.actions.identity)[0]
            case = between(model, batch.images, params[None])
        else:
            case = ask(model, parts, part, batch, 0)
        rows += cases(model, decoder, case, params)
    return Gallery(
        name="imagined",
        title="What the model imagines",
        subtitle=subtitle,
        headings=HEADINGS,
        rows=tuple(rows[:MOST]),
        about=ABOUT,
    )


def cases(model: WorldModel, decoder: Decoder, case: Asked, params: Float[Tensor, "p"] | None) -> list[Row]:
    """A row for an image that was asked something; none where the action leaves it as it is."""
    if not len(case.place):
        return []
    found = answer(model, case)
    shown = pictures(decoder, found)
    error, moved = (float(squared(one, found.target)) for one in (found.imagined, found.source))
    images = (case.source[0], shown.imagined[0], shown.target[0], case.target[0], difference(shown.imagined[0], shown.target[0]))
    captions = ("error 1" if moved else "", f"error {relative(error, moved)}" if moved else "", "error 0", "", "")
    return [Row(images, title="\n".join(told(model, case.action[0], params)), captions=captions)]


def difference(one: Float[Tensor, "3 h w"], other: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
    """White where two images agree, darker where they do not."""
    return (1 - CONTRAST * (one - other).abs().mean(0, keepdim=True)).clamp(0, 1).expand_as(one)


def show_decoded(model: WorldModel, decoder: Decoder, images: ImageBatch, subtitle: str) -> Gallery:
    """Images and what is decoded of their tokens, where a recipe has no action to imagine."""
    clean = at_rest(model, images.images)
    rows = [Row((image, made, difference(made, image))) for image, made in zip(clean, decoder(model.targets(clean)), strict=True)]
    about = "This recipe has no action, so that there is nothing to imagine: what the tokens hold, decoded."
    return Gallery("imagined", "Images of tokens", subtitle, ("image", "decoded", "difference"), tuple(rows), about)
