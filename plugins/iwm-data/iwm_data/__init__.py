"""Data sources for images that you have: folders of files, and datasets of the Hugging Face hub; and what decodes them."""

from iwm_core import hookimpl


@hookimpl
def iwm_data_sources() -> list[type]:
    from iwm_data.folder import Folder
    from iwm_data.hub import Hub

    return [Folder, Hub]
