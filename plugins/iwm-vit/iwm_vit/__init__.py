"""An encoder and predictors: vision transformers, and predictors that are told the action in several ways, or not at all."""

from iwm_core import hookimpl


@hookimpl
def iwm_encoders() -> list[type]:
    from iwm_vit.encoder import TimmViT

    return [TimmViT]


@hookimpl
def iwm_predictors() -> list[type]:
    from iwm_vit.predictors.adaln import AdaLN
    from iwm_vit.predictors.feature import Feature
    from iwm_vit.predictors.identity import Identity
    from iwm_vit.predictors.sequence import Sequence
    from iwm_vit.predictors.unconditioned import Unconditioned

    return [Feature, Sequence, Unconditioned, AdaLN, Identity]
