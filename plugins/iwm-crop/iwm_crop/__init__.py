"""Geometric actions: source and target see different parts of one canvas, or its mirror image."""

from iwm_core import hookimpl


@hookimpl
def iwm_actions() -> list[type]:
    from iwm_crop.crop import Crop
    from iwm_crop.flip import Flip

    return [Crop, Flip]
