"""Evaluators: what a frozen model knows."""

from iwm_core import hookimpl


@hookimpl
def iwm_evaluators() -> list[type]:
    from iwm_evals.mrr import Mrr

    return [Mrr]
