"""The conformance kit catches every way in which an action or a target selector can break its contract."""

import itertools
import subprocess
import sys

import pytest
import torch
from iwm_devkit.conduct import check_compiles
from kit_examples import (
    Brighter,
    Halves,
    broken,
    caught,
)

from iwm_core.interfaces import ActionParams, Targets

COUNTER = itertools.count()
IMAGES = torch.linspace(0, 1, 2 * 3 * 4 * 4).reshape(2, 3, 4, 4)


def drawn(source, target=0.0):
    """A `sample` that gives what a function of draws gives."""
    return lambda self, draws: ActionParams(source(draws), torch.full((len(draws), 1), target))


def changed(function):
    """An `apply` that changes the result of the good one."""
    return lambda self, images, params: function(Brighter.apply(self, images, params), images, params)


def in_place(self, images, params):
    return images.add_(params[:, :, None, None]).clamp_(0, 1)


def on_average(self, images, params):
    return (images + params.mean()).clamp(0, 1)


def noisy(self, images, params):
    return (images + params[:, :, None, None] + 0 * torch.rand(1)).clamp(0, 1)


def peeking(self, images, params):
    return Brighter.apply(self, images, params) if params.max() > 0 else images


def constant(self, images, params):
    return (images + params[:, :, None, None] * torch.tensor([1.0, 1.0, 1.0])[:, None, None]).clamp(0, 1)


def unshaped(self, images, params):
    return images + params


def solved(self, images, params):
    one = torch.ones(len(images), 1, 1, device=images.device)
    return Brighter.apply(self, images, params) + 0 * torch.linalg.solve(one, one)[:, :, :, None]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"identity": torch.zeros(1, 1)}, ("identity must be one row",)),
        ({"identity": torch.zeros(1, dtype=torch.float64)}, ("identity must be float32",)),
        ({"identity": torch.zeros(1, device="meta")}, ("identity must be on the CPU",)),
        ({"identity": [0.0]}, ("identity must be the parameters", "torch.zeros(1)", "[0.0]")),
        ({"identity": None}, ("identity must be the parameters", "None")),
        ({"labels": None}, ("labels must be a tuple",)),
        ({"sample": lambda self, draws: (draws.uniform(1), draws.uniform(1))}, ("must return ActionParams(source, target), got tuple",)),
        ({"apply": lambda self, images, params: None}, ("apply() must return the images, got NoneType", "`return` missing")),
        ({"apply": unshaped}, ("apply() fails on images [6, 3, 24, 24] with params [6, 1]", "[:, :1, None, None]", "test_kit_actions.py:")),
        ({"encode": lambda self, source, target: None}, ("encode() must return numbers [b, a], got NoneType",)),
        (
            {"encode": lambda self, source, target: target * 1.0, "sample": drawn(lambda d: d.uniform(1), 0.5), "changes_target": True},
            ("encode() of equal sides must be zeros",),
        ),
        (
            {"encode": lambda self, source, target: (target - source) / self.most},
            ("Brighter.most=0 makes", "narrow the option's range"),
        ),
        ({"apply": solved}, ("apply() must run on the device", "torch.linalg.solve_ex", "test_kit_actions.py:")),
        ({"apply": lambda self, images, params: images.clone()}, ("apply() leaves images as they are", "does it use its params?")),
        ({"apply_target": in_place}, ("apply_target() must leave its input unchanged",)),
        ({"candidates": lambda self, draws: draws.uniform(3)}, ("candidates() must be finite parameters",)),
        (
            {"candidates": lambda self, draws: draws.uniform(1) / (1 + next(COUNTER))},
            ("candidates() must be a pure function of its draws",),
        ),
        ({"labels": "light"}, ("labels must be a tuple", '("label",)')),
        ({"labels": ("light", "light")}, ("labels must differ",)),
        ({"sample": drawn(lambda d: d.uniform(2, 0, 1))}, ("sample().source must be [b, p]",)),
        ({"sample": drawn(lambda d: d.uniform(1, 0, 1).double())}, ("sample().source must be float32",)),
        ({"sample": drawn(lambda d: d.uniform(1, 0, 1) / 0)}, ("sample().source must be finite",)),
        ({"sample": drawn(lambda d: torch.rand(len(d), 1))}, ("sample()", "global random generators", "draws")),
        ({"sample": drawn(lambda d: d.uniform(1, 0, 1).cumsum(0) / 6)}, ("sample().source of an image must not depend on its batch",)),
        ({"sample": drawn(lambda d: d.uniform(1, 0, 1), 0.5)}, ("changes_target = False", "identity")),
        ({"sample": drawn(lambda d: d.uniform(1, 0, 1).cpu())}, ("sample() must run on the device",)),
        ({"sample": drawn(lambda d: torch.ones(len(d), 1))}, ("sample() must give results on the device of its inputs, not on cpu",)),
        ({"sample": drawn(lambda d: d.uniform(1, 0, 1) / (1 + next(COUNTER)))}, ("must be a pure function of its draws",)),
        ({"apply": in_place}, ("apply() must leave its input unchanged",)),
        ({"apply": noisy}, ("apply() must leave the global random generators alone",)),
        ({"apply": on_average}, ("each image must be transformed by its own parameters",)),
        ({"apply": changed(lambda new, old, p: new[0])}, ("apply() must return images [b, 3, h, w], got [3, 24, 24]",)),
        ({"apply": changed(lambda new, old, p: new[:, :1])}, ("as many images with as many channels",)),
        ({"apply": changed(lambda new, old, p: new.double())}, ("apply() must return float32",)),
        ({"apply": changed(lambda new, old, p: new / 0)}, ("apply() must return finite images",)),
        ({"apply": changed(lambda new, old, p: old - p[:, :, None, None])}, ("in [0, 1]: clamp",)),
        ({"apply": changed(lambda new, old, p: old + p[:, :, None, None])}, ("in [0, 1]: clamp",)),
        ({"apply": changed(lambda new, old, p: new.sqrt())}, ("`identity` must leave images as they are",)),
        ({"apply": changed(lambda new, old, p: new[:, :, : 23 if len(p) > 1 else 22])}, ("one size for a batch",)),
        ({"apply": peeking}, ("apply() must run on the device", ".item()")),
        ({"apply": constant}, ("apply() must run on the device", "make constants there")),
        ({"encode": lambda self, s, t: torch.cat([s, t], 1)}, ("one number for each label",)),
        ({"encode": lambda self, s, t: (t - s).double()}, ("encode() must give float32",)),
        ({"encode": lambda self, s, t: (t - s) / 0}, ("encode() must give finite",)),
        ({"encode": lambda self, s, t: (s - t).sqrt()}, ("encode() must have finite gradients", "under where()")),
        ({"encode": lambda self, s, t: 90 * (t - s)}, ("about in [-1, 1]", "divide by")),
        ({"encode": lambda self, s, t: 1 - s}, ("the null action",)),
        ({"encode": lambda self, s, t: 0 * s}, ("must tell the predictor something",)),
        ({"encode": lambda self, s, t: (t - s) - (t - s).mean()}, ("must not depend on its batch",)),
        ({"encode": lambda self, s, t: (t - s).cpu()}, ("encode()", "device")),
    ],
)
def test_actions(changes, words):
    caught("action", broken(Brighter, **changes), *words)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: x if x.sum() > 0 else -x, ("must compile as one graph", "control flow")),
        (lambda x: torch.full_like(x, float(torch.compiler.is_compiling())), ("must compute the same when compiled",)),
    ],
)
def test_compilation(function, words):
    check_compiles("f()", lambda x: x + 1, IMAGES)
    with pytest.raises(AssertionError) as error:
        check_compiles("f()", function, IMAGES)
    assert [word for word in words if word not in str(error.value)] == []


