"""Data that needs no download: procedural images with known factors, labels and masks, also in pairs under two lights."""

from pathlib import Path

from iwm_core import hookimpl


@hookimpl
def iwm_data_sources() -> list[type]:
    from iwm_scenes.relit import RelitScenes
    from iwm_scenes.source import Scenes

    return [Scenes, RelitScenes]


@hookimpl
def iwm_recipe_dirs() -> list[Path]:
    return [Path(__file__).parent / "recipes"]
