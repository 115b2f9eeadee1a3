"""A tuned model, ready to be asked: what `iwm_core.load` returns for a tuned run.

Decisions:
- It answers in its tasks' words: probabilities and numbers, not a head's raw outputs.
- It is frozen and in evaluation mode from the start; to look at a model under training, give a copy.
- Files are read as evaluation reads them: upright, the centre square, resized with antialiasing.
"""

from collections.abc import Iterable
from os import PathLike, fspath
from pathlib import Path
from typing import NamedTuple

import torch
from iwm_data.decode import decode_file
from jaxtyping import Float, UInt8
from torch import Tensor

from iwm_core.data.view import centre_boxes, cut
from iwm_core.interfaces import CorruptImage
from iwm_core.model.frozen import fitting
from iwm_tasks.tuning.model import Lesson, TunedModel


class Tuned:
    """A world model tuned for tasks (PAPER §7).

    ::

        model = iwm_core.load("runs/shapes")
        answers = model.predict(model.read(["cat.jpg"]))
        dict(zip(model.outputs["shape"], answers["shape"][0].tolist()))   # {"disc": 0.93, "square": 0.05, …}

    Args:
        model: its weights; moved to ``device``, frozen and put into evaluation mode.
        lessons: its tasks, in the order of the model's heads.
        image_size: pixels of the square input.
        checkpoint: where the weights come from; None where they come from no run.
        step: the step they were saved at.
        device: where to compute.
        white: what value is white in files of more than 8 bits, as in training; None: not told.

    Attributes:
        tasks: the tasks, by name.
        outputs: what the numbers of each task's answer stand for.
    """

    def __init__(
        self,
        model: TunedModel,
        lessons: dict[str, Lesson],
        image_size: int,
        checkpoint: Path | None,
        step: int,
        device: torch.device,
        white: float | None = None,
    ) -> None:
        assert list(lessons) == list(model.heads), "one head for each task, in their order"
        self.model = model.eval().requires_grad_(False).to(device)
        self.tasks = {name: lesson.task for name, lesson in lessons.items()}
        self.outputs = {name: lesson.outputs for name, lesson in lessons.items()}
        self.image_size, self.checkpoint, self.step, self.device, self.white = image_size, checkpoint, step, device, white

    def __repr__(self) -> str:
        run = self.checkpoint.parents[1] if self.checkpoint else "a training"
        return f"<model tuned for {', '.join(self.tasks)}, of {run} at step {self.step}, on {self.device}>"

    @torch.no_grad()
    def predict(self, images: Float[Tensor, "b 3 h w"]) -> dict[str, Float[Tensor, "b ..."]]:
        """What each task answers for images in [0, 1] of ``image_size`` pixels.

        Returns [b o] for each task: probabilities of the classes or labels in ``outputs``, or the numbers; of a dense task [b o h w]: for
        each pixel the probabilities of the classes.

        Raises:
            ValueError: they are not such images: of another size or type, outside [0, 1], or not finite.
        """
        given = self.model.outputs(fitting(images, self.image_size, self.device))
        return {name: task.answer(given[name]) for name, task in self.tasks.items()}

    @torch.no_grad()
    def tokens(self, images: Float[Tensor, "b 3 h w"], task: str | None = None) -> Float[Tensor, "b n d"]:
        """The tokens that a task's head is given (the first task's, where none is named).

        Raises:
            ValueError: the images are not as for `predict`, or there is no such task.
        """
        names = list(self.tasks)
        if task is not None and task not in names:
            raise ValueError(f"this model has no task {task!r}; it has: {', '.join(names)}")
        number = 0 if task is None else names.index(task)
        images = fitting(images, self.image_size, self.device)
        return self.model.backbone(images, torch.full((len(images),), number, device=self.device))

    def read(self, paths: Iterable[str | PathLike[str]]) -> Float[Tensor, "b 3 s s"]:
        """Image files as this model takes them: the centre square of each, in [0, 1].

        Raises:
            ValueError: a file cannot be read as an image; or these are not a list of paths, but one alone.
        """
        if isinstance(paths, str | bytes | PathLike) or not isinstance(paths, Iterable):
            raise ValueError(f"read takes a list of files, as in read(['cat.jpg']); got a {type(paths).__name__}")
        squares = []
        for path in paths:
            if not isinstance(path, str | PathLike):
                raise ValueError(f"read takes files by their paths, as in read(['cat.jpg']); got a {type(path).__name__} in their list")
            try:
                squares.append(read_square(fspath(path), self.image_size, self.white).pixels)
            except CorruptImage as error:
                raise ValueError(f"{fspath(path)}: {error}") from error
        pixels = torch.stack(squares) if squares else torch.empty(0, 3, self.image_size, self.image_size)
        return pixels.to(self.device).float().div_(255)


class Square(NamedTuple):
    """The centre square of an image file.

    Attributes:
        pixels: resized to the model's size.
        size: height and width in pixels of the whole image, upright.
    """

    pixels: UInt8[Tensor, "3 s s"]
    size: tuple[int, int]


def read_square(path: str, image_size: int, white: float | None = None) -> Square:
    """The centre square of an image file, as evaluation sees it.

    Raises:
        CorruptImage: the file cannot be read as an image.
    """
    image = decode_file(path, white)
    height, width = image.shape[1:]
    return Square(cut(image, centre_boxes(torch.tensor([[height, width]]))[0], image_size), (height, width))
