"""``iwm predict``: a tuned model's answers for image files, as a CSV and as masks.

Decisions:
- Files that are named are read whatever their ending; folders are walked as ``data=folder`` does it: known endings, by name, nothing that
  begins with a dot.
- Images that cannot be read are left out and told in one line, the first by name. Only where none can be read has the command failed, and
  then nothing is written.
- Memory is bounded by ``batch``: images are decoded a batch at a time, in ``workers`` processes (decoding takes longer than answering).
- The first Ctrl-C ends the work after the image under way.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from iwm_data.folder import Folder
from iwm_data.walk import walk
from jaxtyping import Float, UInt8
from torch import Tensor

import iwm_core
from iwm_core.data.quarantine import Corrupt, named
from iwm_core.data.workers import made_in_order, warn
from iwm_core.interfaces import NOT_COUNTED, CorruptImage
from iwm_core.interfaces.errors import Stopped, UserError
from iwm_core.process.display import Display, make_display
from iwm_core.process.shown import as_word
from iwm_core.process.signals import Stop
from iwm_core.run.directory import Run
from iwm_tasks.prediction.answers import AnswerFiles, is_table, make_place, refuse_taken
from iwm_tasks.prediction.options import Options
from iwm_tasks.tuning.tuned import Tuned, read_square


class Answered(NamedTuple):
    """What each task answers for an image of ``size`` (height, width)."""

    path: str
    size: tuple[int, int]
    answers: dict[str, Float[Tensor, "o ..."]]


def run_predict(asked: Options) -> int:
    """Carry out ``iwm predict``; returns the exit status.

    Raises:
        UserError: a run that is not tuned, no readable image, or no place to write to.
        Stopped: a signal ended the work early.
    """
    run = Run.open(asked.run, asked.checkpoint)
    paths = find_images(asked.images)
    refuse_taken(asked.out)
    tuned = iwm_core.load(asked.run, asked.device, asked.checkpoint)
    if not isinstance(tuned, Tuned):
        raise UserError(f"{asked.run} is a world model; tune it first: iwm tune {as_word(asked.run)} recipe=tune/predictor")
    check_dense(tuned, asked.out)
    predict(tuned, paths, run.path, asked, make_display())
    return 0


def predict(tuned: Tuned, paths: list[str], run: Path, asked: Options, display: Display) -> None:
    """Write the answers for all images.

    Raises:
        UserError: some cannot be made or written; it tells what is left.
        Stopped: a signal ended the work early.
    """
    files, done, corrupt = None, 0, []
    with Stop() as stop:
        try:
            for item in display.track(answered(tuned, paths, asked.batch, asked.workers), "images", len(paths)):
                if isinstance(item, Corrupt):
                    corrupt.append(item)
                else:
                    files = files or AnswerFiles(tuned, *make_place(run, asked.out))
                    files.add(item.path, item.size, item.answers)
                    done += 1
                if stop.received:
                    break
        except UserError as error:
            raise UserError(f"{error}; {done} of {len(paths)} images are in {files.table}" if files and done else str(error)) from error
    if files is not None and corrupt:
        display.warn(f"{len(corrupt)} of {len(paths)} images are left out of {files.table}: {named(corrupt)}")
    if stop.received:
        kept = f"{done} of {len(paths)} images are in {files.table}" if files else "nothing was written yet"
        raise Stopped(f"interrupted; {kept}", 128 + stop.received)
    if files is None:
        first = corrupt[0]
        raise UserError(f"none of the {len(paths)} images can be read, such as {first.name}: {first.reason}")
    left_out = f", {len(paths) - done} left out" if done < len(paths) else ""
    display.say(f"wrote {files.table}: {done} image{'s' * (done != 1)}{left_out}")


def answered(tuned: Tuned, paths: list[str], batch: int, workers: int) -> Iterator[Answered | Corrupt]:
    """What is answered for each image, in their order.

    Raises:
        UserError: the device has too little memory.
    """
    chunks = [list(range(start, min(start + batch, len(paths)))) for start in range(0, len(paths), batch)]
    made = made_in_order(Squares(paths, tuned.image_size, tuned.white), chunks, min(workers, len(chunks) - 1), lost)
    for chunk, (pixels, found) in zip(chunks, made, strict=True):
        try:
            answers = tuned.predict(pixels.to(tuned.device).float().div_(255)) if len(pixels) else {}
        except torch.OutOfMemoryError as error:
            raise UserError(f"the device has too little memory for batch={batch}; choose a smaller batch=N, or device=cpu") from error
        place = 0
        for index, what in zip(chunk, found, strict=True):
            if isinstance(what, str):
                yield Corrupt(index, paths[index], what)
            else:
                yield Answered(paths[index], what, {name: answer[place].cpu() for name, answer in answers.items()})
                place += 1


def lost(why: str) -> None:
    """Tell that workers were lost, and what to do about it, as this verb calls it."""
    warn(why.replace("launch.workers", "workers"))


class Squares:
    """Reads chunks of files, in workers: the squares of those that can be read, and of each its size or why it cannot be read."""

    def __init__(self, paths: list[str], image_size: int, white: float | None) -> None:
        self.paths, self.image_size, self.white = paths, image_size, white

    def __call__(self, chunk: list[int]) -> tuple[UInt8[Tensor, "b 3 s s"], list[tuple[int, int] | str]]:
        squares: list[Tensor] = []
        found: list[tuple[int, int] | str] = []
        for index in chunk:
            try:
                square = read_square(self.paths[index], self.image_size, self.white)
            except CorruptImage as error:
                found.append(str(error))
            else:
                squares.append(square.pixels)
                found.append(square.size)
        return torch.stack(squares) if squares else torch.empty(0, 3, self.image_size, self.image_size, dtype=torch.uint8), found


def find_images(words: list[str]) -> list[str]:
    """The files named, and the images in the folders named.

    Raises:
        UserError: a folder without images.
    """
    found: list[str] = []
    for word in words:
        found += images_in(word) if Path(word).is_dir() else [word]
    return found


def images_in(folder: str) -> list[str]:
    """The images in a folder and in those below it."""
    extensions = Folder(path=folder).extensions
    endings = tuple(f".{extension}" for extension in extensions)
    try:
        found = [os.path.join(folder, path) for path, file in walk(folder, "") if file is not None and path.lower().endswith(endings)]  # noqa: PTH118
    except ValueError as error:
        raise UserError(str(error)) from error
    if not found:
        raise UserError(f"the folder {folder} holds no images ({', '.join(extensions)}); a file is read whatever its name, if named")
    return found


def check_dense(tuned: Tuned, out: str | None) -> None:
    """Masks need a folder, and their values a byte."""
    for name in (name for name, task in tuned.tasks.items() if task.dense):
        if out is not None and is_table(out):
            raise UserError(f"the task {name} answers with masks, which need a folder: out=FOLDER instead of out={out}")
        if len(tuned.outputs[name]) > NOT_COUNTED:
            raise UserError(
                f"the task {name} has {len(tuned.outputs[name])} classes, a mask has room for {NOT_COUNTED}; "
                "ask from Python: iwm_core.load(RUN).predict(images)"
            )
