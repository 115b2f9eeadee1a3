"""Heads: from a frozen model's tokens to a task's output."""

from iwm_core import hookimpl


@hookimpl
def iwm_heads() -> list[type]:
    from iwm_tasks.attentive import Attentive
    from iwm_tasks.linear import Linear

    return [Linear, Attentive]
