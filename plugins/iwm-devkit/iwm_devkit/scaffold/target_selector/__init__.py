"""The target selector ``example``: what the entry point of this package names.

Classes are imported inside of hooks, so that `iwm plugins` need not import torch. More components are more classes in the list.
"""

from iwm_core import hookimpl


@hookimpl
def iwm_target_selectors() -> list[type]:
    from iwm_devkit.scaffold.target_selector.example import Example

    return [Example]
