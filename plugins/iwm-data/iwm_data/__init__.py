"""Data sources for images that you have: folders, shards, datasets of the hub or of Python; what decodes and keeps them; `transform`."""

from typing import TYPE_CHECKING, Any

from iwm_core import hookimpl

if TYPE_CHECKING:
    from iwm_data.preparing import Transform


@hookimpl
def iwm_data_sources() -> list[type]:
    from iwm_data.folder import Folder
    from iwm_data.hub import Hub
    from iwm_data.python import Python
    from iwm_data.shards import Shards

    return [Folder, Hub, Python, Shards]


@hookimpl
def iwm_workers() -> list[str]:
    return ["iwm_data.workers"]


@hookimpl
def iwm_caches() -> list[str]:
    return ["iwm_data.keeping"]


def transform(model: Any) -> "Transform":
    """The preprocessing of a model, as `iwm_core.load` returns it; or of the pixels of its square input, ``transform(224)``.

    What it takes, and gives, is told by `iwm_data.preparing.Transform`.

    Raises:
        ValueError: it is neither.
    """
    from iwm_data.preparing import transform_of

    return transform_of(model)
