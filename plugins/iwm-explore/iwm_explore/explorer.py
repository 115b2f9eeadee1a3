"""What a world model imagines of one image, beside what is real: state in, pictures and numbers out. Knows nothing of any page.

Decisions:
- Errors are those of the evaluators: squared distances of all tokens to the real image's `targets`, relative to not acting, which is the
  source left as it is. Beside them are the controls: told nothing, and told other actions, the mean over a few that training would draw.
- `nearest` is a real image: of versions of the same image, as training draws them, of the data's other images on the page, and of what the
  action really makes, the one whose tokens lie nearest to the prediction. The place that the true one takes among them is told.
- Images that an action leaves as they are have nothing to be imagined of: no error is given where the tokens do not move.
- A model that answers every action alike is found by asking it, not by its name.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from iwm_evals import decoder
from iwm_evals.plans import repeated
from iwm_evals.questions.bank import first_of_each, looks_of
from iwm_evals.questions.corruption import at_rest
from iwm_evals.scores.relative import squared
from iwm_evals.words.asked import NOTHING, told
from jaxtyping import Float, UInt8
from torch import Tensor

from iwm_core.interfaces import Draws, ImageBatch, UserError, WorldModel, check_finite
from iwm_explore.controls import OBSERVED, SOURCE, Control, controls_of, sides

VERSIONS = 64  # of an image, among which the nearest is found
OTHERS = 8  # other actions that are told
CHUNK = 16  # images encoded in one pass: bounds the memory
STILL = 1e-9  # of the square of the latents: a distance that is rounding
ALIKE = 1e-5  # relative difference of predictions that are the same


class Chosen(NamedTuple):
    """An image that was chosen, and the real images that are told apart from it.

    Attributes:
        image: as large as views are made from.
        name: what it is called.
        target, action: of a pair that data shows, the second image and the numbers of the action; None where images come singly.
        versions: real images that the nearest is found among, on the CPU.
        words: what was done to each of them.
        latents: their `targets`.
    """

    image: Float[Tensor, "1 3 h w"]
    name: str
    target: Float[Tensor, "1 3 h w"] | None
    action: Float[Tensor, "1 a"] | None
    versions: UInt8[Tensor, "v 3 h w"]
    words: list[str]
    latents: Float[Tensor, "v n d"]


class Seen(NamedTuple):
    """What a model imagines when it is asked something; images [3 h w] in [0, 1].

    Attributes:
        asked: the action in words, one for each number that changes.
        source, real, nearest: real images; ``real`` is None where nobody knows it, as of an observed action that no pair shows.
        imagined, decoded: the prediction and the real image's own tokens, decoded; None without a decoder, or a real image.
        errors: by what the model was told, relative to not acting; empty where the tokens do not move, or nothing real is known.
        nearest_is: what was done to the nearest image; empty where it is the real one.
        place, among: of the real image by its distance to the prediction, and of how many; 0 where it is not known.
    """

    asked: list[str]
    source: Float[Tensor, "3 h w"]
    real: Float[Tensor, "3 h w"] | None
    imagined: Float[Tensor, "3 h w"] | None
    decoded: Float[Tensor, "3 h w"] | None
    nearest: Float[Tensor, "3 h w"]
    errors: dict[str, float]
    nearest_is: str
    place: int
    among: int


TOLD, NULL, OTHER = "told this action", "told nothing", "told other actions"


class Explorer:
    """A world model to be asked.

    Args:
        model: as `iwm_core.load` gives it.
        others: images of its data, at rest, that the nearest is found among besides; none where its data cannot be read.
        seed: of all that is drawn.

    Raises:
        UserError: the recipe has nothing to ask.
        ValueError: the model's latents or predictions are not finite.
    """

    def __init__(self, model: WorldModel, others: Float[Tensor, "o 3 h w"] | None = None, seed: int = 0) -> None:
        self.model, self.seed, self.others = model, seed, others
        self.controls: list[Control] = controls_of(model, seed)
        if not self.controls:
            raise UserError("this recipe has no action, so that there is nothing to imagine; `iwm report RUN` shows what its encoder keeps")
        self.decoder, self.why_no_decoder = None, ""
        try:
            self.decoder = decoder(model)
        except UserError as error:
            self.why_no_decoder = str(error)

    @property
    def at_rest(self) -> list[float]:
        """The controls' values that change nothing."""
        return [control.rest for control in self.controls]

    @torch.no_grad()
    def choose(
        self,
        image: Float[Tensor, "1 3 h w"],
        name: str,
        target: Float[Tensor, "1 3 h w"] | None = None,
        action: Float[Tensor, "1 a"] | None = None,
    ) -> Chosen:
        """An image to be asked about, with its versions; ``target`` and ``action`` of a pair that data shows."""
        image = image.to(self.model.device)
        images, words = self._versions(image)
        if self.others is not None:
            images, words = torch.cat([images, self.others]), words + ["another image"] * len(self.others)
        kept = first_of_each(looks_of(images))
        images, words = images[kept], [words[place] for place in kept.tolist()]
        latents = torch.cat([self.model.targets(part) for part in images.split(CHUNK)])
        check_finite(latents)
        return Chosen(image, name, target, action, in_bytes(images), words, latents)

    def pair(self, batch: ImageBatch, name: str) -> Chosen:
        """The first image of a batch of the run's data."""
        one = batch.take(slice(0, 1))
        return self.choose(one.images, name, one.target, one.action)

    def _versions(self, image: Float[Tensor, "1 3 h w"]) -> tuple[Float[Tensor, "v 3 h w"], list[str]]:
        """An image at rest, and as training makes targets of it, and sources where these alone are corrupted."""
        model = self.model
        drawn = model.actions.sample(repeated(self.seed, VERSIONS, model.device, "explore/versions"))
        rest = model.actions.identity.to(model.device).expand_as(drawn.target)
        only = torch.zeros_like(rest[0], dtype=torch.bool)
        only[[control.column for control in self.controls if control.side == SOURCE]] = True
        corrupted = torch.where(only, drawn.source, rest)[: VERSIONS // 4] if bool(only.any()) else rest[:0]
        many = image.expand(VERSIONS, -1, -1, -1)
        images = torch.cat([at_rest(model, image), model.actions.apply_target(many, drawn.target), self._applied(many, corrupted)])
        words = ["this image, untouched"]
        shown = zip(model.actions.encode(rest, drawn.target), drawn.target, strict=True)
        words += [", ".join(told(model, action, params)) for action, params in shown]
        for one in model.actions.encode(corrupted, rest[: len(corrupted)]):
            words.append(", ".join(told(model, one)).replace("undo ", ""))
        return images, [text.replace(NOTHING, "this image, untouched") for text in words]

    def _applied(self, images: Float[Tensor, "b 3 h w"], params: Float[Tensor, "c p"]) -> Float[Tensor, "c 3 h2 w2"]:
        return self.model.actions.apply(images[: len(params)], params)

    @torch.no_grad()
    def see(self, chosen: Chosen, values: Sequence[float]) -> Seen:
        """What the model imagines of an image when the controls stand at these values.

        Raises:
            ValueError: a value outside its control's range, or predictions that are not finite.
        """
        model, params = self.model, sides(self.model, self.controls, values)
        action = model.actions.encode(*params)
        source = model.actions.apply(chosen.image, params.source)
        real = self.real(chosen, values)
        told_actions = torch.cat([action, torch.zeros_like(action), self._other_actions(params.source)])
        start, predicted = model.targets(source), model.predict(model.encode(source), told_actions[None])[0]
        check_finite(start, predicted)

        latents, truth = chosen.latents, None if real is None else model.targets(real)
        far = squared(latents, predicted[:1])
        place, errors = 0, {}
        if real is not None and truth is not None:
            other = looks_of(chosen.versions.to(real) / 255)[:, 0] != looks_of(in_bytes(real).to(real) / 255)[0]
            far[~other.cpu()] = float("inf")
            own, moved = float(squared(predicted[:1], truth)), float(squared(start, truth))
            place = 1 + int((far < own).sum())
            if moved > STILL * float(truth.square().sum()):
                apart = (squared(predicted, truth) / moved).tolist()
                errors = {TOLD: apart[0], NULL: apart[1], OTHER: sum(apart[2:]) / len(apart[2:])}
        found = int(far.argmin())
        nearest = chosen.versions[found].float() / 255 if real is None or place > 1 else real[0]
        imagined, decoded = None, None
        if self.decoder is not None:
            pictures = self.decoder(predicted[:1] if truth is None else torch.cat([predicted[:1], truth]))
            imagined, decoded = pictures[0], pictures[1] if truth is not None else None
        return Seen(
            asked=told(model, action[0], params.target[0]),
            source=source[0],
            real=None if real is None else real[0],
            imagined=imagined,
            decoded=decoded,
            nearest=nearest,
            errors=errors,
            nearest_is="" if place == 1 else chosen.words[found],
            place=place,
            among=int(far.isfinite().sum()) + (real is not None),
        )

    @torch.no_grad()
    def real(self, chosen: Chosen, values: Sequence[float]) -> Float[Tensor, "1 3 h2 w2"] | None:
        """The image that the action really makes; None where nobody knows it."""
        params, image = sides(self.model, self.controls, values), chosen.image
        asked = [(control, value) for control, value in zip(self.controls, values, strict=True) if control.side == OBSERVED]
        if any(abs(value - control.rest) > control.step / 2 for control, value in asked):
            own = None if chosen.action is None else chosen.action[0].tolist()
            if own is None or any(abs(value - own[control.column]) > control.step for control, value in asked):
                return None
            assert chosen.target is not None
            image = chosen.target
        return self.model.actions.apply_target(image, params.target)

    def _other_actions(self, source: Float[Tensor, "1 p"]) -> Float[Tensor, "o a"]:
        drawn = self.model.actions.candidates(repeated(self.seed, OTHERS, source.device, "explore/others"))
        return self.model.actions.encode(source.expand_as(drawn), drawn)

    @cached_property
    def is_told(self) -> bool:
        """Whether the model's answers depend on the action; else it imagines the same whatever the controls say."""
        size, rest = self.model.image_size, self.model.actions.identity.to(self.model.device)[None]
        noise = Draws(self.seed, 0, torch.zeros(1, dtype=torch.int64), "explore/noise").uniform(3 * size * size)
        drawn = self.model.actions.sample(repeated(self.seed, OTHERS, rest.device, "explore/told"))
        actions = torch.cat([torch.zeros_like(self.model.actions.encode(rest, rest)), self.model.actions.encode(*drawn)])
        with torch.no_grad():
            answers = self.model.predict(self.model.encode(noise.view(1, 3, size, size).to(rest)), actions[None])[0]
        return float((answers - answers[:1]).norm(dim=(1, 2)).max()) > ALIKE * float(answers[0].norm())


def in_bytes(images: Float[Tensor, "*b 3 h w"]) -> UInt8[Tensor, "*b 3 h w"]:
    """Images in [0, 1] as bytes, on the CPU."""
    return (images.clamp(0, 1) * 255).round().to(torch.uint8).cpu()
