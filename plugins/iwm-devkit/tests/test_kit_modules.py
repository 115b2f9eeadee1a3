"""The conformance kit catches every way in which an encoder, a head or a predictor can break its contract."""

import itertools

import pytest
import torch
from iwm_devkit import CHECKS
from kit_examples import PatchEncoder, Patches, Told, ToldPredictor, broken, caught
from torch import nn


def module_of(good, forward, **more):
    """The class of a module that answers otherwise."""
    return type(good.__name__, (good,), {"forward": forward, **more})


def encoder(function):
    """An encoder that changes the good one's tokens."""
    return {
        "module": module_of(
            PatchEncoder, lambda self, images, keep=None: function(PatchEncoder.forward(self, images, keep), self, images, keep)
        )
    }


def sized(**given):
    """An encoder that tells of another width or grid."""

    def build(self, image_size):
        module = PatchEncoder(image_size)
        for name, value in given.items():
            setattr(module, name, value)
        return module

    return {"build": build}


def dropping(x, module, images, keep):
    return nn.functional.dropout(x, 0.5)


def mixed(x, module, images, keep):
    everything = PatchEncoder.forward(module, images)
    return x + everything.mean(1, keepdim=True)


COUNTER = itertools.count()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"build": lambda self, image_size: nn.Linear(1, 1)}, ("build() must return an iwm_core.interfaces.Encoder", "Linear")),
        (sized(width=None), ("needs `width`",)),
        (sized(grid=[4, 4]), ("needs `grid`", "tuple")),
        (sized(grid=(4, 4, 4)), ("grid must be (rows, columns)",)),
        (sized(width=13), ("patches must answer with [3, 16, 13], got [3, 16, 12]",)),
        (encoder(lambda x, m, i, k: x.double()), ("must answer with float32 numbers",)),
        (encoder(lambda x, m, i, k: x / 0), ("must answer with finite numbers",)),
        (encoder(lambda x, m, i, k: x + next(COUNTER)), ("must give the same answer twice in evaluation mode",)),
        (encoder(dropping), ("patches in evaluation mode", "global random generators")),
        (encoder(lambda x, m, i, k: x - x.mean(0)), ("each image alone", "no batch statistics")),
        (encoder(lambda x, m, i, k: x + images_in_place(i)), ("must leave its input unchanged",)),
        (encoder(lambda x, m, i, k: x.flip(1) if k is None else x), ("all patches are kept",)),
        (encoder(lambda x, m, i, k: x if k is None else x[:, k.argsort(1)[0]]), ("order of `keep`",)),
        (
            encoder(lambda x, m, i, k: x if k is None or k.shape[1] == 16 else mixed(x, m, i, k)),
            ("must not see the patches that `keep` leaves out",),
        ),
        (encoder(lambda x, m, i, k: x + torch.ones(12)), ("forward() must run on the device",)),
    ],
)
def test_encoders(changes, words):
    caught("encoder", broken(Patches, **changes), *words)


def images_in_place(images):
    images.mul_(0.5)
    return 0


def predictor(function):
    """A predictor that changes the good one's answer."""

    def forward(self, context, where, action):
        return function(ToldPredictor.forward(self, context, where, action), context, where)

    return {"module": module_of(ToldPredictor, forward)}


class AlwaysTold(ToldPredictor):
    """Cannot do without an action."""

    def __init__(self, width, grid, action):
        super().__init__(width, grid, max(action, 1))


def untold(**names):
    """A predictor that tells of these parameters, each with the entries that it says the null action does not reach."""

    def told(self):
        own = dict(self.named_parameters())
        return {name: torch.full_like(own.get(name, self.places), every, dtype=torch.bool) for name, every in names.items()}

    return {"module": type("ToldPredictor", (ToldPredictor,), {"untold": told})}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (untold(places=True), ("untold() names entries of places that the null action reaches", "would not be trained")),
        (untold(**{"told.weight": True, "told.bias": True}), ("untold() names entries of told.bias that the null action reaches",)),
        (untold(gone=True), ("untold() must name its own parameters, got gone",)),
        (predictor(lambda x, c, w: x[:, 0]), ("told 3 numbers must answer with [3, 2, 3, 24], got [3, 3, 24]",)),
        (predictor(lambda x, c, w: x + c[:, None, :1]), ("know context tokens by their places",)),
        (predictor(lambda x, c, w: x + x[:, :, :1]), ("order of `where.target`",)),
        (predictor(lambda x, c, w: x + x.mean(1, keepdim=True)), ("groups must not see each other",)),
        (predictor(lambda x, c, w: x.round() + 0.1 if bool(x.sum() > 9e9) else x), ("forward() must run on the device",)),
    ],
)
def test_predictors(changes, words):
    caught("predictor", broken(Told, **changes), *words)


def test_weights_of_the_action_alone_are_untold():
    CHECKS["predictor"](broken(Told, **untold(**{"told.weight": True, "told.bias": False})))


def test_predictors_of_recipes_without_actions():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):  # its author's own error, which says more than we could
        CHECKS["predictor"](broken(Told, module=AlwaysTold))
