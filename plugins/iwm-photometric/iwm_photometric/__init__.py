"""Photometric actions: what a camera, a printer or a lamp does to an image, without moving anything in it."""

from iwm_core import hookimpl


@hookimpl
def iwm_actions() -> list[type]:
    from iwm_photometric.blur import Blur
    from iwm_photometric.grayscale import Grayscale
    from iwm_photometric.jitter import Jitter
    from iwm_photometric.solarize import Solarize

    return [Jitter, Grayscale, Blur, Solarize]
