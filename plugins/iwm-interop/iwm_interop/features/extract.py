"""``iwm features``: images go through the encoder a batch at a time, and their features to disk.

Decisions:
- Images are what evaluation sees of them, and features what `FrozenModel.features` gives: in float32, whatever the run was trained in.
- Memory is bounded by ``batch``: images are decoded by ``launch.workers`` processes, and no more is kept than a row group of the table,
  and what the map shows.
- A folder is read as ``data=folder`` reads it, but that nothing is held out of one without splits. Class folders are the labels.
- Images that cannot be read are left out and told in one line. The first Ctrl-C ends the work after the batch under way; what is there by
  then is a whole file.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from iwm_data.splits import split_folders
from iwm_evals.measuring.squares import Squares
from jaxtyping import Float, UInt8
from torch import Tensor

from iwm_core import __version__
from iwm_core.data.quarantine import Corrupt, named
from iwm_core.data.reading import Reader, open_split
from iwm_core.data.workers import made_in_order
from iwm_core.interfaces import DataSource, Images
from iwm_core.interfaces.errors import Stopped, UserError
from iwm_core.model.frozen import FrozenModel
from iwm_core.model.loading import load_world_model
from iwm_core.process.display import Display, make_display
from iwm_core.process.signals import Stop
from iwm_core.recipe.config import Recipe
from iwm_core.recipe.overrides import ON_RESUME
from iwm_core.recipe.thaw import thaw
from iwm_core.training.change import change
from iwm_interop.features.command_line import Asked
from iwm_interop.features.files import Array, Parquet, Rows
from iwm_interop.features.map import Map, check_map


class Made(NamedTuple):
    """Features of a batch, with what is known of its images."""

    names: list[str]
    splits: list[str]
    labels: list[str | None]
    features: Float[Tensor, "b ..."]
    pooled: Float[Tensor, "b d"]
    images: UInt8[Tensor, "b 3 s s"]
    corrupt: list[Corrupt]


def write_features(asked: Asked) -> int:
    """Carry out ``iwm features``; returns the exit status.

    Raises:
        UserError: the run is no world model, there are no readable images, or nothing can be written.
        Stopped: a signal ended the work early.
    """
    display, run = make_display(), asked.run
    if asked.map is not None:
        check_map(asked.umap)
    with run.blamed():
        recipe = thaw(run.config())
    if not isinstance(recipe, Recipe):
        raise UserError(f"{run.path} is tuned, and features are of world models; name the run that it was tuned from")
    changed: Recipe = thaw(change(run.config(), asked.overrides, ON_RESUME, "features"))
    splits = opened(changed.data, asked)
    total = sum(map(len, splits.values()))
    model = load_world_model(run, recipe, changed.launch.device)
    for images in splits.values():
        for note in images.notes:
            display.warn(note)
    made = features_of(model, splits, asked, changed.launch.workers)
    return carried_out(asked, model, made, total, display)


def opened(source: DataSource, asked: Asked) -> dict[str, Images]:
    """The images by split; those of a folder without splits are of none."""
    if asked.folder is not None:
        try:
            train, validation = split_folders(source.path)  # pyright: ignore[reportAttributeAccessIssue]
        except ValueError as error:
            raise UserError(str(error)) from error
        if validation is None:
            source.holdout = 0.0  # pyright: ignore[reportAttributeAccessIssue]
            if asked.split == "validation" or (asked.split and not train):
                raise UserError(f"{asked.folder} has no split {asked.split}; leave split= out")
            return {"train" if train else "": open_split(source, "train")}
    return {split: open_split(source, split) for split in ([asked.split] if asked.split else ["train", "validation"])}


def features_of(model: FrozenModel, splits: dict[str, Images], asked: Asked, workers: int) -> Iterator[Made]:
    """The features of all images, a batch at a time.

    Raises:
        UserError: the device has too little memory.
    """
    for split, images in splits.items():
        squares = Squares(Reader(images, None, ("label",)), model.image_size)
        for batch, corrupt in made_in_order(squares, torch.arange(len(images)).split(asked.batch), workers):
            try:
                pixels = batch.images.to(model.device).float().div_(255)
                tokens = model.features(pixels, patch=True, student=asked.student)
            except torch.OutOfMemoryError as error:
                raise UserError(f"the device has too little memory for batch={asked.batch}; choose a smaller batch=N") from error
            pooled, index = tokens.mean(1).cpu(), batch.index.tolist()
            labels = [images.classes[label] if label >= 0 else None for label in batch.labels.tolist()]
            names = [images.describe(i) for i in index]
            yield Made(names, [split] * len(index), labels, tokens.cpu() if asked.patch else pooled, pooled, batch.images, corrupt)


def carried_out(asked: Asked, model: FrozenModel, made: Iterator[Made], total: int, display: Display) -> int:
    """Write what comes, and tell what became of it."""
    part = "student" if asked.student else "teacher"
    about = {"recipe": model.recipe.recipe, "step": model.step, "encoder": part, "grid": model.grid, "iwm": __version__, "images": total}
    shape = (model.grid[0] * model.grid[1],) * asked.patch + (model.model.teacher.width,)
    page = Map(total) if asked.map is not None else None
    rows: Rows | None = None
    corrupt: list[Corrupt] = []
    with Stop() as stop:
        try:
            for one in display.track(made, f"features, batches of {asked.batch}", -(-total // asked.batch)):
                corrupt += one.corrupt
                if one.names:
                    if rows is None:
                        rows = Array(shape, about, asked.out, asked.names) if asked.names else Parquet(shape, about, asked.out)
                    rows.add(one.names, one.splits, one.labels, np.asarray(one.features))
                if page is not None:
                    page.add(one.names, one.labels, one.pooled, one.images, len(one.corrupt))
                if stop.received:
                    break
            if rows is not None:
                rows.close()
        except BaseException:
            if rows is not None:
                rows.discard()
            raise
    if rows is None and not stop.received:
        raise UserError(f"none of the {total} images can be read, such as {corrupt[0].name}: {corrupt[0].reason}")
    if corrupt:
        display.warn(f"{len(corrupt)} of {total} images are left out: {named(corrupt)}")
    if stop.received:
        kept = f"{rows.count} of {total} images are in {asked.out}" if rows else "nothing was written yet"
        raise Stopped(f"interrupted; {kept}", 128 + stop.received)
    assert rows is not None
    display.say(str(asked.out))
    what = (
        f"{shape[0]} tokens of {shape[-1]}" if asked.patch else f"{shape[-1]} numbers, the mean of {model.grid[0] * model.grid[1]} tokens,"
    )
    display.say(
        f"{rows.count} images, {what} of the {part} at step {model.step}" + (f"; their names: {asked.names}" if asked.names else "")
    )
    if page is not None:
        assert asked.map is not None
        display.say(page.write(asked.map, about, asked.umap))
    return 0
