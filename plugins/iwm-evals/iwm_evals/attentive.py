"""Attentive probe: what is in the tokens, where their mean has lost it (PAPER §7).

Decisions:
- The head is a component of any plugin, by name, trained on the frozen tokens with AdamW and a cosine to zero. One head for each learning
  rate is trained, all from the same weights on the same minibatches; the one with the most right answers on held-out training images
  (the lower rate where they are equal) is asked about the validation images. It has seen nine tenths of the training images.
- Beside it, the same head on the pixels of each patch, and on the colours of the image as one token. No head is told where a patch is:
  tokens know it if the encoder told them, pixels do not.
- Tokens of the training images are written in half precision to files mapped into memory, so ``train_images`` bounds the disk, and nothing
  grows with it in memory. Those of the validation images are used as they come.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from iwm_crop.resample import patches
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from iwm_core import installed
from iwm_core.interfaces import (
    Draws,
    Evaluation,
    EvaluationData,
    Evaluator,
    ImageBatch,
    NotApplicable,
    Track,
    WorldModel,
    check_finite,
    option,
)
from iwm_evals.probes.comparison import INPUTS, accuracies, compare, most_frequent, setting
from iwm_evals.probes.features import Labelled, colour, left_out, mapped
from iwm_evals.probes.held_out import held_out
from iwm_evals.words.answers import answer_and_better

AT_ONCE = 256  # images answered together
ABOUT = {
    "attentive": "share of validation images whose class a head trained on the tokens names; to be read against pixels, colours "
    "and chance: the class most frequent among its own training images",
}


@dataclass(kw_only=True)
class AttentiveProbe(Evaluator):
    """Classes from frozen tokens: a head, such as one that attends to them, trained at several learning rates."""

    name = "attentive"
    retired = ("resamples",)

    head: str = option("attentive", "the head that is trained; `iwm components head` lists them")
    train_images: int = option(8192, "training images used, which bounds the disk that their tokens take; 0: all of them", low=0)
    images: int = option(0, "validation images measured; 0: all of them", low=0)
    epochs: int = option(20, "passes over the training images", low=1)
    batch: int = option(128, "images in a minibatch", low=1)
    lrs: list[float] = option([3e-4, 1e-3, 3e-3], "learning rates tried, chosen on a tenth of the training images", low=0)
    weight_decay: float = option(0.05, "weight decay of AdamW, on matrices", low=0)
    chunk: int = option(256, "images encoded in one pass: bounds the memory", low=1)

    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        """See `Evaluator`.

        Raises:
            NotApplicable: the images have no classes, or fewer than ten training images have one.
            ValueError: there are no images, the model's latents are not finite, or the head does not answer with classes.
            UserError: no plugin gives the head.
        """
        if not data.classes:
            raise NotApplicable("this data names no classes to probe for")
        component, classes = installed("head", self.head), len(data.classes)
        files, labels = self.tokens(model, data, folder, track)
        held = held_out(len(labels), data.seed)
        heads, chosen = {}, {}
        for control, words in INPUTS.items():
            with torch.random.fork_rng([model.device] if model.device.type == "cuda" else []):  # heads start, and drop out, by it
                fitted = self.train(component, files[control], labels, held, classes, data.seed, model.device, track, words)
            rights = [int(answers(head, files[control], held.nonzero()[:, 0], model.device).eq(labels[held]).sum()) for head in fitted]
            best = max(range(len(fitted)), key=lambda number: (rights[number], -self.lrs[number]))
            heads[control], lr = fitted[best], self.lrs[best]
            chosen[setting("attentive", control)] = {"lr": lr, "at_edge": len(fitted) > 1 and lr in (min(self.lrs), max(self.lrs))}
        right, others = self.ask(heads, labels, model, data, track)
        metrics = accuracies({"attentive": right})
        settings = {
            "head": self.head,
            "train_images": len(labels),
            "images": len(right[""]),
            "epochs": self.epochs,
            "batch": self.batch,
            "weight_decay": self.weight_decay,
            **chosen,
            "seed": data.seed,
        }
        found = metrics["attentive"]
        chance = found.controls["chance"].value
        summary = (
            f"trained on {len(labels)} images, the {self.head} head classifies {found.value:.1%} of the images correctly "
            f"({found.low:.1%} to {found.high:.1%}), where pixels give {found.controls['raw'].value:.1%}, "
            f"colours {found.controls['colour'].value:.1%} and chance {chance:.1%}{left_out(others, len(right['']))}"
        )
        chart = compare(
            "attentive",
            "Classes from frozen tokens",
            "share of images classified correctly",
            "A head trained on the tokens, on the pixels of each patch, and on colours. Tokens that are worth something stand above both.",
            metrics,
            {"attentive": f"head {self.head}"},
            {"chance": chance},
        )
        return Evaluation(metrics, settings, ABOUT, summary, (chart,), **answer_and_better("attentive", metrics))

    def tokens(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> tuple[dict[str, Tensor], Int[Tensor, "n"]]:
        """Tokens of the training images by what the head is tried on, float16 in files mapped into memory; and their classes."""
        count = self.asked(data, self.train_images, "train")
        batches = self.batches(data, count, self.chunk, track, "train", "tokens of training images")
        files, labels, done = {}, [], 0
        for batch in Labelled(batches, len(data.classes)):
            rows = views_of(model, batch)
            if not files:
                files = {name: mapped((count, *part.shape[1:]), torch.float16, folder) for name, part in rows.items()}
            for name, part in rows.items():
                files[name][done : done + len(part)] = part.cpu()
            labels.append(batch.labels.cpu())
            done += len(batch.labels)
        return {name: file[:done] for name, file in files.items()}, torch.cat(labels)

    def train(
        self,
        component: Any,
        tokens: Float[Tensor, "n t d"],
        labels: Int[Tensor, "n"],
        held: Bool[Tensor, "n"],
        classes: int,
        seed: int,
        device: torch.device,
        track: Track,
        words: str,
    ) -> list[nn.Module]:
        """A head for each learning rate, trained on the images that are not held out."""
        heads, optimizers = [], []
        for lr in self.lrs:
            torch.manual_seed(seed)
            heads.append(component().build(tokens.shape[2], classes).to(device).train())
            by_decay = [{"params": [], "weight_decay": decay} for decay in (0.0, self.weight_decay)]
            for weight in heads[-1].parameters():
                by_decay[weight.ndim > 1]["params"].append(weight)
            optimizers.append(torch.optim.AdamW(by_decay, lr=lr))
        rows = (~held).nonzero()[:, 0]
        steps = self.epochs * max(len(rows) // self.batch, 1)
        for step, part in enumerate(track(self.minibatches(rows, seed), f"{self.head} head on {words}", steps)):
            x, truth = tokens[part].to(device).float(), labels[part].to(device)
            for lr, head, optimizer in zip(self.lrs, heads, optimizers, strict=True):
                for group in optimizer.param_groups:
                    group["lr"] = lr * (1 + math.cos(math.pi * step / steps)) / 2
                optimizer.zero_grad()
                with torch.enable_grad():
                    logits = head(x)
                    check_answer(self.head, logits, (len(x), classes))
                    F.cross_entropy(logits, truth).backward()
                optimizer.step()
        return [head.eval() for head in heads]

    def minibatches(self, rows: Int[Tensor, "m"], seed: int) -> Iterator[Int[Tensor, "batch"]]:
        """The images of each step, in a new order every epoch; the last few that fill no batch are left out."""
        size = min(self.batch, len(rows))
        for epoch in range(self.epochs):
            order = Draws(seed, epoch, torch.zeros(1, dtype=torch.int64), "attentive/order").permutation(len(rows))[0]
            yield from rows[order[: len(rows) // size * size]].split(size)

    def ask(
        self, heads: dict[str, nn.Module], labels: Int[Tensor, "n"], model: WorldModel, data: EvaluationData, track: Track
    ) -> tuple[dict[str, Bool[Tensor, "m"]], int]:
        """Which validation images each head names rightly, and which one who knows the training ``labels`` alone; and how many have no
        class."""
        batches = self.batches(data, self.asked(data, self.images), self.chunk, track, doing="heads on validation images")
        right: dict[str, list[Tensor]] = {name: [] for name in (*heads, "chance")}
        known = Labelled(batches, len(data.classes))
        for batch in known:
            for name, part in views_of(model, batch).items():
                right[name].append((heads[name](part.float()).argmax(1) == batch.labels).cpu())
            right["chance"].append(most_frequent(labels, batch.labels.cpu()))
        return {name: torch.cat(parts) for name, parts in right.items()}, known.others


def views_of(model: WorldModel, batch: ImageBatch) -> dict[str, Float[Tensor, "b _t _d"]]:
    """What a head is given of each image, in half precision: the model's tokens, the pixels of its patches, its colours as one token."""
    tokens = model.encode(batch.images)
    check_finite(tokens)
    most = torch.finfo(torch.float16).max
    return {
        "": tokens.clamp(-most, most).half(),
        "raw": patches(batch.images, model.grid).half(),
        "colour": colour(batch.images)[:, None].half(),
    }


def check_answer(name: str, logits: Tensor, shape: tuple[int, int]) -> None:
    """Raise ValueError where a head gives anything but one number for each class."""
    if logits.shape != shape:
        raise ValueError(
            f"the head {name} answers with {list(logits.shape)} where {list(shape)} is asked: set attentive.head to one for classes"
        )


def answers(head: nn.Module, tokens: Float[Tensor, "n t d"], rows: Int[Tensor, "m"], device: torch.device) -> Int[Tensor, "m"]:
    """The head's class for each of the images ``rows``."""
    return torch.cat([head(tokens[part].to(device).float()).argmax(1).cpu() for part in rows.split(AT_ONCE)])
