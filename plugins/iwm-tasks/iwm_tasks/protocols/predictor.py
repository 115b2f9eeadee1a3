"""Heads on what the world model predicts: ``predictor``, ``predictor_random``, ``predictor_query`` and ``end_to_end`` (PAPER §7).

Decisions:
- The predictor is asked for the whole, untransformed image: its context are the teacher's tokens of all patches, its questions all patches
  (2N tokens), its action the null action. ``predictor_query`` asks one question instead, at the middle of the grid: N + 1 tokens.
- A pretrained predictor takes a tenth of the learning rate of a random one, which takes that of the heads.
- Where there are several tasks, each has a learned token that joins the context. A predictor gives each token of its context a position:
  the task's gets that of the first patch, one constant for all and so part of what is learned. It starts as large as a token.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from iwm_core.interfaces import Encoder, Predictor, Targets, option
from iwm_tasks.interfaces import Backbone, Protocol, WorldModelParts, numbered
from iwm_tasks.protocols.encoder import EncoderBackbone
from iwm_tasks.protocols.stochastic_depth import drop_paths


class PredictorBackbone(Backbone):
    """The predictor's answers about the whole image under the null action.

    Args:
        encoder: the teacher, trained or not.
        predictor: the world model, which is trained.
        action: numbers of an encoded action.
        tasks: how many tasks there are; each has a token of its own where there are several.
        lr_scale: learning rate of the predictor, over that of the heads.
        questions: the patches asked for; None: all.
    """

    questions: Tensor | None

    def __init__(
        self,
        encoder: EncoderBackbone,
        predictor: Predictor,
        action: int,
        tasks: int,
        lr_scale: float,
        questions: list[int] | None = None,
    ) -> None:
        super().__init__()
        self.teacher, self.predictor, self.action, self.lr_scale = encoder, predictor.requires_grad_(True), action, lr_scale
        self.width, self.grid = encoder.width, encoder.grid if questions is None else None
        self.asks_task = tasks > 1
        # Not in checkpoints; a buffer, as making the tensor anew in each step would wait for the device.
        self.register_buffer("questions", None if questions is None else torch.tensor(questions), persistent=False)
        self.task_tokens = nn.Parameter(torch.randn(tasks, encoder.width)) if self.asks_task else None

    def forward(self, images: Float[Tensor, "b 3 h w"], task: Int[Tensor, "b"]) -> Float[Tensor, "b t d"]:
        return self.ask(self.teacher(images, task), task)

    def for_each(self, images: Float[Tensor, "b 3 h w"], tasks: int) -> list[Float[Tensor, "b t d"]]:
        tokens = self.teacher(images, numbered(images, 0))
        return [self.ask(tokens, numbered(images, task)) for task in range(tasks)]

    def ask(self, tokens: Float[Tensor, "b n d"], task: Int[Tensor, "b"]) -> Float[Tensor, "b t d"]:
        """The predictor's answers about images that are encoded, each asked for the task of that number."""
        b, n, _ = tokens.shape
        places = torch.arange(n, device=tokens.device).expand(b, n)
        asked = places if self.questions is None else self.questions.expand(b, -1)
        if self.task_tokens is not None:
            tokens = torch.cat([tokens, self.task_tokens[task][:, None].to(tokens.dtype)], dim=1)
            places = torch.cat([places, places[:, :1]], dim=1)
        null = tokens.new_zeros(b, self.action)
        return self.predictor(tokens, Targets(context=places, target=asked[:, None]), null)[:, 0]

    def lr_scales(self) -> dict[str, float]:
        own = {f"predictor.{name}": self.lr_scale for name, _ in self.predictor.named_parameters()}
        return own | {f"teacher.{name}": scale for name, scale in self.teacher.lr_scales().items()}

    def untold(self) -> dict[str, Bool[Tensor, "..."]]:
        return {f"predictor.{name}": entries for name, entries in self.predictor.untold().items()}


@dataclass(kw_only=True)
class TunedPredictor(Protocol):
    """The pretrained predictor is trained on top of the frozen teacher: the paper's way to use a world model."""

    name = "predictor"

    lr_scale: float = option(0.1, "learning rate of the predictor, over that of the heads", low=0)
    drop_path: float = option(0.2, "stochastic depth of the predictor's last block", low=0, high=0.99)

    def build(self, parts: WorldModelParts, tasks: int) -> Backbone:
        drop_paths(parts.predictor, self.drop_path, "protocol.drop_path")
        frozen = EncoderBackbone(parts.encoder, trained=False)
        return PredictorBackbone(frozen, parts.predictor, parts.action, tasks, self.lr_scale, self.questions(parts.encoder))

    def questions(self, encoder: Encoder) -> list[int] | None:
        """The patches asked for; None: all."""
        return None


@dataclass(kw_only=True)
class RandomPredictor(TunedPredictor):
    """The same with a predictor of new random weights: the control for what pretraining gives the predictor."""

    name = "predictor_random"

    lr_scale: float = option(1.0, "learning rate of the predictor, over that of the heads", low=0)

    def build(self, parts: WorldModelParts, tasks: int) -> Backbone:
        return super().build(parts._replace(predictor=parts.fresh_predictor()), tasks)


@dataclass(kw_only=True)
class OneQuery(TunedPredictor):
    """The pretrained predictor is asked one question, at the middle of the grid: cheaper, for tasks about the whole image."""

    name = "predictor_query"

    def questions(self, encoder: Encoder) -> list[int]:
        rows, columns = encoder.grid
        return [rows // 2 * columns + columns // 2]


@dataclass(kw_only=True)
class EndToEnd(TunedPredictor):
    """Teacher and predictor are both trained."""

    name = "end_to_end"

    layer_decay: float = option(0.65, "learning rate of the teacher's layer over that of the layer above", low=0.01, high=1)

    def build(self, parts: WorldModelParts, tasks: int) -> Backbone:
        for module in (parts.encoder, parts.predictor):
            drop_paths(module, self.drop_path, "protocol.drop_path")
        teacher = EncoderBackbone(parts.encoder, trained=True, decay=self.layer_decay)
        return PredictorBackbone(teacher, parts.predictor, parts.action, tasks, self.lr_scale, self.questions(parts.encoder))
