"""Target selectors: which patches the student sees and which the predictor predicts."""

from iwm_core import hookimpl


@hookimpl
def iwm_target_selectors() -> list[type]:
    from iwm_masking.selectors import IJepa, MultiBlock, Random

    return [MultiBlock, IJepa, Random]
