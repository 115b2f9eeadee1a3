"""Target selectors: which patches the student sees and which the predictor predicts."""

from iwm_core import hookimpl


@hookimpl
def iwm_target_selectors() -> list[type]:
    from iwm_masking.ijepa import IJepa
    from iwm_masking.multiblock import MultiBlock
    from iwm_masking.random_patches import RandomPatches

    return [MultiBlock, IJepa, RandomPatches]
