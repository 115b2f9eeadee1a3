"""How functions of components must behave, whatever they compute: no hidden randomness, inputs left alone, no waiting for the device."""

import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GPU = torch.device("cuda" if torch.cuda.is_available() or hasattr(torch._C, "_ensureCUDADeviceGuardSet") else "lazy")
"""A device whose tensors are not the host's, real or not. Before torch 2.10, one called cuda asks for a driver even where it is a fake."""


@contextmanager
def conduct(what: str, *inputs: Tensor) -> Iterator[None]:
    """Check that the block leaves its inputs and the global random generators of torch and numpy as they are.

    Raises:
        AssertionError: it does not; ``what`` names it.
    """
    copies = [tensor.clone() for tensor in inputs]
    before = generators()
    yield
    alone = generators() == before
    assert alone, f"{what} must leave the global random generators alone: take random numbers from `draws`, or from a Generator of its own"
    unchanged = all(torch.equal(copy, tensor) for copy, tensor in zip(copies, inputs, strict=True))
    assert unchanged, f"{what} must leave its input unchanged: avoid operations in place (`x += 1`, `x.clamp_()`, `x[...] = 0`) on it"


def generators() -> tuple[Any, ...]:
    """The states of the global random generators of torch and numpy; Python's own is drawn from by beartype when it checks shapes."""
    numpy = np.random.get_state(legacy=False)["state"]  # noqa: NPY002  # to see whether it is used
    return torch.get_rng_state().tolist(), numpy["key"].tolist(), numpy["pos"]


class Waits(Exception):
    """An operation made the host wait for the device."""


class NoWaits(TorchDispatchMode):
    """Stands in for a GPU: tensors on `GPU` are fakes, true in shape and device, without values.

    What needs a value on the host (``item``, ``nonzero``, a mask as an index) then raises by itself; and an operation between host and
    device raises `Waits`: on a GPU it is a copy, which waits unless it comes from pinned memory. torch's one-kernel shortcuts for
    transformers, which fakes do not know before torch 2.14, are off.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fakes = FakeTensorMode(allow_non_fake_inputs=True)

    def __enter__(self) -> "NoWaits":
        self.shortcuts = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        self.fakes.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self.fakes.__exit__(*error)
        torch.backends.mha.set_fastpath_enabled(self.shortcuts)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.ops.aten._pin_memory.default:
            result = args[0].clone()
            result.pinned = True
            return result
        if func is torch.ops.aten._linalg_check_errors.default:
            raise Waits("it reads back whether it worked: torch.linalg.solve_ex and inv_ex do not")
        result = func(*args, **kwargs)
        tensors = [x for x in tree_leaves((args, kwargs, result)) if isinstance(x, Tensor)]
        if kwargs.get("pin_memory"):
            result.pinned = True
        # Before torch 2.15, `x[…] = 1.0` is a fill by a scalar of the host, which becomes an argument of the kernel: nothing is waited for.
        filled = func is torch.ops.aten.fill_.Tensor and args[1].device.type == "cpu"
        without_waiting = filled or (kwargs.get("non_blocking") and hasattr(args[0], "pinned"))
        if len({tensor.device.type for tensor in tensors}) > 1 and not without_waiting:
            raise Waits(f"{func} between host and device")
        return result


def check_device(what: str, call: Callable[[torch.device], Iterable[Tensor]]) -> None:
    """Check that a function works on any device and never makes the host wait for it; shown with fake tensors, without a GPU.

    Args:
        what: its name in messages.
        call: calls it with tensors on the device given; returns its results.

    Raises:
        AssertionError: it does not.
    """
    try:
        with NoWaits():
            results = list(call(GPU))
    except (Waits, DataDependentOutputException, DynamicOutputShapeException, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise AssertionError(
            f"{what} must run on the device of its inputs without waiting for it: make constants there "
            f"(`torch.arange(…, device=x.device)`, a table by `constant([…], x.device)` from iwm_core.interfaces), and read no values back "
            f"(`.item()`, `if tensor`, a mask or list as an index); {line_of(error)}{reason}"
        ) from error
    others = sorted({result.device.type for result in results} - {GPU.type})
    assert not others, f"{what} must give results on the device of its inputs, not on {', '.join(others)}"


def line_of(error: BaseException) -> str:
    """The line that an error comes from, the innermost that is neither torch's nor the kit's, as the beginning of a sentence."""
    passed_over = [str(Path(torch.__file__).parent), str(Path(__file__).parent), "jaxtyping", "beartype"]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not any(part in frame.filename for part in passed_over):
            return f"{Path(frame.filename).name}:{frame.lineno}: `{frame.line}`: "
    return ""


def check_compiles(what: str, function: Callable[..., Tensor], *inputs: Tensor) -> None:
    """Check that ``torch.compile`` takes a function as one graph, and that it then computes the same.

    A function whose shapes are checked as it runs (under jaxtyping's import hook) cannot be compiled and is passed over.

    Raises:
        AssertionError: it does not.
    """
    from torch._dynamo.exc import TorchDynamoException

    if hasattr(function, "__wrapped__"):
        return
    expected = function(*inputs)
    try:
        result = torch.compile(function, backend="eager", fullgraph=True)(*inputs)
    except TorchDynamoException as error:
        reason, lines = str(error).strip().splitlines()[0], re.findall(r'File "([^"]+)", line (\d+)', str(error))
        place = f"{Path(lines[-1][0]).name}:{lines[-1][1]}: " if lines else ""
        raise AssertionError(
            f"{what} must compile as one graph: no control flow that depends on values, and no calls that torch cannot see; {place}{reason}"
        ) from error
    assert torch.allclose(result, expected, atol=1e-5), f"{what} must compute the same when compiled"
