"""A tuned model as what is exported: images in [0, 1] to the answers of its tasks, by backbone and heads."""

from iwm_tasks.interfaces import Task
from iwm_tasks.tuning.model import TunedModel
from iwm_tasks.tuning.tuned import Tuned
from torch import Tensor, nn

from iwm_interop.exporting.parts import Part, images_of


class Answering(nn.Module):
    """What tasks answer: probabilities of classes and labels, or numbers, as `iwm predict` gives them."""

    def __init__(self, model: TunedModel, tasks: dict[str, Task]) -> None:
        super().__init__()
        self.model, self.tasks = model, list(tasks.items())

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        given = self.model.outputs(images)
        answers = [task.answer(given[name]) for name, task in self.tasks]
        return tuple(answers) if len(answers) > 1 else answers[0]  # as one would write a call for one task


def tuned_part(tuned: Tuned) -> Part:
    """A tuned model: images to answers."""
    side = tuned.image_size
    maps = {name: f", {side}, {side}" if task.dense else "" for name, task in tuned.tasks.items()}
    shapes = {name: f"[b, {len(labels)}{maps[name]}]" for name, labels in tuned.outputs.items()}
    told = f"images [b, 3, {side}, {side}] to {', '.join(f'{name} {shape}' for name, shape in shapes.items())}"
    module, labels = Answering(tuned.model, tuned.tasks), {name: list(labels) for name, labels in tuned.outputs.items()}
    takes, gives = ("images",), tuple(tuned.tasks)
    return Part(name="model", module=module, inputs=images_of(side), takes=takes, gives=gives, told=told, labels=labels)
