"""Whether a component can be tried at all: with some options it may refuse the kit's small world, which is not a fault."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Unfit(ValueError):
    """A component refuses the small world that its check tries it in: its author tries it with other options."""


@contextmanager
def fitting() -> Iterator[None]:
    """For what a component may refuse by a `ValueError`, such as being built for a size; global random numbers stay as they were.

    Raises:
        Unfit: it does.
    """
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        except ValueError as error:
            raise Unfit(*error.args) from error
