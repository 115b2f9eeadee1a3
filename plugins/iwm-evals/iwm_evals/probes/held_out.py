"""Which training images choose the settings of a probe: a tenth of them, drawn at random, never a validation image.

They are drawn, not counted off: data whose classes follow one another would give a tenth that knows one class only.
"""

import torch
from jaxtyping import Bool
from torch import Tensor

from iwm_core.interfaces import Draws, NotApplicable

SHARE = 10
FEWEST = 10  # training images that a probe is fitted on


def held_out(images: int, seed: int) -> Bool[Tensor, "images"]:
    """True for the tenth of the training images, in the order of `EvaluationData.batches`, that settings are chosen on.

    Raises:
        NotApplicable: there are fewer than ten images.
    """
    if images < FEWEST:
        raise NotApplicable(f"a probe is fitted on at least {FEWEST} training images, and there are {images}")
    order = Draws(seed, 0, torch.zeros(1, dtype=torch.int64), "held_out").permutation(images)[0]
    held = torch.zeros(images, dtype=torch.bool)
    held[order[: images // SHARE]] = True
    return held
