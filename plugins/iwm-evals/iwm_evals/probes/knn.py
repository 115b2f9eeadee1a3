"""Nearest neighbours: what a classifier says that learns nothing.

Decisions:
- As DINO does (Caron et al., "Emerging properties in self-supervised vision transformers", 2021, §A): cosine similarity of the features as
  they are, the ``k`` nearest training images vote with the weight exp(similarity / T), T = 0.07.
- Neighbours are searched part by part, the best so far carried along: neither all similarities nor all features are ever in memory.
- A query equally near to all images gets the class of the first of them: a constant encoder gives every image one class.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from iwm_core.interfaces import Track

QUERIES, BANK = 512, 2048  # rows compared at once


@dataclass(frozen=True)
class Neighbours:
    """A bank of images with classes.

    Args:
        bank: their features.
        labels: their classes.
        classes: how many classes there are.
        k: neighbours that vote; all of them where there are fewer.
        temperature: of their votes.
        device: where they are searched.
    """

    bank: Float[Tensor, "n d"]
    labels: Int[Tensor, "n"]
    classes: int
    k: int
    temperature: float
    device: torch.device

    def classify(self, queries: Float[Tensor, "q d"], track: Track, label: str) -> Int[Tensor, "q"]:
        """The class that its neighbours give to each query; ``label`` is that of the progress bar."""
        parts, answers = queries.split(QUERIES), []
        for part in track(parts, label, len(parts)):
            near, who = self.nearest(part)
            votes = torch.zeros(len(part), self.classes, dtype=torch.float64)
            votes.scatter_add_(1, self.labels[who], ((near - near[:, :1]) / self.temperature).exp())
            answers.append(votes.argmax(1))
        return torch.cat(answers)

    def nearest(self, queries: Float[Tensor, "q d"]) -> tuple[Float[Tensor, "q k"], Int[Tensor, "q k"]]:
        """The ``k`` largest cosine similarities of each query, the largest first, and whose they are; float64 on the CPU."""
        queries = F.normalize(queries.to(self.device), dim=1)
        near, who = queries.new_empty(len(queries), 0), torch.empty(len(queries), 0, dtype=torch.int64, device=self.device)
        for number, part in enumerate(self.bank.split(BANK)):
            similar = queries @ F.normalize(part.to(self.device), dim=1).T
            index = torch.arange(len(part), device=self.device) + number * BANK
            near, who = torch.cat([near, similar], 1), torch.cat([who, index.expand(len(queries), -1)], 1)
            near, place = near.topk(min(self.k, near.shape[1]), 1)
            who = who.gather(1, place)
        return near.cpu().double(), who.cpu()
