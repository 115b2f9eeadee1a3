"""Strips: one parameter swept through its range, imagined above, real below.

Decisions:
- Between the two are the real images decoded from their own tokens: what they lack is the decoder's limit, what imagined ones lack besides
  is the model's.
- The doses are those of `dose`: evenly from the lowest to the highest value that targets have, all other parameters at rest.
- Below each imagined image is its error, of tokens, relative to leaving the source as it is; nothing where the dose hardly moves the
  tokens, and the ratio would say nothing.
"""

import re

from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Gallery, Row, WorldModel
from iwm_evals.decoding.network import Decoder
from iwm_evals.dose import Sweep
from iwm_evals.questions.corruption import at_rest
from iwm_evals.scores.relative import squared
from iwm_evals.words.asked import dose, owner_of, title_of

STILL = 0.02  # of the farthest dose's distance: a dose that hardly moves the tokens
ABOUT = (
    "Top: what the model imagines, decoded, with the squared error of its tokens, relative to leaving the source as it is. Middle: the "
    "real images, decoded from their own tokens: the best that the decoder can show. Bottom: the real images."
)


def column_of(sweep: Sweep, model: WorldModel) -> int:
    """Which parameter is swept."""
    return int((sweep.params != model.actions.identity).any(0).nonzero()[0])


def show_strip(model: WorldModel, decoder: Decoder, sweep: Sweep, images: Float[Tensor, "b 3 h w"]) -> Gallery:
    """The gallery of one parameter, three rows for each image."""
    column = column_of(sweep, model)
    words = [dose(model, column, params) for params in sweep.params]
    title, params = title_of(model, column), sweep.params.to(model.device)
    rows = [row for image in images for row in strip(model, decoder, params, image[None], words, title)]
    name, number = owner_of(model, column)
    return Gallery(
        name=re.sub("[^a-z0-9]+", "_", f"imagined_{name}_{title.removeprefix(name).strip() or number}".lower()).strip("_"),
        title=f"{title[:1].upper()}{title[1:]} imagined",
        subtitle=f"from {words[0]} to {words[-1]}",
        headings=("",) * len(words),
        rows=tuple(rows),
        about=ABOUT,
    )


def strip(
    model: WorldModel, decoder: Decoder, params: Float[Tensor, "k p"], image: Float[Tensor, "1 3 h w"], words: list[str], title: str
) -> list[Row]:
    """What is imagined of one image at each dose, and what is real."""
    rest = model.actions.identity.to(params).expand_as(params)
    real = model.actions.apply_target(image.expand(len(params), -1, -1, -1), params)
    predicted = model.predict(model.encode(image), model.actions.encode(rest, params)[None])[0]
    truth, start = model.targets(real), model.targets(at_rest(model, image))
    moved, error = squared(start.expand_as(truth), truth), squared(predicted, truth)
    errors = [f"error {e / m:.2f}" if m > STILL * float(moved.max()) else "" for e, m in zip(error.tolist(), moved.tolist(), strict=True)]
    return [
        Row(tuple(decoder(predicted)), title=f"{title}\nimagined", captions=tuple(errors)),
        Row(tuple(decoder(truth)), title="real, decoded"),
        Row(tuple(real), title="real", captions=tuple(words)),
    ]
