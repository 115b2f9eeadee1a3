"""Evaluators: what a frozen model knows."""

from pathlib import Path

from iwm_core import hookimpl


@hookimpl
def iwm_evaluators() -> list[type]:
    from iwm_evals.attentive import AttentiveProbe
    from iwm_evals.compose import Compose
    from iwm_evals.dose import Dose
    from iwm_evals.equivariance import Equivariance
    from iwm_evals.error import Error
    from iwm_evals.factors import Factors
    from iwm_evals.health import Health
    from iwm_evals.inverse import Inverse
    from iwm_evals.mrr import Mrr
    from iwm_evals.pca import Pca
    from iwm_evals.planning import Planning
    from iwm_evals.probe import Probe
    from iwm_evals.undo import Undo

    return [AttentiveProbe, Compose, Dose, Equivariance, Error, Factors, Health, Inverse, Mrr, Pca, Planning, Probe, Undo]


@hookimpl
def iwm_recipe_dirs() -> list[Path]:
    return [Path(__file__).parent / "recipes"]
