"""See the imagination: a decoder from the teacher's tokens to pixels, and pictures of what the model predicts, beside what is true.

Decisions:
- The decoder (`iwm_evals.decoding`) is trained here, on the frozen tokens of training images, and kept with the result: it is no part of
  the world model, and no other number depends on it. `iwm_evals.decoder(model)` reads it.
- Distances are those of decoded images: `imagined` is the sum of |imagined - truth|² over that of |source - truth|², all three decoded, so
  that what the decoder cannot show counts for none of them: 1 is what leaving the image as it is gets. `nearer` is the share of images of
  which the imagined one lies nearer to the truth than the source. Both for all that targets carry together, and for each part alone.
- `responds` compares how much the imagined images of one source differ between actions with how much the true ones do: 0 is a model that
  imagines the same picture whatever the action.
- `detail` compares how much imagined images differ from place to place with how much the true ones do: 0 is an even colour, which may be
  the right one. A predictor of patches that it never saw in training has no need to learn where things are.
- `psnr` says how far the decoder itself can be trusted: decoded from their own tokens, clean validation images against themselves; its
  chance is the mean image that the decoder begins as, of 512 to 1,023 views of training images, or of all where there are fewer; that of
  all of the quickstart's is 0.07 dB off. `psnr_gain` is the difference, image by image.
- *null*: the null action. *identity*: the source itself.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import (
    Draws,
    Evaluation,
    EvaluationData,
    Evaluator,
    Gallery,
    ImageBatch,
    Metric,
    Track,
    WorldModel,
    check_finite,
    option,
)
from iwm_evals.compose import fit_reentry
from iwm_evals.decoding.kept import keep
from iwm_evals.decoding.learning import Course, see, train
from iwm_evals.decoding.network import Decoder
from iwm_evals.dose import make_sweeps
from iwm_evals.imagined.asking import Asked, Parts, answer, ask, between, parts_of, pictures
from iwm_evals.imagined.cases import show_cases, show_decoded
from iwm_evals.imagined.courses import show_composed, show_plans
from iwm_evals.imagined.strips import show_strip
from iwm_evals.questions.corruption import at_rest
from iwm_evals.questions.views import draw_params
from iwm_evals.scores.relative import STILL, Ratio, chart_errors, relative_metrics, spread_out, squared
from iwm_evals.statistics.metrics import mean_metrics
from iwm_evals.words.answers import answer_and_better
from iwm_evals.words.imagination import ABOUT, READING, TITLES, in_one_sentence, subtitle

VERSIONS = 4  # targets of each image, in which all parameters vary
STRIPS = 6  # parameters whose strips are shown
COLUMNS = ("error", "null", "moved", "nearer", "nearer_null", "images")


@dataclass(kw_only=True)
class Imagination(Evaluator):
    """What the model imagines, as pictures: a decoder of its tokens, strips, compositions, plans, and how near they come to the truth."""

    name = "imagination"

    images: int = option(64, "validation images measured; all of them where there are fewer", low=1)
    train_images: int = option(4096, "training images that the decoder learns from, which bounds the disk that it takes; 0: all", low=0)
    steps: int = option(400, "training steps of the decoder", low=1)
    batch: int = option(64, "views in a step", low=1)
    channels: int = option(96, "of the decoder's convolutions", low=4)
    depth: int = option(2, "residual blocks of the decoder", low=0)
    lr: float = option(2e-3, "the decoder's peak learning rate", low=0)
    doses: int = option(7, "values of a parameter in a strip", low=3, high=11)
    rows: int = option(4, "images shown in each picture", low=1, high=6)
    chunk: int = option(64, "images encoded, or decoded, in one pass: bounds the memory", low=1)

    @torch.no_grad()
    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        """See `Evaluator`.

        Raises:
            ValueError: there are no training or validation images, or the model's latents are not finite.
        """
        count, fit = self.asked(data, self.images), self.asked(data, self.train_images, "train")
        course = Course(self.channels, self.depth, self.steps, self.batch, self.lr, data.seed)
        batches = self.batches(data, fit, self.chunk, track, "train", "tokens of training images")
        decoder = train(model, see(model, batches, fit, data.seed, folder), course, track)
        keep(decoder, model, folder)

        parts = parts_of(model, data.seed)
        batches = self.batches(data, count, self.chunk, track, doing="imagining")
        rows = [measure(model, decoder, parts, batch, data.seed) for batch in batches]
        table = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
        check_finite(*table.values())
        metrics = metrics_of(table, parts.names)
        names = [name for name in parts.names if f"imagined.{name}" in metrics]
        chart = chart_errors("imagined", TITLES, metrics, names, "source left as it is", READING) if "imagined" in metrics else None
        settings = {
            "images": count,
            "train_images": fit,
            "decoder": sum(weight.numel() for weight in decoder.parameters()),
            "seed": data.seed,
        }
        return Evaluation(
            metrics,
            settings,
            ABOUT,
            in_one_sentence(metrics, names),
            (chart,) if chart else (),
            self.show(model, data, decoder, parts, metrics, track),
            **answer_and_better("imagination", metrics),
        )

    def show(
        self, model: WorldModel, data: EvaluationData, decoder: Decoder, parts: Parts, metrics: dict[str, Metric], track: Track
    ) -> tuple[Gallery, ...]:
        """The pictures, of images drawn at random."""
        images = drawn_images(data, self.asked(data, self.images), self.rows)
        if not parts.names:
            return (show_decoded(model, decoder, images, subtitle(metrics)),)
        sweeps = make_sweeps(model, data.seed, self.doses)
        found = [show_cases(model, decoder, parts, sweeps, images, subtitle(metrics))]
        strips = [show_strip(model, decoder, sweep, images.images[:2]) for sweep in sweeps[:STRIPS]]
        known = min(range(len(strips)), key=lambda place: error_of(metrics, sweeps[place].name), default=0)
        found += [strip._replace(leads=place == known) for place, strip in enumerate(strips)]
        if sweeps:
            fit = self.batches(data, min(256, data.count("train")), self.chunk, track, "train", "two steps")
            found.append(show_composed(model, decoder, sweeps, images.images, fit_reentry(model, fit)))
        if sweeps and not model.actions.observed:
            found.append(show_plans(model, decoder, images.images[:3], data.seed))
        return tuple(found)


def error_of(metrics: dict[str, Metric], part: str) -> float:
    """The error of a part, by which the best known one leads the report; of one that moves nothing, none."""
    found = metrics.get(f"imagined.{part}")
    return math.inf if found is None else found.value


def drawn_images(data: EvaluationData, count: int, rows: int) -> ImageBatch:
    """A few of the ``count`` images that are measured."""
    order = Draws(data.seed, 0, torch.zeros(1, dtype=torch.int64), "imagination/rows").permutation(count)[0, :rows].tolist()
    taken: list[ImageBatch] = []
    for place, batch in enumerate(data.batches("validation", count, 1)):
        taken += [batch] if place in order else []
    return ImageBatch(*(None if part[0] is None else torch.cat(list(part)) for part in zip(*taken, strict=True)))  # pyright: ignore[reportArgumentType, reportCallIssue]


def measure(model: WorldModel, decoder: Decoder, parts: Parts, batch: ImageBatch, seed: int) -> dict[str, Float[Tensor, "b"]]:
    """Squared distances of decoded images, by name, of each image of a batch."""
    count, clean = len(batch.index), at_rest(model, batch.images)
    decoded = decoder(model.targets(clean))
    mean = decoder.image.clamp(0, 1)[None]
    own = clean[0].numel()
    table = {"size": squared(clean, torch.zeros_like(clean)), "own": squared(decoded, clean) / own, "mean": squared(clean, mean) / own}
    for part in (part for kind in parts for part in kind):
        table |= distances(model, decoder, ask(model, parts, part, batch, seed), count, part.name)
    if parts.changing:
        versions = [draw_params(model, batch, seed, version, "imagination/versions").target for version in range(VERSIONS)]
        every = [distances(model, decoder, between(model, batch.images, params), count, "") for params in versions]
        total = {name: torch.stack([one[name] for one in every]).sum(0) for name in every[0]}
        times = total["images."]
        shares = {name: total[name] / times.clamp(min=1) for name in ("nearer.", "nearer_null.")}
        table |= total | shares | {"images.": (times > 0).double()}
        table |= spreads(model, decoder, batch.images, torch.stack(versions, 1))
    return table


def distances(model: WorldModel, decoder: Decoder, asked: Asked, count: int, name: str) -> dict[str, Float[Tensor, "b"]]:
    """How far imagined and source lie from the truth, all decoded; 0 where an image was not asked."""
    found = dict.fromkeys(COLUMNS, torch.zeros(0, dtype=torch.float64))
    if len(asked.place):
        shown = pictures(decoder, answer(model, asked))
        error, null, moved = (squared(one, shown.target) for one in (shown.imagined, shown.null, shown.source))
        nearer, nearer_null = ((moved - one).sign() / 2 + 0.5 for one in (error, null))
        found = dict(zip(COLUMNS, (error, null, moved, nearer, nearer_null, torch.ones_like(error)), strict=True))
    return {f"{column}.{name}": spread_out(values, asked.place, count) for column, values in found.items()}


def spreads(
    model: WorldModel, decoder: Decoder, images: Float[Tensor, "b 3 h w"], params: Float[Tensor, "b v p"]
) -> dict[str, Float[Tensor, "b"]]:
    """How much the images of one source differ between actions, and in themselves from place to place: imagined, and true."""
    rest = model.actions.identity.to(params).expand_as(params[:, 0])
    actions = torch.stack([model.actions.encode(rest, one) for one in params.unbind(1)], 1)
    predicted = model.predict(model.encode(at_rest(model, images)), actions)
    true = torch.stack([model.targets(model.actions.apply_target(images, one)) for one in params.unbind(1)], 1)
    found = {}
    for name, tokens in (("differs", predicted), ("differs_truth", true)):
        shown = decoder(tokens.flatten(0, 1)).unflatten(0, tokens.shape[:2])
        found[name] = squared(shown, shown.mean(1, keepdim=True).expand_as(shown))
        found[name.replace("differs", "detail")] = squared(shown, shown.mean((3, 4), keepdim=True).expand_as(shown))
    return found


def metrics_of(table: dict[str, Float[Tensor, "m"]], parts: list[str]) -> dict[str, Metric]:
    """The metrics, in the order to be shown, each with its controls."""
    own, mean = (-10 * table[name].clamp(min=1e-10).log10() for name in ("own", "mean"))
    psnr, chance, gain = mean_metrics(torch.stack([own, mean, own - mean], 1))
    names = ["", *parts] if "error." in table else parts
    ratios = []
    for name in names:
        ending = f".{name}" if name else ""
        for control, above in (("", "error"), ("null", "null"), ("identity", "moved")):
            ratios.append(Ratio(f"imagined{ending}", control, f"{above}.{name}", f"moved.{name}"))
        for control, above in (("", "nearer"), ("null", "nearer_null")):
            ratios.append(Ratio(f"nearer{ending}", control, f"{above}.{name}", f"images.{name}", share=True))
    if "differs" in table:
        ratios += [Ratio("responds", "", "differs", "differs_truth"), Ratio("detail", "", "detail", "detail_truth")]
    found = relative_metrics(table, ratios, STILL * float(table["size"].sum()))
    return dict(sorted(found.items(), key=lambda one: order_of(one[0]))) | {"psnr": psnr.against(chance=chance), "psnr_gain": gain}


def order_of(name: str) -> int:
    """The measures one after the other, their parts as they come."""
    return ("imagined", "nearer", "responds", "detail").index(name.partition(".")[0])
