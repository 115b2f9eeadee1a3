"""What the core asks of this plugin where images are decoded once (`iwm_caches`): the images, or batches of views of them."""

import torch

from iwm_core.data.reading import Reader
from iwm_core.interfaces import Track
from iwm_core.recipe.config import View
from iwm_data.cache import Cache, common_side
from iwm_data.cached_views import CachedViews


def kept(reader: Reader, workers: int, track: Track) -> Cache:
    """All images, each at its own size, in the memory of the host."""
    return Cache(reader, workers, track)


def views(reader: Reader, workers: int, track: Track, how: tuple[View, int, int], device: torch.device, there: bool) -> CachedViews:
    """Batches of views on a device, of images that are kept ``there`` or in the memory of the host; ``how``: view, size and seed."""
    return CachedViews(Cache(reader, workers, track, common_side(reader), device if there else None), *how, device)
