"""What a head must keep to."""

import torch
from iwm_devkit.components import check_component
from iwm_devkit.fitting import fitting
from iwm_devkit.modules import check_module

from iwm_core.interfaces.draws import Draws
from iwm_tasks.interfaces import HeadComponent

BATCH, WIDTH, OUTPUTS = 3, 24, 5


def check_head(component: HeadComponent) -> None:
    """Check a head: documentation, shapes for any number of tokens, and all that every module keeps to.

    Raises:
        AssertionError: the head breaks its contract; the text says how to mend it.
        Unfit: it cannot be built for tokens of width 24.
    """
    check_component(component)
    with fitting():
        component.build(WIDTH, OUTPUTS)
    for rows, columns in ((4, 5), (1, 1)):
        tokens = Draws(0, 0, torch.arange(BATCH)).normal(rows * columns * WIDTH).unflatten(1, (rows * columns, WIDTH))
        if component.dense:
            given = tokens.transpose(1, 2).unflatten(2, (rows, columns)).contiguous()
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                answer = component.build(WIDTH, OUTPUTS).eval()(given)
            assert answer.ndim == 4, f"{component.name} is dense: it must answer with maps [b, o, h, w], got {list(answer.shape)}"
            shape = BATCH, OUTPUTS, *answer.shape[2:]
        else:
            given, shape = tokens, (BATCH, OUTPUTS)
        check_module(component.name, lambda: component.build(WIDTH, OUTPUTS), lambda head, x: head(x), (given,), shape)
