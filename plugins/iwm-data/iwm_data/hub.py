"""Component `hub`: images in a table of Hugging Face `datasets`, from the hub or from parquet and Arrow files of one's own.

Here are its options; `iwm_data.opened_hub` opens it, and imports `datasets` then: half a second that no other data source shall wait for.
"""

from dataclasses import dataclass
from typing import ClassVar

from iwm_core.interfaces import NOT_COUNTED, DataSource, Images, option
from iwm_data.masks import check_mask_classes


@dataclass(kw_only=True)
class Hub(DataSource):
    """A dataset of the Hugging Face hub, or parquet and Arrow files."""

    name: ClassVar[str] = "hub"
    path: str = option(
        doc="owner/name on the hub, or a .parquet or .arrow file, a folder of such (train*, validation*), a save_to_disk folder", path=True
    )
    config: str | None = option(None, "which of the dataset's configurations")
    revision: str | None = option(None, "branch, tag or commit on the hub")
    folder: str | None = option(None, "which folder of the hub's repository")
    image_column: str | None = option(None, "column of the images; found where not given")
    label_column: str | None = option(None, "column of the labels, or of lists of them; found, if there is one, where not given")
    mask_column: str | None = option(None, "column of segmentation masks: images of one channel")
    mask_classes: list[str] = option([], "names of the values of masks, from 0 on, without those of mask_ignore")
    mask_ignore: list[int] = option([NOT_COUNTED], "values of masks whose pixels do not count, such as [0,255]")
    white: float | None = option(
        None, "value of white in images of 16 or 32 bits a colour, such as 4095; null: the end of the range of bits of each image", low=1e-6
    )
    train_split: str | None = option(None, "split to train on; train where not given")
    validation_split: str | None = option(None, "split for validation; validation, val, valid or test where not given")
    holdout: float = option(0.1, "share of the rows kept for validation where there is no validation split", low=0, high=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.path:
            raise ValueError("data.path is empty: name a dataset of the hub (owner/name), a file or a folder")
        check_mask_classes(self.mask_classes, self.mask_column, "mask_column", self.mask_ignore)

    def open(self, split: str) -> Images:
        """The images of ``train`` or ``validation``.

        Raises:
            ValueError: the dataset, a split or a column cannot be had, or there are no rows for this split; the text names the fix.
        """
        from iwm_data.opened_hub import open_hub

        return open_hub(self, split)
