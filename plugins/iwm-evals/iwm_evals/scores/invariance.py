"""How alike two views of an image are, against views of other images, from sums over the data.

Decisions:
- Similarity is the cosine of centred pooled features. The centre is that of training views, known before the first view is compared, so
  that nothing is kept but sums; an offset that all views share takes away from both similarities alike, and cancels.
- invariance = (same - other) / (1 - other): 1 where two views of an image have one feature, 0 where they are no more alike than views of
  different images. A feature at the centre has no direction, and is like nothing: a collapsed encoder gets 0, no praise.
- Only pairs whose action is not null count: an operation that is applied to one image in five is judged on that one.
- Images are gathered in groups, for the jackknife.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from iwm_core.interfaces import Metric
from iwm_evals.statistics.jackknife import GROUPS, jackknife

ROUNDING = 1e-5  # of the centre's length: features this close to it are at the centre


class Similarity:
    """Sums over pairs of views.

    Args:
        centre: of the features.
        versions: pairs of each image; different images are compared within one version.
    """

    def __init__(self, centre: Float[Tensor, "d"], versions: int) -> None:
        self.centre = centre.double().cpu()
        d = len(self.centre)
        self.same = torch.zeros(GROUPS, versions, dtype=torch.float64)
        self.pairs = torch.zeros(GROUPS, versions, dtype=torch.float64)
        self.sums = torch.zeros(GROUPS, versions, 2, d, dtype=torch.float64)
        self.images, self.seen = 0, 0

    def add(self, views: Float[Tensor, "b q 2 d"], counts: Bool[Tensor, "b q"]) -> None:
        """Views of a batch of images; ``counts`` where the two of a pair differ."""
        group = (self.seen + torch.arange(len(views))) % GROUPS
        self.seen += len(views)
        counts = counts.cpu()
        apart = views.cpu().double() - self.centre
        apart = torch.where(apart.norm(dim=3, keepdim=True) <= ROUNDING * self.centre.norm(), 0.0, apart)
        unit = F.normalize(apart, dim=3) * counts[:, :, None, None]
        self.same.index_add_(0, group, (unit[:, :, 0] * unit[:, :, 1]).sum(2))
        self.pairs.index_add_(0, group, counts.double())
        self.sums.index_add_(0, group, unit)
        self.images += int(counts.any(1).sum())

    def invariance(self) -> Metric | None:
        """With its interval; None where too few pairs differ to compare images."""
        used = self.pairs.sum(1) > 0
        if used.sum() < 3:
            return None
        packed = torch.cat([self.same[..., None], self.pairs[..., None], self.sums.flatten(2)], 2)
        found = jackknife(invariance, packed[used], most=1)._replace(n=self.images)
        return found if all(math.isfinite(number) for number in found[:3]) else None  # without one group, nothing is left to compare


def invariance(groups: Float[Tensor, "g q s"]) -> Float[Tensor, ""]:
    """The invariance of groups of images, from their sums: of similarities, of pairs, and of both views' unit features."""
    total = groups.sum(0)
    same, pairs, sums = total[:, 0], total[:, 1], total[:, 2:].unflatten(1, (2, -1))
    other = ((sums[:, 0] * sums[:, 1]).sum(1) - same).sum() / (pairs * (pairs - 1)).sum().clamp(min=1)
    return (same.sum() / pairs.sum() - other) / (1 - other)
