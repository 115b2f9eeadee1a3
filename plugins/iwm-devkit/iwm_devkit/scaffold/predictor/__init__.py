"""The predictor ``example``: what the entry point of this package names.

Classes are imported inside of hooks, so that `iwm plugins` need not import torch. More components are more classes in the list.
"""

from iwm_core import hookimpl


@hookimpl
def iwm_predictors() -> list[type]:
    from iwm_devkit.scaffold.predictor.example import Example

    return [Example]
