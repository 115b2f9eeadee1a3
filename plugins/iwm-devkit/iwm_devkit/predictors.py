"""What a predictor must keep to (PAPER §4, §5)."""

import torch
from torch import Tensor, nn

from iwm_core.interfaces import Predictor, PredictorComponent, Targets
from iwm_core.interfaces.draws import Draws
from iwm_devkit.components import check_component
from iwm_devkit.fitting import fitting
from iwm_devkit.modules import check_module

BATCH, WIDTH, GRID, GROUPS = 3, 24, (3, 4), 2


def check_predictor(component: PredictorComponent) -> None:
    """Check a predictor: documentation, shapes with and without actions, places of context and targets, and all that every module keeps to.

    Raises:
        AssertionError: the predictor breaks its contract; the text says how to mend it.
        Unfit: it cannot be built between tokens of width 24 on a grid of 3 x 4 patches.
    """
    check_component(component)
    with fitting():
        component.build(WIDTH, GRID, 3)
    n = GRID[0] * GRID[1]
    draws = Draws(0, 0, torch.arange(BATCH))
    places = draws.permutation(n)
    context, target = places[:, :5].sort(dim=1).values, places[:, 5:11].unflatten(1, (GROUPS, 3)).sort(dim=2).values
    tokens = draws.stream("tokens").normal(5 * WIDTH).unflatten(1, (5, WIDTH))
    for numbers in (3, 0):
        action = draws.stream("action").uniform(max(numbers, 1), -1, 1)[:, :numbers]
        given = tokens, context, target, action

        def build(numbers: int = numbers) -> nn.Module:
            return component.build(WIDTH, GRID, numbers)

        module = check_module(f"{component.name} told {numbers} numbers", build, predict, given, (BATCH, GROUPS, 3, WIDTH))
    check_untold(component.build(WIDTH, GRID, 3), component.name, tokens, Targets(context, target))
    with torch.no_grad():
        answer = predict(module, *given)
        order = torch.tensor([3, 0, 4, 2, 1])
        free = torch.allclose(predict(module, tokens[:, order], context[:, order], target, action), answer, atol=1e-4)
        assert free, f"{component.name} must know context tokens by their places in `where.context`, whatever their order"
        turned = torch.allclose(predict(module, tokens, context, target.flip(2), action), answer.flip(2), atol=1e-4)
        assert turned, f"{component.name} must answer in the order of `where.target`"
        apart = torch.allclose(predict(module, tokens, context, target[:, :1], action), answer[:, :1], atol=1e-4)
        assert apart, f"{component.name} must answer each group of targets by itself: groups must not see each other"


def check_untold(predictor: Predictor, name: str, tokens: Tensor, where: Targets) -> None:
    """Check that what a predictor names as untold is not reached by the null action."""
    parameters = dict(predictor.named_parameters())
    untold = predictor.untold()
    assert untold.keys() <= parameters.keys(), f"{name}.untold() must name its own parameters, got {', '.join(untold)}"
    if not untold:
        return
    predictor(tokens, where, tokens.new_zeros(len(tokens), 3)).square().sum().backward()
    for key, entries in untold.items():
        gradient = parameters[key].grad
        free = gradient is None or not bool(gradient[entries.to(gradient.device)].any())
        assert free, f"{name}.untold() names entries of {key} that the null action reaches: they would not be trained"


def predict(module: nn.Module, tokens: Tensor, context: Tensor, target: Tensor, action: Tensor) -> Tensor:
    """A predictor's answer, from tensors alone."""
    return module(tokens, Targets(context, target), action)
