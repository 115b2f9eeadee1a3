"""What all modules must keep to, whether they are encoders, predictors or heads."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from iwm_devkit.conduct import check_device, conduct

Call = Callable[..., Tensor]
"""Calls a module, given first, on some inputs."""


def check_module(what: str, build: Callable[[], nn.Module], call: Call, inputs: tuple[Tensor, ...], shape: tuple[int, ...]) -> nn.Module:
    """Check a module: shape, type, finite numbers, purity, images apart from each other, gradients, saved weights, devices.

    Args:
        what: the component's name in messages.
        build: builds the module.
        call: ``call(module, *inputs)`` gives its answer.
        inputs: whose first axis is the batch, of two images or more.
        shape: what the answer must have.

    Returns:
        The module, in evaluation mode.

    Raises:
        AssertionError: the module breaks its contract.
    """
    with torch.random.fork_rng(devices=[]):
        module, other = build(), build()
    assert isinstance(module, nn.Module), f"{what}.build() must return a module, got {type(module).__name__}"
    module.eval()
    with conduct(f"{what} in evaluation mode", *inputs), torch.no_grad():
        answer, again = call(module, *inputs), call(module, *inputs)
    assert isinstance(answer, Tensor), f"{what} must return its tokens or outputs, got {type(answer).__name__}: is a `return` missing?"
    assert answer.shape == shape, f"{what} must answer with {list(shape)}, got {list(answer.shape)}"
    assert answer.dtype == torch.float32, f"{what} must answer with float32 numbers for float32 inputs, got {answer.dtype}"
    assert answer.isfinite().all(), f"{what} must answer with finite numbers"
    assert torch.equal(answer, again), f"{what} must give the same answer twice in evaluation mode"
    with torch.no_grad():
        single = torch.cat([call(module, *(part[i : i + 1] for part in inputs)) for i in range(len(inputs[0]))])
    apart = torch.allclose(single, answer, atol=1e-4)
    assert apart, f"{what} must answer about each image alone: a batch must equal its images one by one (no batch statistics)"
    check_gradients(what, module, call, inputs)
    other.load_state_dict(module.state_dict())
    with torch.no_grad():
        kept = torch.equal(call(other.eval(), *inputs), answer)
    assert kept, f"{what} must keep all that it learns in its state_dict: register tensors as parameters or buffers"
    check_module_device(what, module, call, inputs)
    return module


def check_gradients(what: str, module: nn.Module, call: Call, inputs: tuple[Tensor, ...]) -> None:
    """Check that each weight that is trained has a part in the answer."""
    module.zero_grad()
    answer = call(module, *inputs)
    if answer.requires_grad:
        answer.square().sum().backward()
    idle = [name for name, weight in module.named_parameters() if weight.requires_grad and weight.grad is None]
    assert not idle, f"{what}: {', '.join(idle)} can never learn: use them in forward(), or leave them out"
    module.zero_grad()


def check_module_device(what: str, module: nn.Module, call: Call, inputs: tuple[Tensor, ...]) -> None:
    """Check that a module runs where its weights are."""

    def run(device: torch.device) -> Iterable[Tensor]:
        kept = (*module.named_parameters(), *module.named_buffers())
        weights = {name: torch.zeros(tensor.shape, dtype=tensor.dtype, device=device) for name, tensor in kept}
        given = [torch.zeros(part.shape, dtype=part.dtype, device=device) for part in inputs]

        class Called(nn.Module):
            """The call as a forward pass, whose weights can be replaced."""

            def __init__(self) -> None:
                super().__init__()
                self.module = module

            def forward(self, *parts: Tensor) -> Any:
                return call(self.module, *parts)

        return [functional_call(Called(), {f"module.{name}": tensor for name, tensor in weights.items()}, tuple(given))]

    check_device(f"{what}'s forward()", run)
