"""A map of images: their features in the plane, with their thumbnails, as a page that iwm-report makes and a picture beside it.

Decisions:
- The two principal components, in float64, each with the sign that makes its largest weight positive: the same features give the same map.
  UMAP by choice, where it is installed, with a fixed seed.
- At most `MOST` images, spread evenly over all: a page of more could not be read, and memory stays bounded.
"""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from iwm_evals.measuring.run_data import spread
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import load_plugins

MOST = 1000
THUMBNAIL = 48
HOOK = "iwm_report_page"


class Wanted(NamedTuple):
    """What iwm-report needs to write the page: see `iwm_report.added.Wanted`."""

    path: Path
    fill: Callable[[Any], None]


def check_map(umap: bool) -> None:
    """Check that what draws a map is installed."""
    if HOOK not in load_plugins().specs:
        raise UserError("map= needs iwm-report, which makes the page: pip install iwm-report")
    if umap and find_spec("umap") is None:
        raise UserError("--umap needs the package of this name: pip install 'iwm-interop[umap]'; without, a map shows principal components")


class Map:
    """The images of a map, as they come; ``total`` is how many will."""

    def __init__(self, total: int) -> None:
        self.chosen, self.seen = set(spread(total, MOST).tolist()), 0
        self.names: list[str] = []
        self.labels: list[str | None] = []
        self.features: list[Tensor] = []
        self.pictures: list[Tensor] = []

    def add(
        self, names: list[str], labels: list[str | None], features: Float[Tensor, "b d"], images: UInt8[Tensor, "b 3 s s"], corrupt: int
    ) -> None:
        """Keep what the map shows of a batch, of which some images may be corrupt."""
        places = [place for place in range(len(names)) if self.seen + place in self.chosen]
        self.seen += len(names) + corrupt
        if places:
            self.names += [names[place] for place in places]
            self.labels += [labels[place] for place in places]
            self.features.append(features[places])
            small = F.interpolate(images[places], size=(THUMBNAIL, THUMBNAIL), mode="bicubic", antialias=True)
            self.pictures.append(small)

    def write(self, path: Path, about: dict[str, Any], umap: bool) -> str:
        """Have the page and the picture written; returns what to say of them.

        Raises:
            UserError: there are too few images, or they cannot be written.
        """
        if len(self.names) < 3:
            raise UserError(f"a map needs three images at least, and there are {len(self.names)}; the features are written")
        features = torch.cat(self.features)
        axes = ("UMAP 1", "UMAP 2")
        if umap:
            places = neighbours(features)
        else:
            places, shares = principal(features)
            axes = (f"1st principal component, {shares[0]:.0%} of the variance", f"2nd, {shares[1]:.0%}")
        load_plugins().tell(HOOK, Wanted(path, partial(self.fill, places, axes, about)))
        return f"the map: {path}, {path.with_suffix('.png')}, of {len(self.names)} images"

    def fill(self, places: Float[np.ndarray, "n 2"], axes: tuple[str, str], about: dict[str, Any], page: Any) -> None:
        """Put the map into the page."""
        page.title, page.kicker, page.heading = f"{about['recipe']}: map of images", "Image world model · map of images", about["recipe"]
        page.state = page.markup(
            "Features of the {} at step {}: {} of {} images", about["encoder"], str(about["step"]), *self.counts(about)
        )
        told = f"Thumbnails of {len(self.names)} images, near to each other where their features are alike."
        pictures = torch.cat(self.pictures).permute(0, 2, 3, 1).numpy()
        page.section("Map", "map").thumbnails(places.tolist(), pictures, self.names, self.labels, axes, told)

    def counts(self, about: dict[str, Any]) -> tuple[str, str]:
        return f"{len(self.names):,}", f"{about['images']:,}"


def principal(features: Float[Tensor, "n d"]) -> tuple[Float[np.ndarray, "n 2"], list[float]]:
    """Places along the two principal components, and the share of the variance of each."""
    centred = features.double() - features.double().mean(0)
    _, sizes, components = torch.linalg.svd(centred, full_matrices=False)
    signs = components.gather(1, components.abs().argmax(1, keepdim=True)).sign()
    shares = sizes.square() / sizes.square().sum().clamp(min=1e-30)
    return (centred @ (components * signs)[:2].T).numpy(), shares[:2].tolist()


def neighbours(features: Float[Tensor, "n d"]) -> Float[np.ndarray, "n 2"]:
    """Places by UMAP, which keeps neighbours together."""
    import umap  # pyright: ignore[reportMissingImports]  # where it is installed

    count = min(15, len(features) - 1)
    return np.asarray(umap.UMAP(n_neighbors=count, random_state=0, n_jobs=1).fit_transform(features.numpy()), dtype=np.float64)
