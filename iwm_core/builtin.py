"""The core's own components, registered through the hooks that plugins use."""

from pathlib import Path

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


@hookimpl
def iwm_data_sources() -> list[type]:
    from iwm_data.folder import Folder
    from iwm_data.hub import Hub

    return [Folder, Hub]


@hookimpl
def iwm_recipe_dirs() -> list[Path]:
    # In a wheel the recipes lie inside the package; an editable install reads the checkout's.
    here = Path(__file__).parent
    packaged = here / "_recipes"
    return [packaged if packaged.is_dir() else here.parent / "recipes"]
