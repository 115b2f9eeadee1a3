"""What a step's model launches on a GPU, counted without one: of a training's forward and backward pass, clipping, optimizer and teacher.

    python tests/slow/launches.py [RECIPE [KEY=VALUE…]]                # paper/iwm_equi_vitb16_18x384, or another; seconds
    python tests/slow/launches.py --compiled [RECIPE [KEY=VALUE…]]     # and the kernels of the compiled graph; minutes

Operations are dispatched for tensors of a CUDA device that are fakes: true in shape, type and device, without values. The backward pass
is of fakes of the host, since torch takes none to a device without its driver. What makes a view or allocates launches nothing; any other
operation launches a kernel, or a few, and one over a list of tensors a kernel for hundreds of them. The compiled graph is inductor's for
the host, of two images, as it fuses without a GPU: the loops that it writes. Products and attention stay calls of libraries. Fusion on a
GPU differs a little.
"""

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from iwm_devkit.conduct import GPU
from torch import Tensor, nn
from torch._inductor import config, metrics
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from iwm_core.interfaces import Draws, Targets, Views
from iwm_core.model.actions import recipe_actions
from iwm_core.model.world_model import ImageWorldModel, build_model
from iwm_core.recipe.compose import compose
from iwm_core.recipe.config import Recipe
from iwm_core.recipe.thaw import thaw
from iwm_core.training.optimisation import make_optimizer
from iwm_core.training.pretraining import Pass, select

NOTHING = (
    "empty",
    "new_empty",
    "empty_like",
    "empty_strided",
    "_unsafe_view",
    "lift_fresh",
    "detach",
    "device",
    "_record_function_enter_new",
    "_record_function_exit",
)
"""Operations that allocate, make a view, ask a fake for its device, or mark a trace."""


class Launched(TorchDispatchMode):
    """Counts the operations that launch something."""

    def __init__(self) -> None:
        super().__init__()
        self.names = Counter[str]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        view = any(made.alias_info and not made.alias_info.is_write for made in func._schema.returns)
        if not view and func.overloadpacket.__name__ not in NOTHING:
            self.names[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


def launched(work: Callable[[], object]) -> Counter[str]:
    """How often each operation is launched."""
    with Launched() as counted:
        work()
    return counted.names


def given(recipe: Recipe, images: int, device: torch.device, grid: tuple[int, int]) -> tuple[Views, Targets]:
    """What a pass is given."""
    where = select(recipe, Draws(0, 0, torch.arange(images)), grid)
    pixels = torch.rand(images, 3, recipe.image_size, recipe.image_size)
    views = Views(pixels, pixels, torch.zeros(images, len(recipe_actions(recipe).labels)))
    views, where = (type(part)(*(torch.empty_like(one, device=device).copy_(one) for one in part)) for part in (views, where))
    return views, where


def taken_to(model: nn.Module, device: torch.device) -> None:
    """Replace weights without memory by fakes on a device."""
    for module in model.modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                module._parameters[name] = nn.Parameter(torch.empty_like(weight, device=device), requires_grad=weight.requires_grad)
        for name, tensor in module._buffers.items():
            if tensor is not None:
                module._buffers[name] = torch.empty_like(tensor, device=device)


def faked(model: ImageWorldModel, recipe: Recipe, device: torch.device) -> Callable[[], Tensor]:
    """The forward pass in bf16 of a model whose weights become fakes on a device; while torch fakes."""
    taken_to(model, device)
    learner, (views, where) = Pass(model, recipe.train.loss).train(), given(recipe, recipe.train.batch_size, device, model.student.grid)

    def forward() -> Tensor:
        torch.set_autocast_enabled(device.type, True)  # torch.autocast would ask for a driver
        torch.set_autocast_dtype(device.type, torch.bfloat16)
        loss = learner(views, where).loss
        torch.set_autocast_enabled(device.type, False)
        torch.clear_autocast_cache()
        return loss

    return forward


def on_fakes(recipe: Recipe) -> dict[str, Counter[str]]:
    """The operations of each part of a step."""
    with torch.device("meta"):
        model, other = build_model(recipe, restored=True), build_model(recipe, restored=True)
    recipe.targets.select(Draws(0, 0, torch.arange(1)), model.student.grid)  # measures its sizes, once a run
    with FakeTensorMode(allow_non_fake_inputs=True):
        forward, loss = faked(model, recipe, GPU), faked(other, recipe, torch.device("cpu"))()
        optimizer, trained = make_optimizer(model, recipe.train), [p for p in model.parameters() if p.requires_grad]
        for parameter in trained:
            parameter.grad = torch.empty_like(parameter)

        def clip() -> None:  # over lists, as by default on a GPU: torch does not know fakes for its tensors
            torch.nn.utils.clip_grad_norm_(trained, recipe.train.clip or float("inf"), foreach=True)

        def update() -> None:
            optimizer.found_inf = torch.zeros((), device=GPU)  # pyright: ignore[reportAttributeAccessIssue]
            optimizer.step()

        update()  # the first makes the moments
        return {
            "forward": launched(forward),
            "backward": launched(loss.backward),
            "clipping": launched(clip),
            "optimizer": launched(update),
            "teacher": launched(lambda: model.update_teacher(torch.full((), 0.1, device=GPU))),
        }


def compiled(recipe: Recipe) -> dict[str, int]:
    """Loops of the compiled forward and backward pass in bf16, and of the teacher's update."""
    model = build_model(recipe, restored=True)
    learner, follow = torch.compile(Pass(model, recipe.train.loss).train()), torch.compile(model.update_teacher)
    views, where = given(recipe, 2, torch.device("cpu"), model.student.grid)

    def passes() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            loss = learner(views, where).loss
        loss.backward()

    counts = {}
    for name, work in {"passes": passes, "teacher": lambda: follow(torch.tensor(0.1))}.items():
        metrics.reset()
        with config.patch(fx_graph_cache=False):
            work()
        counts[name] = metrics.generated_kernel_count
    return counts


def main(*words: str) -> None:
    name, *rest = [word for word in words if word != "--compiled"] or ["paper/iwm_equi_vitb16_18x384", "data.path=."]
    recipe = thaw(compose(name, rest)[0])
    torch.set_num_threads(1)
    found = on_fakes(recipe)
    print(f"{name}, {recipe.train.batch_size} images in bf16: operations launched")
    for part, names in found.items():
        print(f"  {part:10} {names.total():6,}   {', '.join(f'{count} {name}' for name, count in names.most_common(6))}")
    print(f"  {'all':10} {sum(names.total() for names in found.values()):6,}")
    if "--compiled" in words:
        for part, count in compiled(recipe).items():
            print(f"compiled: {part:10} {count:6,} loops")


if __name__ == "__main__":
    main(*sys.argv[1:])