@pytest.mark.slow
def test_installed_actions_compile():
    """In a process whose functions do not check shapes as they run, which cannot be compiled."""
    code = """if True:
        from iwm_core.plugins.loader import load_plugins
        from iwm_devkit import check_action
        entries = load_plugins().entries("action")
        for entry in entries.values():
            assert not hasattr(entry.component.apply, "__wrapped__")
            check_action(entry.component())
        print(len(entries))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "6\n", done.stderr


def where(context=None, target=None):
    """A `select` that changes the good one's indices."""

    def select(self, draws, grid):
        good = Halves.select(self, draws, grid)
        return Targets(
            context(good.context, draws) if context else good.context,
            target(good.target, draws) if target else good.target,
        )

    return select


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"select": where(lambda c, d: c[0])}, ("context must be [b, k]",)),
        ({"select": where(target=lambda t, d: t[:, 0])}, ("target must be [b, m, t]",)),
        ({"select": where(lambda c, d: c.int())}, ("context must be int64",)),
        ({"select": where(lambda c, d: c[:, :0])}, ("context must not be empty", "ValueError")),
        ({"select": where(lambda c, d: c - 9)}, ("indices in [0, 144)",)),
        ({"select": where(target=lambda t, d: t + 1)}, ("indices in [0, 144)",)),
        ({"select": where(lambda c, d: c.flip(1))}, ("must be ascending, without repeats",)),
        ({"select": where(target=lambda t, d: torch.arange(144).expand(len(t), 1, 144))}, ("context and target at once",)),
        ({"select": where(lambda c, d: c[:, torch.randperm(72)].sort(1).values)}, ("select()", "global random generators")),
        ({"select": where(lambda c, d: c[:, : 60 + int(d.integers(7)[0])])}, ("one size for the whole run",)),
        ({"select": where(lambda c, d: c[:1].expand_as(c), lambda t, d: t[:1].expand_as(t))}, ("must not depend on its batch",)),
        ({"select": where(lambda c, d: c[:, [0, 1]])}, ("select()", "device")),
    ],
)
def test_target_selectors(changes, words):
    caught("target_selector", broken(Halves, **changes), *words)


def test_target_selectors_repeat_themselves():
    shifts = iter([0, *range(99)])  # whether it can be tried is asked first
    select = where(lambda c, d: c, lambda t, d: t.roll(next(shifts), dims=0))
    caught("target_selector", broken(Halves, select=select), "pure function of its draws")
